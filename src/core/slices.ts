// Long computations that can be paused. They are generators that yield wherever they may be interrupted, so they stay pure and synchronous
// code: a command runs them to the end, the daemon in slices between which its event loop answers others.

/** Yields where it may be paused; returns its result. */
export type Sliced<T> = Generator<void, T, void>;

/** Longer than what one of the daemon's answers takes, far shorter than what a person or a probe notices. */
const SLICE_MS = 8;

/** All of it at once. */
export function finish<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** In slices; resolves with the result. What the computation reads must not change meanwhile. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  for (;;) {
    const until = performance.now() + SLICE_MS;
    do {
      const { done, value } = work.next();
      if (done === true) return value;
    } while (performance.now() < until);
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
