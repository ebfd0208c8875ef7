// The storage port of the real host: pools and volumes through the drivers.
import type { Log } from '../../core/log.ts';
import type { Paths } from '../../core/paths.ts';
import { unpackImage } from '../images/unpack.ts';
import type { StoragePort } from '../ports/storage.ts';
import { PoolRecords } from './pool-records.ts';
import { Pools } from './pools.ts';
import { poolDrivers } from './registry.ts';
import { Volumes } from './volumes.ts';

export interface StoragePortOptions {
  readonly paths: Paths;
  readonly prefix: string;
  readonly log: Log;
}

export function createStoragePort({ paths, log }: StoragePortOptions): StoragePort {
  const records = new PoolRecords(paths);
  const pools = new Pools(paths, records, log);
  const volumes = new Volumes(records, async (fingerprint, rootfs, signal) => await unpackImage(paths, fingerprint, rootfs, signal));
  return {
    capabilities: (driver) => poolDrivers[driver].capabilities,
    readPool: async (target) => await pools.read(target),
    listPools: async () => await pools.list(),
    createPool: async (target, signal) => await pools.create(target, signal),
    activatePool: async (target, signal) => await pools.activate(target, signal),
    deactivatePool: async (target, signal) => await pools.deactivate(target, signal),
    growPool: async (target, signal) => await pools.grow(target, signal),
    deletePool: async (target, signal) => await pools.delete(target, signal),
    listVolumes: async (pool, only) => await volumes.list(pool, only),
    listTombstones: async (pool) => await volumes.tombstones(pool),
    createContainerVolume: async (pool, volume, signal) => await volumes.createContainer(pool, volume, signal),
    setVolumeSize: async (pool, id, sizeBytes, signal) => await volumes.setSize(pool, id, sizeBytes, signal),
    deleteVolume: async (pool, id, signal) => await volumes.delete(pool, id, signal),
    buryVolume: async (pool, id, tombstone) => await volumes.bury(pool, id, tombstone),
    unburyVolume: async (pool, tombstone, id) => await volumes.unbury(pool, tombstone, id),
    purgeTombstone: async (pool, tombstone, signal) => await volumes.purge(pool, tombstone, signal),
  };
}
