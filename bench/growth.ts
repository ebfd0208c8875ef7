// Cost as work grows, at a step of ten: launching 10 times as many instances (next to what `lxc-start` makes of it), a full round over 10 times as many, and one event (an init
// killed from outside, until another runs) among 10 times as many. Linear is ten times, and for the event once. Each has a constant part,
// which only helps; the limits leave room for noise. Ends with code 1 over them. As root: node bench/growth.ts [small]
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestHost } from '../test/host/harness.ts';
import { ask, cgroupRoot, checkRunning, fleetFoundation, fleetInstance, fleetNames, initOf, PORTS } from './fleet.ts';
import { allRunning, median } from './lockstep-round.ts';
import { line, machine, verdict } from './machine.ts';
import { statSeconds } from './process.ts';
import { raw, STOCK } from './raw-launch.ts';

const SMALL = Number(process.argv[2] ?? 50);
const LARGE = 10 * SMALL;
const LINEAR = 12;
const SAME = 1.5;

interface Cost {
  readonly launchMs: number;
  readonly rawMs: number;
  readonly roundMs: number;
  readonly eventMs: number;
  readonly eventCpuMs: number;
}

async function costs(count: number): Promise<Cost> {
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'warn' } });
  host.write('a.yaml', fleetFoundation(host.prefix, LARGE));
  host.write('first.yaml', fleetInstance('first', 0));
  await host.start();
  await host.waitReady();
  // The kernel's own part of a start grows: more ports get every broadcast, more groups and mounts are there.
  const { launchMs: rawMs } = await raw(host, 1, STOCK, count, (index) => `${host.prefix}-lan${Math.floor(index / PORTS)}`);
  await sleep(5000);
  const names = fleetNames(count);
  const began = performance.now();
  host.write('b.yaml', names.map((name, at) => fleetInstance(name, at)).join(''));
  await allRunning(`${host.prefix}.lockstep`, names);
  const launchMs = performance.now() - began;
  await host.waitReady(120_000);
  checkRunning(host, names);
  await sleep(15_000);

  const rounds: number[] = [];
  for (let at = 0; at < 7; at++) {
    rounds.push((await ask(host, 'POST', '/v1/sync')).ms);
    await sleep(300);
  }
  const events: number[] = [];
  const cpu: number[] = [];
  for (let at = 0; at < 15; at++) {
    const name = names[(at * 7) % count]!;
    const [init = 0] = checkRunning(host, [name]);
    const cpuBefore = statSeconds(host.daemonPid);
    const killed = performance.now();
    process.kill(init, 'SIGKILL');
    for (let now = initOf(`${cgroupRoot()}/${host.prefix}.lockstep`, name); now === undefined || now === init;) {
      assert.ok(performance.now() - killed < 30_000, `"${name}" runs again`);
      await sleep(2);
      now = initOf(`${cgroupRoot()}/${host.prefix}.lockstep`, name);
    }
    events.push(performance.now() - killed);
    await sleep(1500);
    cpu.push((statSeconds(host.daemonPid) - cpuBefore) * 1000);
  }
  return {
    launchMs,
    rawMs,
    roundMs: median(rounds),
    eventMs: median(events),
    eventCpuMs: cpu.reduce((sum, one) => sum + one, 0) / cpu.length,
  };
}

console.log(`${SMALL} and ${LARGE} instances; ${machine()}`);
const small = await costs(SMALL);
const large = await costs(LARGE);
const rows: [string, keyof Cost][] = [
  ['raw: snapshot and lxc-start, stock includes, width 8', 'rawMs'],
  ['from the manifest to all RUNNING', 'launchMs'],
  ['full round, median', 'roundMs'],
  ['an init killed until another runs, median', 'eventMs'],
  ['CPU of the daemon for that, mean', 'eventCpuMs'],
];
for (const [what, key] of rows) {
  line(`${what}, ${SMALL}`, small[key], 'ms');
  line(`${what}, ${LARGE}`, large[key], 'ms', `${(large[key] / small[key]).toFixed(2)} times`);
}
const growth = { ours: large.launchMs / small.launchMs, raw: large.rawMs / small.rawMs };
verdict({
  [`P8 launching grows at most ${LINEAR} times, or no more than lxc-start's`]: growth.ours <= Math.max(LINEAR, growth.raw),
  [`P8 a full round grows at most ${LINEAR} times`]: large.roundMs <= LINEAR * small.roundMs,
  [`P8 an event takes at most ${SAME} times as long`]: large.eventMs <= SAME * small.eventMs,
  [`P8 an event costs at most twice the CPU`]: large.eventCpuMs <= 2 * Math.max(10, small.eventCpuMs),
});
