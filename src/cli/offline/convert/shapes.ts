// What LXD's and Incus' clients print, told apart by shape: the documents say nowhere what they are.
import type { KindName } from '../../../core/ref.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';

/** A document about one object. */
export type ObjectShape = 'instance' | 'profile' | 'network' | 'pool' | 'volume' | 'project';

/** `dump`: what `lxd init --dump` prints; `manifest`: one of ours. */
export type Shape = ObjectShape | 'dump' | 'manifest';

export const KIND_OF: Readonly<Record<ObjectShape, KindName>> = {
  instance: 'Instance',
  profile: 'Profile',
  network: 'Network',
  pool: 'StoragePool',
  volume: 'StorageVolume',
  project: 'Project',
};

export function shapeOfKind(kind: string): ObjectShape | undefined {
  const entries = Object.entries(KIND_OF) as [ObjectShape, KindName][];
  return entries.find(([, name]) => name === kind)?.[0];
}

/** Lists of `lxd init --dump`, in the order in which they depend on each other. */
export const DUMP_LISTS: Readonly<Record<string, ObjectShape>> = {
  storage_pools: 'pool',
  storage_volumes: 'volume',
  networks: 'network',
  projects: 'project',
  profiles: 'profile',
};

/** The command that prints such a document, for messages. */
export const PRINTED_BY: Readonly<Record<ObjectShape | 'dump', string>> = {
  instance: 'lxc config show',
  profile: 'lxc profile show',
  network: 'lxc network show',
  pool: 'lxc storage show',
  volume: 'lxc storage volume show',
  project: 'lxc project show',
  dump: 'lxd init --dump',
};

/** Facts of the moment that LXD prints along and ignores when they are sent back. */
export const READ_ONLY_FIELDS: ReadonlySet<string> = new Set([
  'used_by',
  'managed',
  'status',
  'locations',
  'location',
  'created_at',
  'last_used_at',
]);

export function shapeOf(document: PlainMap): Shape | undefined {
  const has = (key: string): boolean => Object.hasOwn(document, key);
  if (has('apiVersion') && has('kind')) return 'manifest';
  const listOfMaps = (value: Plain | undefined): boolean => Array.isArray(value) && value.some((item: Plain) => isPlainMap(item));
  if (has('storage_pools') || has('networks') || has('projects') || has('cluster') || listOfMaps(document['profiles'])) return 'dump';
  if (has('driver')) return 'pool';
  if (has('content_type')) return 'volume';
  if (has('profiles') || has('architecture') || has('ephemeral')) return 'instance';
  if (has('devices')) return 'profile';
  if (has('type') || has('managed')) return 'network';
  const { config } = document;
  if (has('name') && isPlainMap(config) && Object.keys(config).some((key) => key.startsWith('features.'))) return 'project';
  return undefined;
}
