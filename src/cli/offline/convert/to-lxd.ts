// One manifest to one LXD document, as `lxc ... show` prints it and `lxc ... edit` reads it. What LXD has no word for (labels, state,
// dependsOn) travels in the config key `user.lockstep`; what `toManifest` had put aside comes back. Pure.
import { ASIDE_ANNOTATION, ASIDE_KEY, asideText, mapIn, readLxdAside, textIn } from './aside.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';
import { type ObjectShape, shapeOfKind } from './shapes.ts';

export interface LxdDocument {
  readonly shape: ObjectShape;
  readonly name: string;
  readonly value: PlainMap;
  /** What the manifest's annotation says about the dump it came from. */
  readonly dump: Plain | undefined;
  readonly notes: readonly string[];
}

/** Fields of `spec` that the document says itself. */
const SAID: Readonly<Record<ObjectShape, readonly string[]>> = {
  instance: ['config', 'devices', 'profiles'],
  profile: ['config', 'devices'],
  network: ['config', 'type'],
  pool: ['config', 'driver'],
  volume: ['config', 'contentType', 'pool'],
  project: ['config'],
};

/** Fields of `spec` LXD always says, so that a manifest without them has to be remembered as such. */
const ALWAYS_SAID: Readonly<Partial<Record<ObjectShape, string>>> = { instance: 'profiles', network: 'type', volume: 'contentType' };

export function toLxd(manifest: PlainMap): LxdDocument | { readonly refused: string } {
  const kind = textIn(manifest, 'kind') ?? '';
  const shape = shapeOfKind(kind);
  if (shape === undefined) return { refused: `LXD has no document like one of kind ${JSON.stringify(kind)}.` };
  const metadata = mapIn(manifest, 'metadata');
  const name = textIn(metadata, 'name');
  if (name === undefined) return { refused: `The ${kind} has no metadata.name.` };
  const spec = mapIn(manifest, 'spec');
  const { [ASIDE_ANNOTATION]: aside, ...annotations } = mapIn(metadata, 'annotations');
  const theirs = readLxdAside(aside);
  // An annotation of that name that is not ours is one like any other.
  const kept = theirs === undefined && aside !== undefined ? { ...annotations, [ASIDE_ANNOTATION]: aside } : annotations;

  const ours = manifestAside(shape, name, metadata, kept, spec, theirs);
  const config = {
    ...mapIn(spec, 'config'),
    ...mapIn(theirs, 'config'),
    ...(ours === undefined ? {} : { [ASIDE_KEY]: ours }),
  };
  const value = documentOf(shape, {
    name,
    description: textIn(metadata, 'description') ?? '',
    config: sorted(config),
    devices: sorted(joined(mapIn(spec, 'devices'), mapIn(theirs, 'devices'))),
    spec,
    fields: { ...poolField(shape, spec, theirs), ...mapIn(theirs, 'fields') },
  });
  const project = textIn(metadata, 'project');
  const dump = theirs?.['dump'];
  const notes = ours === undefined ? [] : [`what LXD has no word for is in the key ${ASIDE_KEY}`];
  if (ours !== undefined && mapIn(spec, 'config')[ASIDE_KEY] !== undefined) notes.push(`left out the manifest's own key ${ASIDE_KEY}`);
  const withProject = project === undefined || shape === 'instance' ? value : { ...value, project };
  return { shape, name, value: withProject, dump, notes };
}

/** LXD's client takes a volume's pool from the command line; only dumps say it in the document. */
function poolField(shape: ObjectShape, spec: PlainMap, theirs: PlainMap | undefined): PlainMap {
  const { pool } = spec;
  return shape !== 'volume' || pool === undefined || pool === textIn(theirs, 'pool') ? {} : { pool };
}

function manifestAside(
  shape: ObjectShape,
  name: string,
  metadata: PlainMap,
  annotations: PlainMap,
  spec: PlainMap,
  theirs: PlainMap | undefined,
): string | undefined {
  const { name: _name, description: _description, annotations: _annotations, project, ...others } = metadata;
  const said = new Set(SAID[shape]);
  const rest = Object.fromEntries(Object.entries(spec).filter(([key]) => !said.has(key)));
  // The image that `toManifest` named itself is not worth a key of its own.
  if (rest['image'] === textIn(theirs, 'image')) delete rest['image'];
  const always = ALWAYS_SAID[shape];
  return asideText({
    ...(theirs === undefined && shape === 'instance' ? { name } : {}),
    metadata: {
      ...others,
      ...(shape === 'instance' && project !== undefined ? { project } : {}),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    spec: rest,
    unsaid: always !== undefined && spec[always] === undefined && theirs === undefined ? [always] : [],
  });
}

interface Parts {
  readonly name: string;
  readonly description: string;
  readonly config: PlainMap;
  readonly devices: PlainMap;
  readonly spec: PlainMap;
  readonly fields: PlainMap;
}

/** The fields in the order in which LXD prints them. */
function documentOf(shape: ObjectShape, { name, description, config, devices, spec, fields }: Parts): PlainMap {
  if (shape === 'instance') {
    const { architecture, ephemeral = false, stateful = false, ...others } = fields;
    const profiles = spec['profiles'] ?? ['default'];
    return {
      ...(architecture === undefined ? {} : { architecture }),
      config,
      devices,
      ephemeral,
      profiles,
      stateful,
      description,
      ...others,
    };
  }
  if (shape === 'profile') return { config, description, devices, name, ...fields };
  if (shape === 'network') return { config, description, name, type: spec['type'] ?? 'bridge', ...fields };
  if (shape === 'pool') return { config, description, name, driver: spec['driver'] ?? '', ...fields };
  if (shape === 'volume') {
    const { type = 'custom', ...others } = fields;
    return { config, description, name, type, content_type: spec['contentType'] ?? 'filesystem', ...others };
  }
  return { config, description, name, ...fields };
}

function joined(devices: PlainMap, aside: PlainMap): PlainMap {
  const all: Record<string, Plain> = { ...devices };
  for (const [name, options] of Object.entries(aside)) {
    const known = Object.hasOwn(all, name) ? all[name] : undefined;
    all[name] = isPlainMap(known) && isPlainMap(options) ? sorted({ ...known, ...options }) : options;
  }
  return all;
}

/** LXD prints maps in the order of their keys' bytes. */
function sorted(map: PlainMap): PlainMap {
  return Object.fromEntries(
    Object.entries(map)
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, value]) => [key, isPlainMap(value) ? sorted(value) : value]),
  );
}
