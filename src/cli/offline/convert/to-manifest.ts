// One LXD document to one manifest. Nothing is lost but volatile.*, image.* and facts of the moment: what a manifest has no place for goes
// into an annotation. Pure.
import { ASIDE_ANNOTATION, ASIDE_KEY, asideText, type LxdAside, mapIn, readManifestAside, textIn } from './aside.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';
import { KIND_OF, type ObjectShape, READ_ONLY_FIELDS } from './shapes.ts';
import { type Origin, splitConfig, splitDevices } from './split-config.ts';

export interface ToManifestOptions {
  readonly from: Origin;
  /** For documents that have no name. */
  readonly name: string | undefined;
  /** Name of the Image of instances. */
  readonly image: string | undefined;
  /** Pool of volumes whose documents do not say it. */
  readonly pool: string | undefined;
}

export interface Manifest {
  readonly value: PlainMap;
  readonly notes: readonly string[];
}

/** Why there is no manifest for a document. */
export interface NoManifest {
  readonly refused?: string;
  /** It needs none: left out, with this note. */
  readonly leftOut?: string;
}

const API_VERSION = 'lockstep/v1';

/** Fields that have a place in the manifest, besides name, description, project and config. */
const PLACES: Readonly<Record<ObjectShape, readonly string[]>> = {
  instance: ['devices', 'profiles'],
  profile: ['devices'],
  network: ['type'],
  pool: ['driver'],
  volume: ['content_type', 'pool'],
  project: [],
};

/** What LXD always prints and a manifest need not say. */
export const LXD_DEFAULTS: Readonly<Record<ObjectShape, PlainMap>> = {
  instance: { ephemeral: false, stateful: false, type: 'container' },
  profile: {},
  network: {},
  pool: {},
  volume: { type: 'custom' },
  project: {},
};

export function toManifest(
  document: PlainMap,
  shape: ObjectShape,
  options: ToManifestOptions,
  dump?: LxdAside['dump'],
): Manifest | NoManifest {
  const unwanted = needsNone(document, shape);
  if (unwanted !== undefined) return { leftOut: unwanted };
  const config = mapIn(document, 'config');
  const ours = readManifestAside(config[ASIDE_KEY]);
  const name = textIn(document, 'name') ?? textIn(ours, 'name') ?? options.name;
  if (name === undefined) return { refused: `A document of this type (${shape}) has no name: give it with --name.` };

  const split = splitConfig(config, scopeOf(document, shape), options.from);
  const devices = splitDevices(mapIn(document, 'devices'), options.from);
  const notes = [...split.notes, ...devices.notes];
  const fields = otherFields(document, shape);
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'architecture') continue;
    notes.push(
      value === true ? `kept aside, because Lockstep has nothing like it: ${key}` : `kept aside, because Lockstep does not know it: ${key}`,
    );
  }
  const { taken, source } = withoutLxdPaths(split.taken, shape);
  if (source !== undefined) notes.push("kept aside, because it is in LXD's own directory: source");
  const image = shape === 'instance' ? imageOf(config, ours, options) : undefined;
  if (image?.guessed === true) notes.push(`LXD's document names no image: declare an Image "${image.name}", or give another with --image`);

  const unsaid = new Set(ours?.['unsaid'] as readonly string[] | undefined);
  const spec: Record<string, Plain> = {
    ...mapIn(ours, 'spec'),
    ...(image === undefined ? {} : { image: image.name }),
    ...placed(document, shape, options, unsaid, notes),
  };
  if (Object.keys(taken).length > 0) spec['config'] = taken;
  if (Object.keys(devices.taken).length > 0) spec['devices'] = devices.taken;

  const aside: LxdAside = {
    fields,
    config: { ...split.aside, ...(source === undefined ? {} : { source }) },
    devices: devices.aside,
    ...(image?.guessed === true ? { image: image.name } : {}),
    ...(shape === 'volume' && document['pool'] === undefined && options.pool !== undefined ? { pool: options.pool } : {}),
    ...(dump === undefined ? {} : { dump }),
  };
  const metadata = metadataOf(document, name, mapIn(ours, 'metadata'), asideText(aside));
  return { value: { apiVersion: API_VERSION, kind: KIND_OF[shape], metadata, spec }, notes };
}

