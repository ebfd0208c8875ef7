// The one table from limits to control files, for cgroup v1 (hybrid) and v2. Pure: what to write, in which order, and how to tell
// whether a value read back is the one that was meant. Semantics are LXD's; on v2 Incus' where they differ (no automatic memory.low,
// which would be a protection, not a limit).
import { type CpuAllowance, type CpuLimit, formatCpuSet, parseCpuSet } from '../../core/cpu.ts';
import { sha256Hex } from '../../core/hash.ts';
import type { SizeOrPercent } from '../../core/units.ts';
import type { HostCapabilities } from '../ports/capabilities.ts';

export interface LimitSpec {
  readonly cpu?: CpuLimit;
  readonly cpuAllowance?: CpuAllowance;
  /** 0 to 10; 10 (the highest) changes nothing. */
  readonly cpuPriority?: number;
  readonly memory?: SizeOrPercent;
  /** Default hard. */
  readonly memoryEnforce?: 'hard' | 'soft';
  /** False: never swap. Default: no swap beyond the memory limit either, as in LXD. */
  readonly memorySwap?: boolean;
  readonly processes?: number;
}

/** What of the host the knobs depend on. */
export type KnobHost = Pick<HostCapabilities, 'cgroup' | 'controllers' | 'swapAccounting' | 'memoryBytes' | 'cpus'>;

export interface Knob {
  readonly file: string;
  readonly value: string;
}

export interface KnobWrite {
  readonly file: string;
  /** As read; undefined when it was not. */
  readonly from: string | undefined;
  readonly to: string;
}

type Notation = 'bytes' | 'number' | 'cpus' | 'bandwidth';

interface KnobRow {
  readonly controller: string;
  readonly hybrid: string | undefined;
  readonly v2: string | undefined;
  readonly notation: Notation;
  /** What the file says when nothing is limited. */
  readonly unlimited: { readonly hybrid: string; readonly v2: string };
  /** The manifest's key, for people. */
  readonly key: string;
}

const max = { hybrid: '-1', v2: 'max' };

const TABLE = {
  memory: {
    controller: 'memory',
    hybrid: 'memory.limit_in_bytes',
    v2: 'memory.max',
    notation: 'bytes',
    unlimited: max,
    key: 'limits.memory',
  },
  swap: {
    controller: 'memory',
    hybrid: 'memory.memsw.limit_in_bytes',
    v2: 'memory.swap.max',
    notation: 'bytes',
    unlimited: max,
    key: 'limits.memory.swap',
  },
  softMemory: {
    controller: 'memory',
    hybrid: 'memory.soft_limit_in_bytes',
    v2: 'memory.low',
    notation: 'bytes',
    unlimited: { hybrid: '-1', v2: '0' },
    key: 'limits.memory.enforce',
  },
  swappiness: {
    controller: 'memory',
    hybrid: 'memory.swappiness',
    v2: undefined,
    notation: 'number',
    unlimited: { hybrid: '60', v2: '' },
    key: 'limits.memory.swap',
  },
  cpus: {
    controller: 'cpuset',
    hybrid: 'cpuset.cpus',
    v2: 'cpuset.cpus',
    notation: 'cpus',
    unlimited: { hybrid: '', v2: '' },
    key: 'limits.cpu',
  },
  weight: {
    controller: 'cpu',
    hybrid: 'cpu.shares',
    v2: 'cpu.weight',
    notation: 'number',
    unlimited: { hybrid: '1024', v2: '100' },
    key: 'limits.cpu.allowance',
  },
  period: {
    controller: 'cpu',
    hybrid: 'cpu.cfs_period_us',
    v2: undefined,
    notation: 'number',
    unlimited: { hybrid: '100000', v2: '' },
    key: 'limits.cpu.allowance',
  },
  quota: {
    controller: 'cpu',
    hybrid: 'cpu.cfs_quota_us',
    v2: undefined,
    notation: 'number',
    unlimited: { hybrid: '-1', v2: '' },
    key: 'limits.cpu.allowance',
  },
  bandwidth: {
    controller: 'cpu',
    hybrid: undefined,
    v2: 'cpu.max',
    notation: 'bandwidth',
    unlimited: { hybrid: '', v2: 'max 100000' },
    key: 'limits.cpu.allowance',
  },
  processes: {
    controller: 'pids',
    hybrid: 'pids.max',
    v2: 'pids.max',
    notation: 'number',
    unlimited: { hybrid: 'max', v2: 'max' },
    key: 'limits.processes',
  },
} satisfies Record<string, KnobRow>;

