// How long the event loop is held up while something is under way. perf_hooks' monitorEventLoopDelay cannot be used for it: when it is
// enabled again, the whole time it was disabled is its first value (node 24, IntervalHistogram keeps the time of its last tick).
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** A timer that wakes the process this often, only between `begin` and `end`. */
export const DELAY_INTERVAL_MS = 20;

export class LoopDelay {
  /** Nanoseconds between two wake-ups. */
  readonly histogram: RecordableHistogram = createHistogram();
  #timer: NodeJS.Timeout | undefined;
  #last = 0;

  begin(): void {
    if (this.#timer !== undefined) return;
    this.#last = performance.now();
    this.#timer = setInterval(() => this.#tick(), DELAY_INTERVAL_MS);
    this.#timer.unref();
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    // What held the loop up at the very end: its tick would come only now.
    if (performance.now() - this.#last > DELAY_INTERVAL_MS) this.#tick();
  }

  #tick(): void {
    const now = performance.now();
    this.histogram.record(Math.max(1, Math.round((now - this.#last) * 1e6)));
    this.#last = now;
  }
}
