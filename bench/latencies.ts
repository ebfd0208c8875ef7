// Latencies of a benchmark: waiting with a fine clock, and percentiles.
import { globSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds until it holds, looked at every few milliseconds; an error while looking is "not yet". Throws when it never does. */
export async function until(what: string, holds: () => boolean, limitMs = 30_000): Promise<number> {
  const begun = performance.now();
  const now = (): boolean => {
    try {
      return holds();
    } catch {
      return false;
    }
  };
  while (!now()) {
    if (performance.now() - begun > limitMs) throw new Error(`It did not happen within ${limitMs / 1000} s that ${what}.`);
    await sleep(2);
  }
  return performance.now() - begun;
}

/** Looks for the init of a container that runs, and later for the one that takes its place; cheap enough to be asked every few milliseconds. */
export function initFinder(cgroups: string, name: string): () => number | undefined {
  const [procs] = globSync(`/sys/fs/cgroup/{.,*}/${cgroups}/${name}/payload/cgroup.procs`);
  if (procs === undefined) throw new Error(`"${name}" has no cgroup.`);
  return () => {
    for (const pid of readFileSync(procs, 'utf8').split('\n').filter(Boolean)) {
      // Executed already, and not dead yet: before and after that its command line is another, or empty.
      if (
        /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('init')
      )
        return Number(pid);
    }
    return undefined;
  };
}

/** The value that a share of all stays under, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function row(what: string, values: readonly number[]): string {
  const [p50, p99, most] = [percentile(values, 0.5), percentile(values, 0.99), Math.max(...values)].map((ms) => ms.toFixed(0).padStart(6));
  return `${what.padEnd(46)} ${String(values.length).padStart(4)} ${p50} ${p99} ${most}`;
}
