// A full round over many declared, running, unchanged instances: `POST /v1/sync` reads the sources again and looks at everything. Every
// source of events is off, so what is found is found by that look. Measured: wall time at the client, CPU time of the daemon and its
// helper. Checked: nothing on disk below the state directory is written meanwhile, nor anything in the ledger but the audit log's one
// entry for each request, which is the request's and not the round's; facts changed behind the daemon stay unnoticed until
// the next round, and that one finds and mends every one of them. Ends with code 1 over the limits, which are for 1,000 instances.
// As root: node bench/resync.ts [count] [rounds]
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestHost } from '../test/host/harness.ts';
import { ask, checkRunning, fleetNames, startFleet } from './fleet.ts';
import { median } from './lockstep-round.ts';
import { line, machine, verdict } from './machine.ts';
import { childrenOf, statSeconds } from './process.ts';

const COUNT = Number(process.argv[2] ?? 1000);
const ROUNDS = Number(process.argv[3] ?? 10);
const WALL_MS = 300;
const CPU_MS = 300;

/** Identity, size and times of every file below, so that a write to any of them shows. */
function stamps(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = lstatSync(path, { bigint: true });
    found.set(path, `${ino}:${size}:${mtimeNs}:${ctimeNs}`);
    const other = dev !== statSync(root, { bigint: true }).dev;
    if ((mode & 0o170000n) !== 0o040000n || other) return;
    for (const name of readdirSync(path)) visit(join(path, name));
  };
  visit(root);
  return found;
}

/** A digest of each table of the ledger; what the audit log keeps of requests is counted instead. */
function ledgerTables(path: string): { readonly digests: Map<string, string>; readonly audit: number } {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all() as {
      name: string;
    }[];
    const digests = new Map<string, string>();
    for (const { name } of names.filter((one) => one.name !== 'audit')) {
      const rows = db.prepare(`SELECT * FROM ${name}${name === 'meta' ? " WHERE key <> 'audit_head'" : ''}`).all();
      digests.set(`table ${name}`, createHash('sha256').update(JSON.stringify(rows)).digest('hex'));
    }
    return { digests, audit: (db.prepare('SELECT count(*) AS n FROM audit').get() as { n: number }).n };
  } finally {
    db.close();
  }
}

function cpuSeconds(host: TestHost): number {
  return [host.daemonPid, ...childrenOf(host.daemonPid)].reduce((sum, pid) => sum + statSeconds(pid), 0);
}

/** One changed fact: what it is, how to change it, and whether it is as it was. */
interface Fact {
  readonly what: string;
  readonly change: () => void;
  readonly mended: () => boolean;
}

function facts(host: TestHost): Fact[] {
  const memory = (name: string): string => {
    const v1 = readdirSync('/sys/fs/cgroup').includes('memory');
    const file = v1 ? 'memory.limit_in_bytes' : 'memory.max';
    return `/sys/fs/cgroup${v1 ? '/memory' : ''}/${host.prefix}.lockstep/${name}/payload/${file}`;
  };
  const file = (path: string, what: string): Fact => {
    const before = readFileSync(path, 'utf8');
    return { what, change: () => writeFileSync(path, `${before}# changed\n`), mended: () => readFileSync(path, 'utf8') === before };
  };
  const limit = (name: string): Fact => {
    const path = memory(name);
    const before = readFileSync(path, 'utf8');
    return {
      what: `the memory limit of ${name}`,
      change: () => writeFileSync(path, String(48 * 2 ** 20)),
      mended: () => readFileSync(path, 'utf8') === before,
    };
  };
  const killed = (name: string): Fact => {
    const [before = 0] = checkRunning(host, [name]);
    return {
      what: `the init of ${name}`,
      change: () => process.kill(before, 'SIGKILL'),
      mended: () => checkRunning(host, [name])[0] !== before,
    };
  };
  const at = (part: number): string => `c${Math.floor(COUNT * part)}`;
  const instance = (name: string, one: string): string => join(host.paths.instance(name), one);
  const gone = instance(at(0.55), 'instance.json');
  const record = readFileSync(gone, 'utf8');
  return [
    limit(at(0)),
    limit(at(0.2)),
    limit(at(0.4)),
    limit(at(0.99)),
    file(instance(at(0.1), 'config'), `the configuration of ${at(0.1)}`),
    file(instance(at(0.7), 'config'), `the configuration of ${at(0.7)}`),
    {
      what: `the record of ${at(0.55)}`,
      change: () => rmSync(gone),
      mended: () => existsSync(gone) && readFileSync(gone, 'utf8') === record,
    },
    killed(at(0.3)),
    killed(at(0.6)),
    killed(at(0.9)),
  ];
}

