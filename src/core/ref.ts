// The identity of every object Lockstep knows: kind, project, parent and name, written
// `Kind/project/parent/name` with `-` where a kind has none. The same four segments are used in
// the ledger, over HTTP and in the client.

export const KIND_NAMES = [
  'Project',
  'StoragePool',
  'Network',
  'NetworkACL',
  'NetworkForward',
  'Image',
  'StorageVolume',
  'Profile',
  'Instance',
  'InstanceSet',
] as const;

export type KindName = (typeof KIND_NAMES)[number];

export interface ResourceRef {
  readonly kind: KindName;
  /** `-` for kinds that belong to no project. */
  readonly project: string;
  /** The pool of a volume, the network of a forward; `-` elsewhere. */
  readonly parent: string;
  readonly name: string;
}

/** `Kind/project/parent/name`; use it as a map key. */
export type RefKey = string & { readonly refKey: unique symbol };

interface KindScope {
  readonly project: boolean;
  readonly parent: boolean;
}

const SCOPES: Record<KindName, KindScope> = {
  Project: { project: false, parent: false },
  StoragePool: { project: false, parent: false },
  Network: { project: true, parent: false },
  NetworkACL: { project: true, parent: false },
  NetworkForward: { project: true, parent: true },
  Image: { project: true, parent: false },
  StorageVolume: { project: true, parent: true },
  Profile: { project: true, parent: false },
  Instance: { project: true, parent: false },
  InstanceSet: { project: true, parent: false },
};

export const DEFAULT_PROJECT = 'default';

export function isKindName(text: string): text is KindName {
  return (KIND_NAMES as readonly string[]).includes(text);
}

export function scopeOf(kind: KindName): KindScope {
  return SCOPES[kind];
}

/** Builds a ref, putting `-` where the kind has no project or parent. */
export function makeRef(kind: KindName, name: string, at: { project?: string; parent?: string } = {}): ResourceRef {
  const scope = SCOPES[kind];
  return {
    kind,
    project: scope.project ? (at.project ?? DEFAULT_PROJECT) : '-',
    parent: scope.parent ? (at.parent ?? '-') : '-',
    name,
  };
}

export function refKey(ref: ResourceRef): RefKey {
  return `${ref.kind}/${ref.project}/${ref.parent}/${ref.name}` as RefKey;
}

/** The ref behind a key, or undefined when the text is not four segments of a known kind. */
export function parseRefKey(text: string): ResourceRef | undefined {
  const [kind, project, parent, name, ...rest] = text.split('/');
  if (!kind || !project || !parent || !name || rest.length > 0 || !isKindName(kind)) return undefined;
  return { kind, project, parent, name };
}

/** Short text for people: `Instance "web"`, with project and parent only where they matter. */
export function refText(ref: ResourceRef): string {
  const where = [
    ref.parent === '-' ? undefined : `in "${ref.parent}"`,
    ref.project === '-' || ref.project === DEFAULT_PROJECT ? undefined : `of project "${ref.project}"`,
  ].filter((part) => part !== undefined);
  return [`${ref.kind} "${ref.name}"`, ...where].join(' ');
}
