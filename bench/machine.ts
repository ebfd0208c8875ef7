// The machine a benchmark ran on, in a few words: figures are only worth something next to it.
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${availableParallelism()} cores of ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, load ${loadavg()[0]?.toFixed(1)}`;
}

/** One line of a result. */
export function line(what: string, value: number, unit: string, limit?: string): void {
  const text = Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
  console.log(`${what.padEnd(66)} ${text.padStart(8)} ${unit}${limit === undefined ? '' : `   (${limit})`}`);
}

/** Ends the benchmark's program with code 1 when a bar is missed; each is printed. */
export function verdict(bars: Readonly<Record<string, boolean>>): void {
  for (const [bar, met] of Object.entries(bars)) console.log(`${met ? 'met   ' : 'MISSED'} ${bar}`);
  process.exitCode = Object.values(bars).every(Boolean) ? 0 : 1;
}