console.log(`${COUNT} running, unchanged instances; ${machine()}`);
const wall: number[] = [];
const cpu: number[] = [];
let written: string[];
let found = 0;
let changes: Fact[];
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'warn' } });
  await startFleet(host, COUNT);
  checkRunning(host, fleetNames(COUNT));
  await host.restart();
  await host.waitReady(120_000);
  await host.stop();
  await host.start({ LOCKSTEP_EVENTS: 'none' });
  await host.waitReady(120_000);
  // Guests have their addresses, outcomes of the start are written, compiled code is warm.
  await sleep(15_000);
  for (let warm = 0; warm < 3; warm++) await ask(host, 'POST', '/v1/sync');
  await sleep(2000);

  // Leases and logs are dnsmasq's and the guests' doing; the ledger is compared by its content.
  const ours = (): Map<string, string> => {
    const files = [...stamps(host.paths.stateDir)].filter(([path]) => !/\/(dnsmasq\.(leases|log)|log|ledger\.db.*)$|\.img$/.test(path));
    return new Map([...files, ...ledgerTables(host.paths.ledger).digests]);
  };
  const { audit } = ledgerTables(host.paths.ledger);
  const before = ours();
  assert.ok(before.size > 4 * COUNT, `${before.size} files`);
  for (let round = 0; round < ROUNDS; round++) {
    const began = cpuSeconds(host);
    const { ms, status, body } = await ask(host, 'POST', '/v1/sync');
    assert.deepEqual([status, body], [200, '{"settled":true}']);
    wall.push(ms);
    cpu.push((cpuSeconds(host) - began) * 1000);
    await sleep(500);
  }
  const after = ours();
  assert.equal(ledgerTables(host.paths.ledger).audit - audit, ROUNDS, 'the audit log has one entry for each request');
  written = [...new Set([...before.keys(), ...after.keys()])].filter((path) => before.get(path) !== after.get(path));

  changes = facts(host);
  for (const { change } of changes) change();
  await sleep(3000);
  for (const { what, mended } of changes.filter((one) => !/init/.test(one.what)))
    assert.equal(mended(), false, `${what} was noticed without a look`);
  await ask(host, 'POST', '/v1/sync');
  await host.eventually('what was found is mended', () => changes.every((one) => one.mended()), 20_000).catch(() => undefined);
  found = changes.filter((one) => one.mended()).length;
  for (const { what, mended } of changes) if (!mended()) console.log(`not found: ${what}`);
}
line('full round, wall, median', median(wall), 'ms', `at most ${WALL_MS}; ${wall.map((one) => one.toFixed(0)).join(' ')}`);
const meanCpu = cpu.reduce((sum, one) => sum + one, 0) / cpu.length;
line('full round, CPU of the daemon and its helper, mean', meanCpu, 'ms', `at most ${CPU_MS}`);
line('per instance and round', (median(wall) / COUNT) * 1000, 'us');
line('files and tables of the ledger written by all rounds', written.length, '', written.slice(0, 5).join(' '));
line(`of ${changes.length} facts changed behind the daemon, found by one round`, found, '');
verdict({
  'P3 wall time': median(wall) <= WALL_MS,
  'P3 CPU time': meanCpu <= CPU_MS,
  'P3 no writes': written.length === 0,
  'P3 every changed fact is found': found === changes.length,
});
