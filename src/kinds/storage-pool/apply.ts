// Carries out each change of a pool. The storage port's calls may all be repeated.
import { formatSize } from '../../core/units.ts';
import type { Host } from '../../host/ports/host.ts';
import type { Applier, ApplyRun, Appliers } from '../changes.ts';
import type { StoragePoolChangeTable } from './changes.ts';

/** An applier of one effect. */
function single<Fields>(name: string, effect: (host: Host, change: Readonly<Fields>, run: ApplyRun) => Promise<void>): Applier<Fields> {
  return async (host, _ref, change, run) => {
    await run.step(name, async () => await effect(host, change, run));
    return 'done';
  };
}

export const appliers: Appliers<StoragePoolChangeTable> = {
  create: single('create the pool', async (host, { target }, run) => {
    const { source } = target;
    run.progress(source.type === 'loop' && source.sizeBytes > 0 ? `making a pool of ${formatSize(source.sizeBytes)}` : 'making the pool');
    await host.storage.createPool(target, run.signal);
  }),
  activate: single('activate the pool', async (host, { target }, run) => await host.storage.activatePool(target, run.signal)),
  grow: single('grow the pool', async (host, { target }, run) => await host.storage.growPool(target, run.signal)),
  dropImages: async (host, _ref, { pool, fingerprints }, run) => {
    for (const name of fingerprints) {
      await run.step('remove an unpacked image', async () => await host.storage.deleteVolume(pool, { type: 'image', name }, run.signal));
    }
    return 'done';
  },
  deactivate: single('deactivate the pool', async (host, { target }, run) => await host.storage.deactivatePool(target, run.signal)),
  // They are in the ledger already: written ahead.
  keep: async () => 'done',
  purge: single(
    'remove a tombstone',
    async (host, { purged }, run) => await host.storage.purgeTombstone(purged.pool, purged.name, run.signal),
  ),
  delete: single('delete the pool', async (host, { target }, run) => await host.storage.deletePool(target, run.signal)),
};
