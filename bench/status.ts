// What answering costs with 1,000 objects: `GET /v1/status` and `GET /v1/objects` with live state, one `why`, and one scrape of the metrics.
// Real kinds and API over a host in memory, so that only the daemon's own work is measured. Needs no root.
//   node bench/status.ts [count]      default: 1000
// Limit: building the status and its JSON takes at most 20 ms of CPU per 1,000 objects; a scrape likewise.
import { setTimeout as sleep } from 'node:timers/promises';
import { createApi } from '../src/api/server.ts';
import { silentLog } from '../src/core/log.ts';
import { makeRef } from '../src/core/ref.ts';
import { kinds } from '../src/kinds/registry.ts';
import { Explainer } from '../src/reconciler/explain.ts';
import { metricsReading } from '../src/reconciler/metrics-reading.ts';
import { EventBus } from '../src/status/event-bus.ts';
import { Metrics } from '../src/status/metrics.ts';
import { Engine } from '../test/fakes/engine.ts';
import { MemoryHost } from '../test/fakes/memory-host.ts';
import { machine } from './machine.ts';

const RUNS = 31;
const LIMIT_MS = 20;

function manifest(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;
}

const FOUNDATION =
  manifest('StoragePool', 'fast', '{ driver: btrfs, config: { size: 100GiB } }') +
  manifest('Network', 'lan', '{ type: bridge, config: { ipv4.address: 10.20.0.1/16, ipv4.nat: "true" } }') +
  manifest('Image', 'busybox', '{ source: { build: { type: busybox } } }') +
  manifest('Profile', 'default', '{ devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }');

async function started(count: number): Promise<Engine> {
  const host = new MemoryHost();
  const engine = new Engine({ host, kinds });
  host.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as never));
  engine.source.files.set('base.yaml', FOUNDATION);
  for (let at = 0; at < count; at++) {
    engine.source.files.set(`i${at}.yaml`, manifest('Instance', `i${at}`, '{ image: busybox, config: { limits.memory: 64MiB } }'));
  }
  await engine.reconciler.start();
  const end = performance.now() + 120_000;
  while (!engine.control.status().settled) {
    if (performance.now() > end)
      throw new Error(`not all is ready: ${engine.control.status().objects.find((one) => one.summary !== 'Running')?.summary}`);
    await sleep(100);
  }
  return engine;
}

/** Median CPU milliseconds of one call. */
async function cpuMs(work: () => unknown): Promise<number> {
  const costs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1000);
  }
  return costs.toSorted((a, b) => a - b)[(RUNS - 1) / 2]!;
}

const count = Number(process.argv[2] ?? 1000);
console.log(machine());
const engine = await started(count);
const { reconciler, control, ledger, sources } = engine;
const explain = new Explainer({ reconciler, ledger, sources });
const metrics = new Metrics({
  version: 'bench',
  startedAt: 0,
  read: () => metricsReading({ reconciler, sources, ledger, queues: () => [] }),
});
const api = await createApi({
  control,
  explain,
  operations: { exec: () => Promise.reject(new Error('not here')) },
  hostShutdown: { start: async () => ({ instances: [] }), cancel: async () => {} },
  events: new EventBus(ledger),
  metrics: () => metrics.text(),
  log: silentLog,
  version: 'bench',
});
let slow = 0;
for (const [what, work, limit] of [
  ['status object', () => control.status(), LIMIT_MS],
  ['GET /v1/status', () => api.inject({ url: '/v1/status' }), LIMIT_MS],
  ['GET /v1/objects/Instance', () => api.inject({ url: '/v1/objects/Instance' }), LIMIT_MS],
  ['GET .../i0/why', () => explain.why(makeRef('Instance', 'i0')), LIMIT_MS / 4],
  ['GET /metrics', () => api.inject({ url: '/metrics' }), LIMIT_MS],
] as const) {
  const ms = await cpuMs(work);
  const allowed = (limit * Math.max(1000, count)) / 1000;
  if (ms > allowed) slow++;
  console.log(
    `${what.padEnd(26)} ${ms.toFixed(2).padStart(8)} ms CPU (median of ${RUNS}, ${count} instances), at most ${allowed} ms${ms > allowed ? '  TOO SLOW' : ''}`,
  );
}
metrics.close();
await api.close();
await reconciler.close();
process.exit(slow === 0 ? 0 : 1);