type KnobName = keyof typeof TABLE;

function rowOf(name: KnobName): KnobRow {
  return TABLE[name];
}

const BY_FILE: ReadonlyMap<string, KnobRow> = new Map(
  Object.values(TABLE).flatMap((row: KnobRow) =>
    [row.hybrid, row.v2].flatMap((file) => (file === undefined ? [] : [[file, row] as const])),
  ),
);

/**
 * Control files and values for these limits, in the order in which they may be written to a cgroup without limits. Limits whose controller
 * the host has not are left out: `limitGaps` names them. `seed` (the instance's uid) decides which CPUs a count means.
 */
export function limitKnobs(limits: LimitSpec, host: KnobHost, seed: string): Knob[] {
  const knobs: Knob[] = [];
  for (const [name, value] of limitValues(limits, host, seed)) {
    const file = usableFile(rowOf(name), host);
    if (file !== undefined) knobs.push({ file, value });
  }
  return knobs;
}

/** Manifest keys of limits that this host cannot enforce, each once. */
export function limitGaps(limits: LimitSpec, host: KnobHost): string[] {
  const gaps = new Set<string>();
  for (const [name] of limitValues(limits, host, '')) {
    const row = rowOf(name);
    if (row[host.cgroup] !== undefined && !host.controllers.has(row.controller)) gaps.add(row.key);
  }
  const cpus = new Set(host.cpus);
  if (limits.cpu !== undefined && 'set' in limits.cpu && limits.cpu.set.some((cpu) => !cpus.has(cpu))) gaps.add('limits.cpu');
  return [...gaps];
}

/** What a file says when nothing is limited; undefined for a file that is not ours to reset. */
export function unlimitedValue(file: string, host: KnobHost): string | undefined {
  const row = BY_FILE.get(file);
  if (row === undefined) return undefined;
  return row.notation === 'cpus' ? formatCpuSet(host.cpus) : row.unlimited[host.cgroup];
}

function usableFile(row: KnobRow, host: KnobHost): string | undefined {
  if (!host.controllers.has(row.controller)) return undefined;
  if (row === TABLE.swap && !host.swapAccounting) return undefined;
  return row[host.cgroup];
}

function* limitValues(limits: LimitSpec, host: KnobHost, seed: string): Generator<readonly [KnobName, string]> {
  yield* memoryValues(limits, host);
  if (limits.cpu !== undefined) yield ['cpus', formatCpuSet(chooseCpus(limits.cpu, host.cpus, seed))];
  yield* cpuTimeValues(limits, host);
  if (limits.processes !== undefined) yield ['processes', String(limits.processes)];
}

function* memoryValues(limits: LimitSpec, host: KnobHost): Generator<readonly [KnobName, string]> {
  const v1 = host.cgroup === 'hybrid';
  if (limits.memorySwap === false && v1) yield ['swappiness', '0'];
  if (limits.memory === undefined) {
    if (limits.memorySwap === false && !v1) yield ['swap', '0'];
    return;
  }
  const bytes = 'bytes' in limits.memory ? limits.memory.bytes : Math.floor((host.memoryBytes * limits.memory.percent) / 100);
  if (limits.memoryEnforce === 'soft') {
    yield ['softMemory', String(bytes)];
    return;
  }
  yield ['memory', String(bytes)];
  // v1 counts memory and swap together, v2 swap alone; both say: no swap beyond the limit (LXD's default).
  yield ['swap', v1 ? String(bytes) : '0'];
  if (v1) yield ['softMemory', String(Math.floor(bytes * 0.9))];
}

