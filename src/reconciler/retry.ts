// When a failed object is tried again: 1 s, 2 s, 4 s ... 5 min, each with up to a fifth of jitter, so that many failing objects
// do not come back together. Pure: the randomness is handed in.
import type { ObjectPlan } from './plan.ts';
import type { Tracked } from './tracker.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 5 * 60_000;
const JITTER = 0.2;

/** Delay after the `failures`-th failure in a row (1 or more). `random` is in [0, 1). */
export function retryDelayMs(failures: number, random: number): number {
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(30, failures - 1));
  return Math.round(base * (1 + JITTER * random));
}

/** A failed object waits for its back-off, whatever event made us look at it; a new spec resets that (adopt). */
export function holdBack(tracked: Pick<Tracked, 'nextRetry'>, planned: ObjectPlan, now: number): ObjectPlan {
  if (planned.steps.length === 0 || tracked.nextRetry === undefined || tracked.nextRetry <= now) return planned;
  const waitsFor = `its next try in ${Math.ceil((tracked.nextRetry - now) / 1000)} s`;
  return { ...planned, steps: [], held: [...planned.steps, ...planned.held], waitsFor, heldBy: 'RetryBackOff', againAt: tracked.nextRetry };
}
