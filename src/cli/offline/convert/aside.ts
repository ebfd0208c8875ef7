// What has no place on the other side travels along in one string, so that the way back loses nothing: in a manifest the annotation
// `lxd/document`, in an LXD document the key `user.lockstep`. Both are JSON.
import { canonicalJson } from '../../../core/hash.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';

export const ASIDE_ANNOTATION = 'lxd/document';
export const ASIDE_KEY = 'user.lockstep';

/** Parts of an LXD document that a manifest has no place for. */
export interface LxdAside {
  /** Top-level fields. */
  readonly fields?: PlainMap;
  readonly config?: PlainMap;
  readonly devices?: PlainMap;
  /** The image convert named because LXD's document names none. */
  readonly image?: string;
  /** The pool that --pool named because LXD's document names none. */
  readonly pool?: string;
  /** It came out of `lxd init --dump`; the first of a dump knows the rest of it. */
  readonly dump?: true | DumpAside;
}

export interface DumpAside {
  /** Top-level keys the dump had, in its order. */
  readonly keys: readonly string[];
  /** Those that are no lists of objects: the server's config. */
  readonly fields: PlainMap;
  /** The project `default`, which needs no manifest, and its place in the list. */
  readonly project?: { readonly at: number; readonly document: PlainMap };
}

/** Parts of a manifest that an LXD document has no place for. */
export interface ManifestAside {
  /** Of instances, whose documents have no name. */
  readonly name?: string;
  readonly metadata?: PlainMap;
  readonly spec?: PlainMap;
  /** Fields of `spec` that the manifest leaves unsaid and LXD always says. */
  readonly unsaid?: readonly string[];
}

/** One line without control characters, whatever the values hold; undefined when there is nothing to write. */
export function asideText(aside: LxdAside | ManifestAside): string | undefined {
  const kept = Object.entries(aside).filter(([, value]) => value !== undefined && !isEmpty(value as Plain));
  if (kept.length === 0) return undefined;
  // JSON leaves DEL and the C1 controls as they are, and neither YAML nor manifests allow them.
  return canonicalJson(Object.fromEntries(kept)).replaceAll(
    /[\u007f-\u009f]/g,
    (char) => String.raw`\u` + (char.codePointAt(0) ?? 0).toString(16).padStart(4, '0'),
  );
}

function isEmpty(value: Plain): boolean {
  return isPlainMap(value) ? Object.keys(value).length === 0 : Array.isArray(value) && value.length === 0;
}

const LXD_PARTS: ReadonlySet<string> = new Set(['fields', 'config', 'devices', 'image', 'pool', 'dump']);
const MANIFEST_PARTS: ReadonlySet<string> = new Set(['name', 'metadata', 'spec', 'unsaid']);

/** What `toManifest` put aside; undefined when somebody else wrote the text. */
export function readLxdAside(text: Plain | undefined): PlainMap | undefined {
  return readAside(text, LXD_PARTS);
}

/** What `toLxd` put aside; undefined when somebody else wrote the text. */
export function readManifestAside(text: Plain | undefined): PlainMap | undefined {
  const aside = readAside(text, MANIFEST_PARTS);
  const spec = mapIn(aside, 'spec');
  return Object.hasOwn(spec, 'config') || Object.hasOwn(spec, 'devices') ? undefined : aside;
}

function readAside(text: Plain | undefined, parts: ReadonlySet<string>): PlainMap | undefined {
  if (typeof text !== 'string' || !text.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text) as PlainMap;
    // Only the exact text we would write is ours: anything else stays what it is.
    return Object.keys(value).every((key) => parts.has(key)) && asideText(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

export function mapIn(map: PlainMap | undefined, key: string): PlainMap {
  const value = map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
  return isPlainMap(value) ? value : {};
}

export function textIn(map: PlainMap | undefined, key: string): string | undefined {
  const value = map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}
