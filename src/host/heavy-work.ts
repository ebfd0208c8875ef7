// Work that keeps a disk or the cores busy by itself: copies of whole trees, images that are made or unpacked. A few at a time, however many
// changes are under way: most of those only wait for the kernel.
import PQueue from 'p-queue';

const heavy = new PQueue({ concurrency: 4 });

/** Waits for its turn; rejects when the signal aborts meanwhile. */
export async function heavyWork<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  return await heavy.add(work, { signal });
}