function needsNone(document: PlainMap, shape: ObjectShape): string | undefined {
  if (shape === 'network' && document['managed'] === false) return 'it is an interface of the host, which LXD does not manage';
  if (shape === 'volume' && (textIn(document, 'type') ?? 'custom') !== 'custom')
    return `it is the volume of an ${textIn(document, 'type') === 'image' ? 'image' : 'instance'}, made together with it`;
  return undefined;
}

/** Where the registry describes the object's keys. */
function scopeOf(document: PlainMap, shape: ObjectShape): string {
  if (shape === 'network') return `network/${textIn(document, 'type') || 'bridge'}`;
  if (shape === 'pool') return `pool/${textIn(document, 'driver') ?? ''}`;
  return shape === 'profile' ? 'instance' : shape;
}

function otherFields(document: PlainMap, shape: ObjectShape): PlainMap {
  const known = new Set(['name', 'description', 'config', 'project', ...PLACES[shape]]);
  const defaults = LXD_DEFAULTS[shape];
  return Object.fromEntries(
    Object.entries(document).filter(([key, value]) => !known.has(key) && !READ_ONLY_FIELDS.has(key) && defaults[key] !== value),
  );
}

function placed(
  document: PlainMap,
  shape: ObjectShape,
  options: ToManifestOptions,
  unsaid: ReadonlySet<string>,
  notes: string[],
): PlainMap {
  if (shape === 'instance') {
    const { profiles } = document;
    return profiles === undefined || unsaid.has('profiles') ? {} : { profiles };
  }
  if (shape === 'network') {
    const type = textIn(document, 'type') ?? '';
    return type === '' || unsaid.has('type') ? {} : { type };
  }
  if (shape === 'pool') return { driver: document['driver'] ?? '' };
  if (shape === 'volume') {
    const pool = textIn(document, 'pool') ?? options.pool;
    if (pool === undefined) notes.push('the document does not say its pool: give it with --pool');
    const contentType = document['content_type'];
    return {
      ...(pool === undefined ? {} : { pool }),
      ...(contentType === undefined || unsaid.has('contentType') ? {} : { contentType }),
    };
  }
  return {};
}

/** A pool's directory or loop file below LXD's own is LXD's to manage: a manifest with it would put two daemons into one directory. */
function withoutLxdPaths(config: PlainMap, shape: ObjectShape): { readonly taken: PlainMap; readonly source: Plain | undefined } {
  const { source, ...taken } = config;
  const own = shape === 'pool' && typeof source === 'string' && /\/(?:storage-pools\/[^/]+|disks\/[^/]+\.img)$/.test(source);
  return own ? { taken, source } : { taken: config, source: undefined };
}

interface ImageName {
  readonly name: string;
  readonly guessed: boolean;
}

function imageOf(config: PlainMap, ours: PlainMap | undefined, options: ToManifestOptions): ImageName {
  const known = textIn(mapIn(ours, 'spec'), 'image');
  if (known !== undefined) return { name: known, guessed: false };
  if (options.image !== undefined) return { name: options.image, guessed: true };
  const system = [textIn(config, 'image.os') ?? '', textIn(config, 'image.release') ?? ''].filter((word) => word !== '').join('-');
  const words = system === '' ? (textIn(config, 'image.name') ?? '') : system;
  // A name as manifests take it: letters, digits, single dots and hyphens, a letter or digit at both ends.
  const name = words
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 60)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return { name: name === '' ? 'image' : name, guessed: true };
}

function metadataOf(document: PlainMap, name: string, ours: PlainMap, aside: string | undefined): PlainMap {
  const { annotations, ...others } = ours;
  const description = textIn(document, 'description') ?? '';
  // Incus 6.0's `admin init --dump` says it with an empty text.
  const project = textIn(document, 'project') || 'default';
  const kept = { ...(isPlainMap(annotations) ? annotations : {}), ...(aside === undefined ? {} : { [ASIDE_ANNOTATION]: aside }) };
  return {
    name,
    ...others,
    ...(project === 'default' ? {} : { project }),
    ...(description === '' ? {} : { description }),
    ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
  };
}
