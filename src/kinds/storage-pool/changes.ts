// What can be done to a storage pool, as data; and each change in words.
import { formatSize } from '../../core/units.ts';
import type { PoolTarget } from '../../host/ports/storage.ts';
import type { Changes, Finds, Purges } from '../changes.ts';
import type { Described } from '../kind.ts';
import { sourceName } from './spec.ts';

export interface StoragePoolChangeTable {
  create: { target: PoolTarget };
  /** Its backing is there but not mounted: never formats. */
  activate: { target: PoolTarget };
  grow: { target: PoolTarget; from: number; to: number };
  /** Removes unpacked copies of images that are gone. */
  dropImages: { pool: string; fingerprints: readonly string[] };
  /** No longer declared, but it holds tombstones: its backing is kept until they end. */
  deactivate: { target: PoolTarget };
  /** Tombstones the ledger does not know (it was lost, or is older): they are written down, so that they end. */
  keep: Finds;
  /** Removes deleted data for good: its time is over, or newer deleted data needs its room. */
  purge: Purges & { readonly because: 'expired' | 'room' };
  delete: { target: PoolTarget };
}

export type StoragePoolChange = Changes<StoragePoolChangeTable>;

export function describe(change: StoragePoolChange): Described {
  switch (change.do) {
    case 'create': {
      const { driver, source } = change.target;
      const size = source.type === 'loop' && source.sizeBytes > 0 ? [{ field: 'config.size', to: formatSize(source.sizeBytes) }] : [];
      return {
        verdict: 'create',
        summary: `create the ${driver} pool in ${sourceName(change.target)}`,
        fields: [{ field: 'driver', to: driver }, ...size],
      };
    }
    case 'activate':
      return { verdict: 'repair', summary: 'activate the pool', fields: [] };
    case 'grow':
      return {
        verdict: 'live',
        summary: 'grow the pool',
        fields: [{ field: 'config.size', from: formatSize(change.from), to: formatSize(change.to) }],
      };
    case 'dropImages':
      return { verdict: 'live', summary: `remove ${change.fingerprints.length} unpacked images that are not stored any more`, fields: [] };
    case 'deactivate':
      return {
        verdict: 'live',
        summary: 'deactivate the pool; its backing is kept as long as deleted data in it can be brought back',
        fields: [],
      };
    case 'keep':
      return { verdict: 'repair', summary: `write down ${change.found.length} tombstones that were not known`, fields: [] };
    case 'purge':
      return {
        verdict: 'live',
        summary:
          change.because === 'expired'
            ? `remove the expired tombstone "${change.purged.name}"`
            : `remove the tombstone "${change.purged.name}", because newer deleted data takes its share of the pool`,
        fields: [],
      };
    default:
      return { verdict: 'delete', summary: `delete the pool in ${sourceName(change.target)}`, fields: [] };
  }
}
