// What a rule over several documents gets: the documents by kind and reference, and each instance over its profiles, computed once.
import { type KindName, makeRef, type RefKey, refKey, type ResourceRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';
import type { InstanceSetManifest } from '../kinds/instance-set.ts';
import { type ConfigMap, type Expanded, expandInstance, type Provenance } from '../merge.ts';

export interface CheckFinding {
  /** Where it stands in the text. */
  readonly document: ManifestDocument;
  readonly finding: Finding;
  /** Documents that must not be acted upon because of it; what was last valid stays. */
  readonly unusable: readonly ManifestDocument[];
}

/** One rule. Pure; rules do not know of each other. */
export type Check = (context: CheckContext) => readonly CheckFinding[];

export interface ExpandedDevice {
  readonly instance: ManifestDocument;
  readonly name: string;
  readonly options: ConfigMap;
  readonly from: Provenance;
}

export class CheckContext {
  readonly documents: readonly ManifestDocument[];
  readonly #byRef: ReadonlyMap<RefKey, ManifestDocument>;
  readonly #byKind: ReadonlyMap<KindName, readonly ManifestDocument[]>;
  readonly #expanded = new Map<ManifestDocument, Expanded>();
  /** The sets that templates belong to. */
  readonly #templates = new Map<ManifestDocument, ManifestDocument>();
  #devices: readonly ExpandedDevice[] | undefined;

  readonly #claimed: ReadonlySet<RefKey>;

  constructor(documents: readonly ManifestDocument[], claimed: ReadonlySet<RefKey>) {
    this.documents = documents;
    this.#claimed = claimed;
    this.#byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
    const byKind = Map.groupBy(documents, (document) => document.kind);
    const templates = (byKind.get('InstanceSet') ?? []).map(templateOf);
    for (const { as, of } of templates) this.#templates.set(as, of);
    if (templates.length > 0) byKind.set('Instance', [...(byKind.get('Instance') ?? []), ...templates.map(({ as }) => as)]);
    this.#byKind = byKind;
  }

  document(ref: ResourceRef): ManifestDocument | undefined {
    return this.#byRef.get(refKey(ref));
  }

  /** It is declared, perhaps by a document that has problems of its own. */
  isDeclared(ref: ResourceRef): boolean {
    const key = refKey(ref);
    return this.#byRef.has(key) || this.#claimed.has(key);
  }

  /** All its profiles can be read: what it has after merging them is what it will have. */
  isComplete(instance: ManifestDocument): boolean {
    return this.expanded(instance).problems.length === 0 && this.unreadProfile(instance) === undefined;
  }

  /** The first of its profiles that is declared by a document with problems. */
  unreadProfile(instance: ManifestDocument): ResourceRef | undefined {
    if (this.#claimed.size === 0) return undefined;
    return this.expanded(instance).profiles.find((profile) => this.#claimed.has(refKey(profile)));
  }

  /** Where a finding really stands: what is checked as an instance may be the template of a set. */
  inText({ document, finding, unusable }: CheckFinding): CheckFinding {
    const set = this.#templates.get(document);
    const real = (one: ManifestDocument): ManifestDocument => this.#templates.get(one) ?? one;
    if (set === undefined) return { document, finding, unusable: unusable.map(real) };
    const path = finding.path[0] === 'spec' ? [...TEMPLATE, ...finding.path] : finding.path;
    return { document: set, finding: { ...finding, path }, unusable: unusable.map(real) };
  }

  ofKind(kind: KindName): readonly ManifestDocument[] {
    return this.#byKind.get(kind) ?? [];
  }

  expanded(instance: ManifestDocument): Expanded {
    let expanded = this.#expanded.get(instance);
    if (expanded === undefined) {
      expanded = expandInstance(instance, this);
      this.#expanded.set(instance, expanded);
    }
    return expanded;
  }

  /** All devices of all instances, masked ones left out. */
  devices(): readonly ExpandedDevice[] {
    this.#devices ??= this.ofKind('Instance').flatMap((instance) => this.devicesOf(instance));
    return this.#devices;
  }

  devicesOf(instance: ManifestDocument): ExpandedDevice[] {
    const devices: ExpandedDevice[] = [];
    for (const [name, { options, from }] of this.expanded(instance).merged.devices) {
      if (options['type'] !== 'none') devices.push({ instance, name, options, from });
    }
    return devices;
  }
}

const TEMPLATE = ['spec', 'template'] as const;

/** The first instance of a set, for the checks of instances. */
function templateOf(set: ManifestDocument): { as: ManifestDocument; of: ManifestDocument } {
  const { template } = set.spec as InstanceSetManifest;
  const ref = makeRef('Instance', `${set.ref.name}-0`, { project: set.ref.project });
  return { as: { ...set, kind: 'Instance', ref, spec: template.spec }, of: set };
}

/** A finding about an option of an instance's device, shown where the device is declared: in the instance or in a profile. */
export function deviceFinding(device: ExpandedDevice, key: string | undefined, what: Omit<Finding, 'path'>): CheckFinding {
  const path = key === undefined ? device.from.path : [...device.from.path, key];
  return { document: device.from.document ?? device.instance, finding: { ...what, path }, unusable: [device.instance] };
}
