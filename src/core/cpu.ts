// CPU notations of LXD's limits.cpu and limits.cpu.allowance.
import { type Parsed, parsed, parsePercent, unexpected } from './units.ts';

/** Highest CPU number taken: the kernel's largest NR_CPUS is 8192. */
const MAX_CPU = 8191;

/** A number of CPUs to balance over, or a literal set of CPU numbers, ascending. */
export type CpuLimit = { readonly count: number } | { readonly set: readonly number[] };

/** `2` is a count; `0-3,5` is a set, and so is `2-2` (CPU 2 alone), as in LXD. */
export function parseCpuLimit(text: string): Parsed<CpuLimit> {
  if (/^\d{1,5}$/.test(text)) {
    const count = Number(text);
    if (count >= 1 && count <= MAX_CPU + 1) return parsed({ count });
    return unexpected('at least 1 CPU; leave the key out for all of them');
  }
  const set = parseCpuSet(text);
  return set.ok
    ? parsed({ set: set.value })
    : unexpected('a number of CPUs such as 2, or a set of CPUs such as 0-3,5 (2-2 is CPU 2 alone)');
}

export function formatCpuLimit(limit: CpuLimit): string {
  if ('count' in limit) return String(limit.count);
  const [only] = limit.set;
  return limit.set.length === 1 ? `${only}-${only}` : formatCpuSet(limit.set);
}

/** The kernel's list format (cpuset(7)): `0-3,5`. Ascending, each once. */
export function parseCpuSet(text: string): Parsed<readonly number[]> {
  const expected = 'a set of CPUs such as 0-3,5';
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part);
    if (!match) return unexpected(expected);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first > last || last > MAX_CPU) return unexpected(expected);
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return parsed([...cpus].toSorted((a, b) => a - b));
}

export function formatCpuSet(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < cpus.length;) {
    let end = at;
    while (cpus[end + 1] === cpus[end]! + 1) end++;
    parts.push(end === at ? `${cpus[at]}` : `${cpus[at]}-${cpus[end]}`);
    at = end + 1;
  }
  return parts.join(',');
}

/** A share under contention in percent, or hard: `quotaMs` of CPU time in every `periodMs`. */
export type CpuAllowance = { readonly percent: number } | { readonly quotaMs: number; readonly periodMs: number };

/** `50%` or `25ms/100ms`. The quota may exceed the period: more than one CPU. */
export function parseCpuAllowance(text: string): Parsed<CpuAllowance> {
  const expected = 'a share such as 50%, or a hard limit such as 25ms/100ms';
  const percent = parsePercent(text);
  if (percent.ok) return parsed({ percent: percent.value });
  const match = /^(\d{1,7})ms\/(\d{1,4})ms$/.exec(text);
  if (!match) return unexpected(expected);
  const quotaMs = Number(match[1]);
  const periodMs = Number(match[2]);
  // The kernel takes periods from 1 ms to 1 s and quotas from 1 ms (Documentation/scheduler/sched-bwc.rst).
  if (quotaMs < 1 || periodMs < 1 || periodMs > 1000) return unexpected(`${expected}, the period from 1ms to 1000ms`);
  return parsed({ quotaMs, periodMs });
}

export function formatCpuAllowance(allowance: CpuAllowance): string {
  return 'percent' in allowance ? `${allowance.percent}%` : `${allowance.quotaMs}ms/${allowance.periodMs}ms`;
}
