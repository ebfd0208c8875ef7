// Manifests at speed: `lockstep validate` from a cold start; and in a process of its own what the daemon does with the same files: read,
// parse, check, merge, resolve and plan all of them from cold, then again after a change of one file. Needs no root.
//   node bench/validate.ts [count...]      default: 1000 10000
// Limits, for 10,000: 2 s from the start of the process to the plan, event loop late by less than 50 ms (p99) meanwhile, 50 ms after a change
// of one file; and ten times as many cost ten times as much. CPU time is printed beside wall time: on a busy machine it is the one that says something.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { makePaths } from '../src/core/paths.ts';
import type { RefKey } from '../src/core/ref.ts';
import { inSlices } from '../src/core/slices.ts';
import type { HostCapabilities } from '../src/host/ports/capabilities.ts';
import type { Observed, Recorded } from '../src/kinds/kind.ts';
import { kinds } from '../src/kinds/registry.ts';
import { desiredInSlices, type DesiredObject, emptyDesiredCache } from '../src/reconciler/desired.ts';
import { type ObjectPlan, planInSlices } from '../src/reconciler/plan.ts';
import { DirectorySource } from '../src/sources/directory.ts';
import { machine } from './machine.ts';

const HEAD = 'apiVersion: lockstep/v1\n';
const BASE = `${HEAD}kind: StoragePool
metadata: { name: fast }
spec: { driver: btrfs, config: { size: 20GiB } }
---
${HEAD}kind: Network
metadata: { name: lan }
spec: { config: { ipv4.address: 10.0.0.1/8, ipv4.nat: "true" } }
---
${HEAD}kind: Image
metadata: { name: debian }
spec: { source: { build: { type: busybox } } }
---
${HEAD}kind: Profile
metadata: { name: default }
spec: { devices: { root: { type: disk, path: /, pool: fast } } }
`;

function instance(at: number, cpu = 2): string {
  return `${HEAD}kind: Instance
metadata:
  name: web-${at}
  labels: { app: shop, tier: web }
spec:
  image: debian
  config:
    limits.cpu: "${cpu}"
    limits.memory: 512MiB
    environment.INDEX: "${at}"
  devices:
    eth0: { type: nic, network: lan, ipv4.address: 10.${1 + (at >> 16)}.${(at >> 8) & 255}.${at & 255} }
`;
}

function write(directory: string, count: number): void {
  writeFileSync(join(directory, 'base.yaml'), BASE);
  for (let at = 0; at < count - 1; at++) {
    const group = join(directory, `g${Math.floor(at / 100)}`);
    if (at % 100 === 0) mkdirSync(group);
    writeFileSync(join(group, `web-${at}.yaml`), instance(at));
  }
}

interface Figures {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly lateMs: number;
  /** After a change of one file: reading all of them again, and the rest. */
  readonly rereadMs: number;
  readonly changedMs: number;
  readonly changedCpuMs: number;
}

interface Round {
  readonly planned: readonly ObjectPlan[];
  readonly changed: number;
  readonly readMs: number;
  readonly restMs: number;
  readonly restCpuMs: number;
}

function fromCold(directory: string, count: number): number {
  const lockstep = join(import.meta.dirname, '../bin/lockstep');
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    const began = performance.now();
    const { status, stdout } = spawnSync(lockstep, ['validate', directory], { encoding: 'utf8' });
    if (status !== 0 || !stdout.startsWith(`${count} files, ${count + 3} valid documents: no problems.`)) throw new Error(stdout);
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b)[1]!;
}

