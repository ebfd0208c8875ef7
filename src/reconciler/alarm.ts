// One timer for everything that is due some time; none at all when nothing is, so that an idle daemon sleeps.
import type { Clock } from '../core/clock.ts';

/** Timers count neither what a clock was set by nor what a host has slept, and hold 24 days at most: the clock is asked again. */
const LONGEST_MS = 60_000;

export class Alarm<Key> {
  readonly #clock: Clock;
  readonly #due: (keys: readonly Key[]) => void;
  readonly #times = new Map<Key, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #closed = false;

  constructor(clock: Clock, due: (keys: readonly Key[]) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Calls `due` with the key at that time (epoch ms), or earlier when it was set for earlier. */
  set(key: Key, at: number): void {
    const known = this.#times.get(key);
    if (known !== undefined && known <= at && known > this.#clock.now()) return;
    this.#times.set(key, at);
    this.#arm(at);
  }

  delete(key: Key): void {
    this.#times.delete(key);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(at: number): void {
    if (this.#closed || (this.#timer !== undefined && at >= this.#timerAt)) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#ring(), Math.min(LONGEST_MS, Math.max(0, at - this.#clock.now() + 1)));
  }

  #ring(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    const keys: Key[] = [];
    let next = Infinity;
    for (const [key, at] of this.#times) {
      if (at <= now) {
        this.#times.delete(key);
        keys.push(key);
      } else next = Math.min(next, at);
    }
    if (next !== Infinity) this.#arm(next);
    if (keys.length > 0) this.#due(keys);
  }
}
