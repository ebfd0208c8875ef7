// From the start of the daemon to /readyz with many running instances: after an orderly end and after SIGKILL, in turn. Checked: every
// container runs on in the same process, and is Ready in the daemon's status. Ends with code 1 over the limit.
// As root: node bench/restart.ts [count] [rounds]
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestHost } from '../test/host/harness.ts';
import { ask, checkRunning, fleetNames, startFleet } from './fleet.ts';
import { median } from './lockstep-round.ts';
import { line, machine, verdict } from './machine.ts';
import { statSeconds } from './process.ts';

const COUNT = Number(process.argv[2] ?? 200);
const ROUNDS = Number(process.argv[3] ?? 6);
const LIMIT_MS = 1500;

console.log(`${COUNT} running instances, ${ROUNDS} starts; ${machine()}`);
const stopped: number[] = [];
const killed: number[] = [];
const cpu: number[] = [];
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'info' } });
  await startFleet(host, COUNT);
  const inits = checkRunning(host, fleetNames(COUNT));
  for (let round = 0; round < ROUNDS; round++) {
    const hard = round % 2 === 1;
    if (hard) await host.kill9();
    else await host.stop();
    const began = performance.now();
    host.spawnDaemon();
    while ((await ask(host, 'GET', '/readyz').catch(() => undefined))?.status !== 200) await sleep(5);
    (hard ? killed : stopped).push(performance.now() - began);
    cpu.push(statSeconds(host.daemonPid) * 1000);
    const { objects } = await host.status();
    const ready = objects.filter(
      ({ ref, conditions }) => ref.kind === 'Instance' && conditions.some((one) => one.type === 'Ready' && one.status === 'True'),
    );
    assert.equal(ready.length, COUNT, 'all are Ready at once');
    assert.deepEqual(checkRunning(host, fleetNames(COUNT)), inits, 'nothing was started again');
    await sleep(1000);
  }
}
const all = [...stopped, ...killed];
line('start to /readyz, median', median(all), 'ms', `at most ${LIMIT_MS}; ${all.map((one) => one.toFixed(0)).join(' ')}`);
line('the same after SIGKILL, median', median(killed), 'ms');
line('CPU until then, median', median(cpu), 'ms');
verdict({ 'P9 start until ready': median(all) <= LIMIT_MS });
