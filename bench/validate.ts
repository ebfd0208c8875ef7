// Manifests at speed: `lockstep validate` from a cold start, and what the daemon does with the same files in one process: read, parse,
// check, merge and resolve all of them from cold, then again after a change of one file. Needs no root.
//   node bench/validate.ts [count...]      default: 1000 10000
// CPU time is printed beside wall time: on a busy machine it is the one that says something.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { kinds } from '../src/kinds/registry.ts';
import { computeDesired, emptyDesiredCache } from '../src/reconciler/desired.ts';
import { DirectorySource } from '../src/sources/directory.ts';

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

function print(what: string, wallMs: number, cpuMs?: number, more = ''): void {
  const cpu = cpuMs === undefined ? '' : `${cpuMs.toFixed(0).padStart(6)} ms CPU`;
  console.log(`${what.padEnd(58)} ${wallMs.toFixed(0).padStart(6)} ms wall ${cpu} ${more}`);
}

async function measured<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const working = work();
  const blocking = !(working instanceof Promise);
  const result = await working;
  const wall = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await new Promise((resolve) => setTimeout(resolve, 20));
  delay.disable();
  const p99 = `event loop p99 ${(delay.percentile(99) / 1e6).toFixed(0)} ms, max ${(delay.max / 1e6).toFixed(0)} ms`;
  print(what, wall, (user + system) / 1000, blocking ? 'the event loop stands still meanwhile' : p99);
  return result;
}

function fromCold(directory: string, count: number): void {
  const lockstep = join(import.meta.dirname, '../bin/lockstep');
  for (let run = 0; run < 3; run++) {
    const began = performance.now();
    const { status, stdout } = spawnSync(lockstep, ['validate', directory], { encoding: 'utf8' });
    if (status !== 0 || !stdout.startsWith(`${count} files, ${count + 3} valid documents: no problems.`)) throw new Error(stdout);
    print(`lockstep validate, ${count} files, cold start`, performance.now() - began);
  }
}

async function inDaemon(directory: string, count: number): Promise<void> {
  const source = new DirectorySource('bench', directory);
  const cache = emptyDesiredCache();
  const signal = AbortSignal.timeout(300_000);
  const round = async (what: string): Promise<void> => {
    const snapshot = await measured(`${what}: read ${count} files`, async () => await source.read(signal));
    const { objects, problems } = await measured(`${what}: parse, check, merge, resolve`, () =>
      computeDesired([{ name: 'bench', snapshot }], [], kinds, cache),
    );
    if (objects.size !== count + 3 || problems.length > 0) throw new Error(`${objects.size} objects, ${problems.length} problems`);
  };
  await round('from cold');
  await round('nothing changed');
  writeFileSync(join(directory, 'g0/web-0.yaml'), instance(0, 3));
  await round('one file changed');
  await source.close();
}

console.log(`${cpus()[0]?.model}, ${cpus().length} CPUs, load ${loadavg()[0]?.toFixed(1)}, node ${process.version}`);
const counts = process.argv.slice(2).map(Number);
for (const count of counts.length > 0 ? counts : [1000, 10_000]) {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  try {
    write(directory, count);
    fromCold(directory, count);
    await inDaemon(directory, count);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
