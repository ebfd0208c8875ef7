// Does a crowd of objects that fail for ever slow down a healthy one? The time from a manifest to a healthy instance's Ready, with none
// and with 100 permanently failing objects, in turns. Fifty instances want a device that is not there, fifty images a file that is not
// there; all of them are tried again and again by the reconciler's own back-off. Ends with code 1 when the median is over the limit.
// As root: node bench/failing.ts [failing] [samples] [percent]
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { foundation, instance } from '../test/host/manifests.ts';
import { TestHost } from '../test/host/harness.ts';
import { ask } from './fleet.ts';
import { median } from './lockstep-round.ts';
import { line, machine, verdict } from './machine.ts';

const FAILING = Number(process.argv[2] ?? 100);
/** Of each kind, over four turns. */
const SAMPLES = Number(process.argv[3] ?? 40);
const PERCENT = Number(process.argv[4] ?? 10);
const TURNS = 4;

function failing(count: number): string {
  const missing = 'devices: { gone: { type: unix-char, source: /dev/lockstep-no-such-device, path: /dev/gone } }';
  const image = (at: number): string =>
    `apiVersion: lockstep/v1\nkind: Image\nmetadata: { name: gone${at} }\nspec: { source: { file: /var/tmp/lockstep-no-such-file-${at} } }\n---\n`;
  const half = Math.floor(count / 2);
  return Array.from({ length: count }, (_, at) => (at < half ? instance(`broken${at}`, missing) : image(at))).join('');
}

async function isReady(host: TestHost, name: string): Promise<boolean> {
  const { status, body } = await ask(host, 'GET', `/v1/objects/Instance/default/-/${name}`);
  if (status !== 200) return false;
  const object = JSON.parse(body) as { status: { conditions: readonly { type: string; status: string }[] } };
  return object.status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}

/** Milliseconds from the manifest to Ready; the instance goes on running, because deletions have a budget. */
async function healthy(host: TestHost, name: string): Promise<number> {
  const began = performance.now();
  host.write(`${name}.yaml`, instance(name));
  while (!(await isReady(host, name))) {
    if (performance.now() - began > 60_000) throw new Error(`"${name}" is not Ready after a minute.\n${host.log.slice(-4000)}`);
    await sleep(5);
  }
  const ms = performance.now() - began;
  // Its guest has booted.
  await sleep(500);
  return ms;
}

console.log(`${FAILING} failing objects, ${SAMPLES} samples of each; ${machine()}`);
const without: number[] = [];
const beside: number[] = [];
let failures = 0;
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'warn' } });
  host.write('a.yaml', foundation(host.prefix));
  await host.start();
  await host.waitReady();
  await healthy(host, 'first');
  let sample = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    for (let at = 0; at < SAMPLES / TURNS; at++) without.push(await healthy(host, `h${sample++}`));
    host.write('failing.yaml', failing(FAILING));
    const fail = async (): Promise<boolean> => (await host.status()).objects.filter(({ error }) => error !== undefined).length === FAILING;
    await host.eventually('all of them have failed', fail);
    for (let at = 0; at < SAMPLES / TURNS; at++) beside.push(await healthy(host, `h${sample++}`));
    assert.ok(await fail(), 'they go on failing');
    failures += FAILING;
    host.remove('failing.yaml');
    await host.lockstep('confirm', 'main', '--yes').catch(() => undefined);
    await host.eventually('they are gone', async () => {
      await host.lockstep('confirm', 'main', '--yes').catch(() => undefined);
      return (await host.status()).objects.every(({ error }) => error === undefined);
    });
  }
}
const more = (median(beside) / median(without) - 1) * 100;
line('manifest to Ready, nothing failing, median', median(without), 'ms', without.map((one) => one.toFixed(0)).join(' '));
line(`manifest to Ready beside ${FAILING} failing objects, median`, median(beside), 'ms', beside.map((one) => one.toFixed(0)).join(' '));
line('objects that failed, over all turns', failures, '');
line('difference', more, '%', `at most ${PERCENT}`);
verdict({ [`${FAILING} failing objects cost a healthy one at most ${PERCENT} %`]: more <= PERCENT });
