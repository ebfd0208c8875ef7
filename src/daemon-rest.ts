// Memory of a daemon at rest. A start and every burst of work leave a heap behind that V8 keeps in case of another one: compiled code that
// ran once, pages with little in them, and the C library's own free lists. Once nothing has happened for a while all of that is given
// back: a quarter of the resident memory, for a collection that takes 50 to 150 ms when nobody waits.
import type { Log } from './core/log.ts';

/** Nothing planned and nothing changed for so long. */
const QUIET_MS = 10_000;
/** Where something happens now and then all the time, a longer wait for quiet is in vain. */
const LONGEST_QUIETS = 6;
/** Less than this is not worth a collection. */
const WORTH_BYTES = 8 * 1024 * 1024;

export interface RestOptions {
  readonly log: Log;
  readonly reconciler: {
    readonly idle: boolean;
    changed(): Promise<void>;
  };
  /** Resident memory now. */
  readonly residentBytes: () => number;
  /** Gives back all that can be. */
  readonly giveBack: () => void;
  readonly quietMs?: number;
}

/** Returns the function that ends it. */
export function restWhenQuiet({ log, reconciler, residentBytes, giveBack, quietMs = QUIET_MS }: RestOptions): () => void {
  let ended = false;
  let rested = 0;
  /** Undefined: the timer does not run. */
  let waitsSince: number | undefined = performance.now();
  const timer = setTimeout(() => {
    waitsSince = undefined;
    if (!reconciler.idle) return;
    const before = residentBytes();
    if (before - rested < WORTH_BYTES) return;
    giveBack();
    rested = residentBytes();
    log.debug({ beforeMiB: Math.round(before / 2 ** 20), afterMiB: Math.round(rested / 2 ** 20) }, 'memory was given back');
  }, quietMs);
  timer.unref();
  void (async () => {
    for (;;) {
      // Its end wakes this, too.
      await reconciler.changed();
      if (ended) return;
      const now = performance.now();
      waitsSince ??= now;
      if (now - waitsSince < LONGEST_QUIETS * quietMs) timer.refresh();
    }
  })();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

/** Everything that V8 and the C library can do without; without --expose-gc only the latter. */
export function giveBackMemory(trim: () => void): void {
  // oxlint-disable-next-line typescript/no-floating-promises -- synchronous: the type does not tell which one it is
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trim();
}