/** In a process of its own: its clock began when it was started. */
async function likeTheDaemon(directory: string, count: number): Promise<Figures> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const source = new DirectorySource('bench', directory);
  const cache = emptyDesiredCache();
  let objects: ReadonlyMap<RefKey, DesiredObject> = new Map();
  const round = async (): Promise<Round> => {
    const began = performance.now();
    const snapshot = await source.read(AbortSignal.timeout(300_000));
    const readMs = performance.now() - began;
    const before = process.cpuUsage();
    const desired = await inSlices(desiredInSlices([{ name: 'bench', snapshot }], [], kinds, cache, objects));
    if (desired.objects.size !== count + 3 || desired.problems.length > 0) throw new Error(`${desired.objects.size} objects`);
    const changed = [...desired.objects.values()].filter((object) => objects.get(object.key) !== object);
    objects = desired.objects;
    const planned = await inSlices(planInSlices(planInput(changed, objects)));
    const cpu = process.cpuUsage(before);
    return {
      planned,
      changed: changed.length,
      readMs,
      restMs: performance.now() - began - readMs,
      restCpuMs: (cpu.user + cpu.system) / 1000,
    };
  };
  delay.enable();
  const first = await round();
  const wallMs = performance.now();
  const { user, system } = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 20));
  delay.disable();
  if (first.planned.filter(({ steps, held }) => steps.length + held.length > 0).length !== count + 2) throw new Error('not all is planned');

  const rounds: Round[] = [];
  for (let change = 0; change < 9; change++) {
    writeFileSync(join(directory, 'g0/web-0.yaml'), instance(0, 3 + change));
    const one = await round();
    rounds.push(one);
    if (one.changed !== 1 || one.planned.length !== 1) throw new Error(`${one.changed} objects changed`);
  }
  await source.close();
  return {
    wallMs,
    cpuMs: (user + system) / 1000,
    lateMs: delay.percentile(99) / 1e6,
    rereadMs: median(rounds.map(({ readMs }) => readMs)),
    changedMs: median(rounds.map(({ restMs }) => restMs)),
    changedCpuMs: median(rounds.map(({ restCpuMs }) => restCpuMs)),
  };
}

/** On a host where nothing is there yet. */
function planInput(changed: readonly DesiredObject[], objects: ReadonlyMap<RefKey, DesiredObject>): Parameters<typeof planInSlices>[0] {
  const absent: Observed<unknown> = { is: 'absent' };
  const taken = new Set<string>();
  return {
    kinds,
    keys: changed.map((object) => object.key),
    desired: objects,
    observed: { get: () => absent },
    recorded: { get: (key) => recordedOf(objects.get(key)!) },
    readiness: new Map(),
    mayDelete: new Set(),
    deleteWaits: new Map(),
    dependants: () => [],
    facts: {
      now: 0,
      bootId: 'bench',
      prefix: 'ls',
      retention: { ms: 24 * 3600_000, share: 0.1 },
      paths: makePaths('/var/lib/lockstep', '/run/lockstep'),
      host: HOST,
      taken: () => taken,
      tombstones: () => [],
    },
  };
}

function recordedOf({ ref, key, source }: DesiredObject): Recorded {
  const rest = { applied: undefined, protected: false, waiting: undefined, exits: [], startedAt: undefined, firstLookSinceBoot: false };
  return { uid: key, ref, source, allocations: new Map(), ...rest };
}

// What planning asks of the host: its ids.
const HOST = { ids: { first: 1_000_000, count: 1_000_000_000 } } as HostCapabilities;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function row(what: string, wallMs: number, more = ''): void {
  console.log(`${what.padEnd(66)} ${wallMs.toFixed(0).padStart(6)} ms ${more}`);
}

function inOwnProcess(directory: string, count: number): Figures {
  const { status, stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, '--child', directory, String(count)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Figures;
}

function compare(counts: readonly number[]): boolean {
  console.log(machine());
  const all: Figures[] = [];
  for (const count of counts) {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
    try {
      write(directory, count);
      row(`lockstep validate, ${count} files, cold start`, fromCold(directory, count));
      const figures = inOwnProcess(directory, count);
      all.push(figures);
      row(
        `${count} files from a cold start to the plan`,
        figures.wallMs,
        `${figures.cpuMs.toFixed(0)} ms CPU, event loop late by ${figures.lateMs.toFixed(0)} ms (p99)`,
      );
      row(
        'one file changed: parse, check, merge, plan',
        figures.changedMs,
        `${figures.changedCpuMs.toFixed(0)} ms CPU; reading before that ${figures.rereadMs.toFixed(0)} ms`,
      );
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  const last = all.at(-1)!;
  return last.wallMs <= 2000 && last.lateMs < 50 && last.changedMs <= 50;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--child') {
  console.log(JSON.stringify(await likeTheDaemon(rest[0]!, Number(rest[1]))));
} else {
  const counts = process.argv.slice(2).map(Number);
  process.exitCode = compare(counts.length > 0 ? counts : [1000, 10_000]) ? 0 : 1;
}
