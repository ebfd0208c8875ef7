// Carries out each change of an image. Making one is a single step: the store keeps nothing that is half-made.
import type { Host } from '../../host/ports/host.ts';
import type { ApplyRun, Appliers, Outcome } from '../changes.ts';
import type { ImageChangeTable } from './changes.ts';

async function releaseAll(host: Host, change: ImageChangeTable['release'], run: ApplyRun): Promise<Outcome> {
  for (const fingerprint of change.fingerprints) {
    await run.step(`release ${fingerprint.slice(0, 12)}`, async () => {
      await host.images.release(fingerprint, change.holder, run.signal);
    });
  }
  return 'done';
}

export const appliers: Appliers<ImageChangeTable> = {
  create: async (host, _ref, { source, sourceHash, holder }, run) => {
    await run.step('make the image', async () => {
      await host.images.create(source, sourceHash, holder, (text, fraction) => run.progress(text, fraction), run.signal);
    });
    return 'done';
  },
  release: async (host, _ref, change, run) => await releaseAll(host, change, run),
  delete: async (host, _ref, change, run) => await releaseAll(host, change, run),
};
