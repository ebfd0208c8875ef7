// How long a process that ends again and again is left before it is started again: at once the first time, then later and later. Pure.

/** An end counts for this long. */
const WINDOW_MS = 600_000;
/** By the number of ends within the window. The last one holds from there on. */
const BACKOFF_S = [0, 1, 2, 4, 8, 16, 32, 60];

/** When it may be started (epoch ms), by when it ended before, oldest first; undefined: at once. */
export function restartNotBefore(ends: readonly number[], now: number): number | undefined {
  const last = ends.at(-1);
  // The clock was set back since: how long it was is not known.
  if (last === undefined || last > now) return undefined;
  const recent = ends.filter((at) => last - at < WINDOW_MS).length;
  const notBefore = last + BACKOFF_S[Math.min(recent, BACKOFF_S.length) - 1]! * 1000;
  return notBefore > now ? notBefore : undefined;
}
