// The objects to look at in the next round, each with the events that asked for it. What many events ask for is one look; of its causes
// the first few are kept, so neither an event's cost nor the memory grows with how many there are.
import { type Cause, KEPT_CAUSES, type TimedCause } from '../core/cause.ts';
import type { Clock } from '../core/clock.ts';
import type { RefKey } from '../core/ref.ts';

export type Causes = readonly TimedCause[];

export class Dirty {
  readonly #clock: Clock;
  readonly #causes = new Map<RefKey, TimedCause[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#causes.size;
  }

  add(key: RefKey, cause: Cause): void {
    const causes = this.#causes.get(key);
    const timed = { ...cause, at: this.#clock.now() };
    if (causes === undefined) this.#causes.set(key, [timed]);
    else if (causes.length < KEPT_CAUSES && !causes.some((one) => one.event === cause.event && one.about === cause.about))
      causes.push(timed);
  }

  some(check: (key: RefKey) => boolean): boolean {
    return this.#causes.keys().some(check);
  }

  /** Takes out those that may be looked at now. */
  take(mayLook: (key: RefKey) => boolean): ReadonlyMap<RefKey, Causes> {
    const taken = new Map<RefKey, Causes>();
    for (const [key, causes] of this.#causes) {
      if (!mayLook(key)) continue;
      taken.set(key, causes);
      this.#causes.delete(key);
    }
    return taken;
  }

  /** A round came to nothing: what it had taken is looked at again, for the same reasons. */
  putBack(taken: ReadonlyMap<RefKey, Causes>): void {
    for (const [key, causes] of taken) {
      const later = this.#causes.get(key) ?? [];
      this.#causes.set(key, [...causes, ...later].slice(0, KEPT_CAUSES));
    }
  }
}
