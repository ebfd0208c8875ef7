// Cost as work grows, at a step of ten: launching 10 times as many instances, a full round over 10 times as many, and one event (an init
// killed from outside, until another runs) among 10 times as many. Linear is ten times, and for the event once. Each has a constant part,
// which only helps; the limits leave room for noise. Ends with code 1 over them. As root: node bench/growth.ts [small] [rounds]
//
// Launched are the small number in a network, ten such networks, and all of the large number in one network, each next to what `lxc-start`
// makes of the same, since there the kernel's part grows with the square: every guest's broadcasts go to all ports of its bridge.
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
const ROUNDS = Number(process.argv[3] ?? 3);
const LINEAR = 12;
const SAME = 1.5;

interface Launch {
  readonly launchMs: number;
  readonly rawMs: number;
}

interface Cost {
  readonly roundMs: number;
  readonly eventMs: number;
  readonly eventCpuMs: number;
}

/** `ports` in each network. Leaves them running. */
async function launch(host: TestHost, count: number, ports: number): Promise<Launch> {
  host.write('a.yaml', fleetFoundation(host.prefix, count, ports));
  host.write('first.yaml', fleetInstance('first', 0, ports));
  await host.start();
  await host.waitReady();
  const { launchMs: rawMs } = await raw(host, 1, STOCK, count, (index) => `${host.prefix}-lan${Math.floor(index / ports)}`);
  await sleep(5000);
  const names = fleetNames(count);
  const began = performance.now();
  host.write('b.yaml', names.map((name, at) => fleetInstance(name, at, ports)).join(''));
  await allRunning(`${host.prefix}.lockstep`, names);
  const launchMs = performance.now() - began;
  await host.waitReady(120_000);
  checkRunning(host, names);
  return { launchMs, rawMs };
}

async function withHost<T>(work: (host: TestHost) => Promise<T>): Promise<T> {
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'warn' } });
  return await work(host);
}

/** Medians, each on a host of its own. */
async function launches(count: number, ports: number): Promise<Launch> {
  const each: Launch[] = [];
  for (let round = 0; round < ROUNDS; round++) each.push(await withHost((host) => launch(host, count, ports)));
  return { launchMs: median(each.map(({ launchMs }) => launchMs)), rawMs: median(each.map(({ rawMs }) => rawMs)) };
}

async function costs(host: TestHost, count: number): Promise<Cost> {
  await launch(host, count, PORTS);
  await sleep(15_000);
  const names = fleetNames(count);

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
    roundMs: median(rounds),
    eventMs: median(events),
    eventCpuMs: cpu.reduce((sum, one) => sum + one, 0) / cpu.length,
  };
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;

console.log(`${SMALL} and ${LARGE} instances, ${ROUNDS} rounds; ${machine()}`);
const launched = {
  small: await launches(SMALL, SMALL),
  large: await launches(LARGE, SMALL),
  together: await launches(LARGE, LARGE),
};
for (const [what, { launchMs, rawMs }] of Object.entries({
  [`${SMALL} in one network`]: launched.small,
  [`${LARGE} in ten networks`]: launched.large,
  [`${LARGE} in one network`]: launched.together,
})) {
  const growth = `${(launchMs / launched.small.launchMs).toFixed(2)} times`;
  line(
    `${what}: from the manifest to all RUNNING`,
    launchMs,
    'ms',
    `${growth}; lxc-start ${ms(rawMs)}, ${(rawMs / launched.small.rawMs).toFixed(2)} times`,
  );
}
const small = await withHost((host) => costs(host, SMALL));
const large = await withHost((host) => costs(host, LARGE));
const rows: [string, keyof Cost][] = [
  ['full round, median', 'roundMs'],
  ['an init killed until another runs, median', 'eventMs'],
  ['CPU of the daemon for that, mean', 'eventCpuMs'],
];
for (const [what, key] of rows) {
  line(`${what}, ${SMALL}`, small[key], 'ms');
  line(`${what}, ${LARGE}`, large[key], 'ms', `${(large[key] / small[key]).toFixed(2)} times`);
}
const growth = {
  ours: launched.together.launchMs / launched.small.launchMs,
  raw: launched.together.rawMs / launched.small.rawMs,
};
verdict({
  [`P8 launching ten networks of ${SMALL} takes at most ${LINEAR} times as long as one`]:
    launched.large.launchMs <= LINEAR * launched.small.launchMs,
  [`P8 launching ${LARGE} in one network grows at most ${LINEAR} times, or no more than lxc-start's`]:
    growth.ours <= Math.max(LINEAR, growth.raw),
  [`P8 launching ${LARGE} in one network takes no longer than with lxc-start`]: launched.together.launchMs <= launched.together.rawMs,
  [`P8 a full round grows at most ${LINEAR} times`]: large.roundMs <= LINEAR * small.roundMs,
  [`P8 an event takes at most ${SAME} times as long`]: large.eventMs <= SAME * small.eventMs,
  [`P8 an event costs at most twice the CPU`]: large.eventCpuMs <= 2 * Math.max(10, small.eventCpuMs),
});
