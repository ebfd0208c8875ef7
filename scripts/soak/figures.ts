// What a soak run measures of the daemon, from outside and from its metrics, and what becomes of it.
import { readdirSync, readFileSync } from 'node:fs';
import type { TestHost } from '../../test/host/harness.ts';

export interface Sample {
  /** Seconds since the run began, and since this daemon was started. */
  readonly at: number;
  readonly age: number;
  readonly life: number;
  readonly rssMiB: number;
  readonly fds: number;
  readonly threads: number;
  /** Longest delay of the event loop during rounds since the last sample. */
  readonly lagMs: number;
  /** Of a request that does nothing. */
  readonly answerMs: number;
}

/** Undefined while the daemon does not answer. */
export async function takeSample(host: TestHost, at: number, age: number, life: number): Promise<Sample | undefined> {
  try {
    const pid = host.daemonPid;
    const began = performance.now();
    if ((await host.get('/healthz')).status !== 200) return undefined;
    const answerMs = performance.now() - began;
    const { body } = await host.get('/metrics');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    const lag = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(body)?.[1];
    return {
      at,
      age,
      life,
      rssMiB: value('VmRSS') / 1024,
      fds: readdirSync(`/proc/${pid}/fd`).length,
      threads: value('Threads'),
      lagMs: Number(lag) * 1000,
      answerMs,
    };
  } catch {
    return undefined;
  }
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
