// How long until what somebody changes on the host is told (the event `Drifted`) and put right, with COUNT instances running and nothing but
// events to look again for: one change after another, each of a fact of its own, and then one limit of every fourth instance at once.
// Ends with code 1 when a 99th percentile is over 1 s (told) or 3 s (put right). As root: node bench/drift.ts [count]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, release } from 'node:os';
import { join } from 'node:path';
import type { LockstepEvent } from '../src/core/events.ts';
import { cgroupDir } from '../src/core/names.ts';
import { TestHost } from '../test/host/harness.ts';
import { instance } from '../test/host/manifests.ts';
import { initFinder, percentile, row, until } from './latencies.ts';
import { allRunning, checkReallyRunning, prepare } from './lockstep-round.ts';
import { machine } from './machine.ts';

const COUNT = Number(process.argv[2] ?? 100);
const [TOLD_MS, REPAIRED_MS] = [1000, 3000];

interface Spoilt {
  readonly kind: string;
  /** Of the object. */
  readonly name: string;
  spoil(): void;
  holds(): boolean;
}

interface Measured {
  readonly told: number[];
  readonly repaired: number[];
}

function control(host: TestHost, name: string, kind: string, files: readonly string[], value: (file: string) => string): Spoilt {
  const [path] = files.flatMap((file) => globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(host.prefix, name)}/payload/${file}`));
  assert.ok(path, `${name} has ${files.join(' or ')}`);
  const meant = readFileSync(path, 'utf8');
  return { kind, name, spoil: () => writeFileSync(path, value(path)), holds: () => readFileSync(path, 'utf8') === meant };
}

function file(path: string, kind: string, name: string, spoil: (path: string) => void): Spoilt {
  const meant = readFileSync(path, 'utf8');
  return { kind, name, spoil: () => spoil(path), holds: () => existsSync(path) && readFileSync(path, 'utf8') === meant };
}

const limit = (host: TestHost, name: string): Spoilt => control(host, name, 'limit', ['pids.max'], () => '50');

const ofInstances: readonly ((host: TestHost, name: string) => Spoilt)[] = [
  limit,
  (host, name) =>
    control(host, name, 'freezer', ['freezer.state', 'cgroup.freeze'], (path) => (path.endsWith('freezer.state') ? 'FROZEN' : '1')),
  (host, name) => file(join(host.paths.instance(name), 'config'), 'lxc config', name, (path) => appendFileSync(path, '# changed\n')),
  (host, name) => file(join(host.paths.instance(name), 'instance.json'), 'record', name, (path) => rmSync(path)),
  (host, name) => {
    const find = initFinder(`${host.prefix}.lockstep`, name);
    const pid = find();
    assert.ok(pid !== undefined, `${name} runs`);
    return {
      kind: 'init',
      name,
      spoil: () => void process.kill(pid, 'SIGKILL'),
      holds: () => ![undefined, pid].includes(find()),
    };
  },
];

function ofNetwork(host: TestHost): Spoilt[] {
  const bridge = `${host.prefix}-lan`;
  const ports = readdirSync(`/sys/class/net/${bridge}/brif`).slice(0, 3);
  const mtu = (): string => readFileSync(`/sys/class/net/${bridge}/mtu`, 'utf8').trim();
  const rules = (): string => execFileSync('/usr/sbin/nft', ['list', 'ruleset'], { encoding: 'utf8' });
  return [1, 2, 3].flatMap((time) => [
    {
      kind: 'MTU',
      name: 'lan',
      spoil: () => void execFileSync('/usr/sbin/ip', ['link', 'set', 'dev', bridge, 'mtu', String(1400 + time)]),
      holds: () => mtu() === '1500',
    },
    {
      kind: 'NIC out of bridge',
      name: 'lan',
      spoil: () => void execFileSync('/usr/sbin/ip', ['link', 'set', 'dev', ports[time - 1]!, 'nomaster']),
      holds: () => existsSync(`/sys/class/net/${bridge}/brif/${ports[time - 1]}`),
    },
    {
      kind: 'firewall',
      name: 'lan',
      spoil: () => void execFileSync('/usr/sbin/nft', ['flush', 'table', 'inet', `lockstep_${host.prefix}`]),
      holds: () => rules().split(`table inet lockstep_${host.prefix}`)[1]?.includes('masquerade') === true,
    },
    file(join(host.paths.network(bridge), 'dnsmasq.hosts'), 'static leases', 'lan', (path) => rmSync(path)),
  ]);
}

/** When the daemon told of it (epoch ms). */
async function toldAt(host: TestHost, { name }: Spoilt, since: number): Promise<number | undefined> {
  const { body } = await host.get('/v1/events?limit=1000');
  const events = JSON.parse(body) as readonly LockstepEvent[] | { readonly events: readonly LockstepEvent[] };
  const list = 'events' in events ? events.events : events;
  return list.find((event) => event.reason === 'Drifted' && event.ref?.name === name && event.time >= since)?.time;
}

async function spoilAll(host: TestHost, facts: readonly Spoilt[], measured: Map<string, Measured>, kind?: string): Promise<void> {
  const since = Date.now();
  const waits = facts.map(async (fact) => {
    fact.spoil();
    // After it: a program that spoils takes its time itself.
    const begun = Date.now();
    const repaired = await until(`${fact.kind} of ${fact.name} is put right`, () => fact.holds());
    return { fact, begun, repaired };
  });
  const all = await Promise.all(waits);
  await host.eventually('all is Ready', async () => (await host.status()).settled);
  for (const { fact, begun, repaired } of all) {
    const told = await toldAt(host, fact, since);
    assert.ok(told !== undefined, `${fact.kind} of ${fact.name} was told`);
    const of = measured.get(kind ?? fact.kind) ?? { told: [], repaired: [] };
    measured.set(kind ?? fact.kind, of);
    of.told.push(Math.max(0, told - begun));
    of.repaired.push(repaired);
  }
}

console.log(`${COUNT} busybox instances, unprivileged, btrfs and bridge; ${machine()}, Linux ${release()}`);
let [told, repaired] = [Number.NaN, Number.NaN];
{
  await using host = new TestHost({ flags: ['--resync', '1h'], env: { LOCKSTEP_LOG: 'info' } });
  await prepare(host);
  const names = Array.from({ length: COUNT }, (_, index) => `c${index}`);
  host.write('b.yaml', names.map((name) => instance(name, 'config: { limits.processes: "100" }')).join(''));
  await allRunning(`${host.prefix}.lockstep`, names);
  await host.eventually('all are Ready', async () => (await host.status()).settled, 120_000);
  console.log(
    `load before: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  const measured = new Map<string, Measured>();
  for (const [index, name] of names.entries()) await spoilAll(host, [ofInstances[index % ofInstances.length]!(host, name)], measured);
  for (const fact of ofNetwork(host)) await spoilAll(host, [fact], measured);
  const every = names.filter((_, index) => index % 4 === 1).map((name) => limit(host, name));
  await spoilAll(host, every, measured, `${every.length} limits at once`);
  checkReallyRunning(`${host.prefix}.lockstep`, names);
  const heading = `${'n'.padStart(4)} ${'p50'.padStart(6)} ${'p99'.padStart(6)} ${'max'.padStart(6)}`;
  const total: Measured = { told: [], repaired: [] };
  for (const what of ['told', 'repaired'] as const) {
    console.log(`${(what === 'told' ? 'ms until it is told' : 'ms until it is put right').padEnd(46)} ${heading}`);
    for (const [kind, of] of measured) {
      console.log(row(`  ${kind}`, of[what]));
      total[what].push(...of[what]);
    }
    console.log(row('  all', total[what]));
  }
  console.log(
    `load after: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  [told, repaired] = [percentile(total.told, 0.99), percentile(total.repaired, 0.99)];
}
console.log(
  `p99: told after ${told.toFixed(0)} ms (at most ${TOLD_MS}), put right after ${repaired.toFixed(0)} ms (at most ${REPAIRED_MS})`,
);
process.exitCode = told <= TOLD_MS && repaired <= REPAIRED_MS ? 0 : 1;