function* cpuTimeValues({ cpuAllowance, cpuPriority }: LimitSpec, host: KnobHost): Generator<readonly [KnobName, string]> {
  const percent = cpuAllowance !== undefined && 'percent' in cpuAllowance ? cpuAllowance.percent : 100;
  const below = 10 - (cpuPriority ?? 10);
  const base = host.cgroup === 'hybrid' ? 1024 : 100;
  const weight = Math.max(host.cgroup === 'hybrid' ? 2 : 1, Math.floor((base * percent) / 100) - below);
  if (weight !== base) yield ['weight', String(weight)];
  if (cpuAllowance === undefined || 'percent' in cpuAllowance) return;
  const quotaUs = cpuAllowance.quotaMs * 1000;
  const periodUs = cpuAllowance.periodMs * 1000;
  yield ['period', String(periodUs)];
  yield ['quota', String(quotaUs)];
  yield ['bandwidth', `${quotaUs} ${periodUs}`];
}

/**
 * A set is taken as it is. A count means that many neighbours among the host's CPUs, starting at one that the seed decides: the same at
 * every start, and spread over instances (LXD balances by load instead).
 */
export function chooseCpus(limit: CpuLimit, online: readonly number[], seed: string): readonly number[] {
  if ('set' in limit) return limit.set;
  if (limit.count >= online.length) return online;
  const offset = Number.parseInt(sha256Hex(seed).slice(0, 8), 16) % online.length;
  const chosen = Array.from({ length: limit.count }, (_, at) => online[(offset + at) % online.length]!);
  return chosen.toSorted((a, b) => a - b);
}

const PAGE = 4096;
/** v1 says "unlimited" as the largest multiple of a page that fits (PAGE_COUNTER_MAX); anything this large is meant. */
const HUGE = 2 ** 62;

/** Does a control file that was set to `meant` say so? The kernel rounds memory down to pages and writes "unlimited" its own way. */
export function sameKnobValue(file: string, read: string, meant: string): boolean {
  const row = BY_FILE.get(file);
  const a = read.trim();
  const b = meant.trim();
  if (a === b) return true;
  if (row?.notation === 'bytes') return normalBytes(a) === normalBytes(b);
  if (row?.notation === 'cpus') return normalCpus(a) === normalCpus(b);
  if (row?.notation === 'bandwidth') return a.split(/\s+/).join(' ') === b.split(/\s+/).join(' ');
  return false;
}

function normalBytes(text: string): string {
  if (text === 'max' || text.startsWith('-')) return 'max';
  const value = Number(text);
  return value >= HUGE ? 'max' : String(Math.floor(value / PAGE) * PAGE);
}

function normalCpus(text: string): string {
  const set = parseCpuSet(text);
  return set.ok ? formatCpuSet(set.value) : text;
}

/** Differences between meant and read values, in the order in which the kernel takes them. Files that were not read are written. */
export function knobWrites(meant: readonly Knob[], read: ReadonlyMap<string, string>): KnobWrite[] {
  const writes: KnobWrite[] = [];
  for (const { file, value } of meant) {
    const from = read.get(file)?.trim();
    if (from !== undefined && sameKnobValue(file, from, value)) continue;
    writes.push({ file, from, to: value });
  }
  return orderWrites(writes, read);
}

/**
 * v1 refuses a memory limit above the memory+swap limit and the other way round (EINVAL, Documentation/admin-guide/cgroup-v1/memory.rst):
 * memory+swap goes first when the limit rises, last when it falls.
 */
function orderWrites(writes: readonly KnobWrite[], read: ReadonlyMap<string, string>): KnobWrite[] {
  const limit = writes.find((write) => write.file === TABLE.memory.hybrid);
  const swap = writes.find((write) => write.file === TABLE.swap.hybrid);
  if (limit === undefined || swap === undefined) return [...writes];
  const before = read.get(limit.file);
  const rises = before !== undefined && asNumber(limit.to) > asNumber(before);
  const rest = writes.filter((write) => write !== limit && write !== swap);
  return rises ? [swap, limit, ...rest] : [limit, swap, ...rest];
}

function asNumber(text: string): number {
  const normal = normalBytes(text.trim());
  return normal === 'max' ? Number.POSITIVE_INFINITY : Number(normal);
}
