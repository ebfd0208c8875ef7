// The storage port of the real host: pools and volumes through the drivers.
import type { Log } from '../../core/log.ts';
import type { Paths } from '../../core/paths.ts';
import { unpackImage } from '../images/unpack.ts';
import type { StoragePort } from '../ports/storage.ts';
import { PoolRecords } from './pool-records.ts';
import { Pools } from './pools.ts';
import { Reclaimer } from './reclaim.ts';
import { poolDrivers } from './registry.ts';
import { Measurer } from './tombstone-size.ts';
import { Volumes } from './volumes.ts';

export interface StoragePortOptions {
  readonly paths: Paths;
  readonly prefix: string;
  readonly log: Log;
}

export function createStoragePort({ paths, log }: StoragePortOptions): StoragePort & { close(): Promise<void> } {
  const records = new PoolRecords(paths);
  const reclaimer = new Reclaimer(log);
  const measurer = new Measurer(log);
  const pools = new Pools(paths, records, log, reclaimer);
  const volumes = new Volumes(
    records,
    async (fingerprint, rootfs, signal) => await unpackImage(paths, fingerprint, rootfs, signal),
    measurer,
  );
  const seen = new Set<string>();
  /** What was removed, or what an earlier daemon left half-removed, is taken away in the background. */
  const reclaim = (pool: string): void => reclaimer.look(paths.pool(pool));
  return {
    capabilities: (driver) => poolDrivers[driver].capabilities,
    readPool: async (target) => await pools.read(target),
    listPools: async () => {
      const listed = await pools.list();
      for (const [name, { active }] of listed) {
        if (!active || seen.has(name)) continue;
        seen.add(name);
        reclaim(name);
      }
      return listed;
    },
    presentPools: async (names) => await records.present(names),
    createPool: async (target, signal) => await pools.create(target, signal),
    activatePool: async (target, signal) => await pools.activate(target, signal),
    deactivatePool: async (target, signal) => {
      seen.delete(target.name);
      await Promise.all([reclaimer.halt(target.path), measurer.halt()]);
      await pools.deactivate(target, signal);
    },
    growPool: async (target, signal) => await pools.grow(target, signal),
    deletePool: async (target, signal) => await pools.delete(target, signal),
    listVolumes: async (pool, only) => await volumes.list(pool, only),
    presentVolumes: async (pool, containers) => await volumes.present(pool, containers),
    listTombstones: async (pool) => await volumes.tombstones(pool),
    createContainerVolume: async (pool, volume, signal) => await volumes.createContainer(pool, volume, signal).finally(() => reclaim(pool)),
    setVolumeSize: async (pool, id, sizeBytes, signal) => await volumes.setSize(pool, id, sizeBytes, signal),
    deleteVolume: async (pool, id, signal) => await volumes.delete(pool, id, signal).finally(() => reclaim(pool)),
    renameVolume: async (pool, id, to) => await volumes.rename(pool, id, to),
    buryVolume: async (pool, id, tombstone) => await volumes.bury(pool, id, tombstone),
    unburyVolume: async (pool, tombstone, id) => await volumes.unbury(pool, tombstone, id),
    purgeTombstone: async (pool, tombstone, signal) => await volumes.purge(pool, tombstone, signal).finally(() => reclaim(pool)),
    close: async () => void (await Promise.all([reclaimer.close(), measurer.close()])),
  };
}

/** For the one daemon of a state directory: what an earlier one left unfinished is removed first. */
export async function openStoragePort(options: StoragePortOptions): Promise<ReturnType<typeof createStoragePort>> {
  await new PoolRecords(options.paths).sweep();
  return createStoragePort(options);
}
