// What a soak run measures of the daemon, from outside and from its metrics, and what becomes of it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { TestHost } from '../../test/host/harness.ts';

export interface Sample {
  /** Seconds since the run began, and since this daemon was started. */
  readonly at: number;
  readonly age: number;
  readonly life: number;
  readonly rssMiB: number;
  /** What is in use of the JS heap, garbage included. */
  readonly heapMiB: number;
  readonly fds: number;
  /** The same by what they are. */
  readonly fdKinds: ReadonlyMap<string, number>;
  /** Instances that are declared: a running one costs two files, of its init and of its monitor. */
  readonly instances: number;
  readonly threads: number;
  /** Longest delay of the event loop during rounds since the last sample. */
  readonly lagMs: number;
  /** Of a request that does nothing. */
  readonly answerMs: number;
}

/** Undefined while the daemon does not answer. */
export async function takeSample(
  host: TestHost,
  { at, age, life, instances }: Pick<Sample, 'at' | 'age' | 'life' | 'instances'>,
): Promise<Sample | undefined> {
  try {
    const pid = host.daemonPid;
    const began = performance.now();
    if ((await host.get('/healthz')).status !== 200) return undefined;
    const answerMs = performance.now() - began;
    const { body } = await host.get('/metrics');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const fdKinds = openFiles(pid);
    const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
    return {
      at,
      age,
      life,
      instances,
      rssMiB: value('VmRSS') / 1024,
      heapMiB: metric('nodejs_heap_size_used_bytes') / 1024 ** 2,
      fds: fdKinds.values().reduce((sum, one) => sum + one, 0),
      fdKinds,
      threads: value('Threads'),
      lagMs: metric('nodejs_eventloop_lag_max_seconds') * 1000,
      answerMs,
    };
  } catch {
    return undefined;
  }
}

function openFiles(pid: number): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:?\[?\d+\]?$/, '');
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    } catch {
      // Closed meanwhile.
    }
  }
  return kinds;
}

/** Change per hour, by least squares. */
export function slopePerHour(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const meanX = mean(samples.map((sample) => sample.at));
  const meanY = mean(samples.map(of));
  const over = samples.reduce((sum, sample) => sum + (sample.at - meanX) * (of(sample) - meanY), 0);
  const under = samples.reduce((sum, sample) => sum + (sample.at - meanX) ** 2, 0);
  return under === 0 ? 0 : (over / under) * 3600;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
