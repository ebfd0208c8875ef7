// The daemon is killed with SIGKILL while it works on the real host; the next one converges, and nothing is there twice or left behind.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance, instances } from './manifests.ts';

/** Emulated machines take seconds for each start. */
const COUNT = slowness > 1 ? 5 : 20;
/** Of the boundaries, every so many is tried. */
const STRIDE = slowness > 1 ? 8 : 1;

/** What is on the host for instances, whoever believes what: monitors, veths, volumes, directories. */
async function countedThings(host: TestHost): Promise<Record<string, number>> {
  const dump = await host.dump();
  const volumes = join(host.paths.pool('fast'), 'containers');
  return {
    monitors: dump.filter((line) => line.startsWith('process monitor ')).length,
    veths: dump.filter((line) => line.startsWith(`link ${host.prefix}v`)).length,
    volumes: readdirSync(volumes).length,
    directories: readdirSync(host.paths.instances).length,
  };
}

function all(count: number): Record<string, number> {
  return { monitors: count, veths: count, volumes: count, directories: count };
}

describe('kill -9 of the daemon', { skip: needsRoot }, () => {
  test(
    `amid ${COUNT} creates: the next start ends with exactly as many, and removing them leaves nothing`,
    { timeout: 240_000 * slowness },
    async (t) => {
      await using host = await startHost(t, { start: false });
      host.write('a.yaml', foundation(host.prefix));
      await host.start();
      await host.waitReady();
      const before = await host.dump();
      for (const afterMs of [60, 180, 330].map((ms) => ms * slowness)) {
        host.write('b.yaml', instances(COUNT));
        await sleep(afterMs);
        await host.kill9();
        await host.start();
        await host.waitReady();
        assert.deepEqual(await countedThings(host), all(COUNT), `killed after ${afterMs} ms`);

        host.remove('b.yaml');
        await host.eventually('the deletion asks to be confirmed, each time', async () => (await host.status()).confirmations.length === 1);
        assert.equal((await host.lockstep('confirm', 'main', '--yes')).code, 0);
        await sleep(afterMs);
        await host.kill9();
        await host.start();
        await host.waitReady();
        assert.deepEqual(await countedThings(host), all(0), `deletion killed after ${afterMs} ms`);
      }
      // Tombstones keep their id ranges; the prefix's own cgroup directory is made by the first start and stays.
      const comparable = (line: string): boolean => !line.startsWith('claim ') && !/^cgroup .*\.lockstep$/.test(line);
      assert.deepEqual((await host.dump()).filter(comparable), before.filter(comparable));
    },
  );

  test('at every boundary of making everything from nothing', { timeout: 400_000 * slowness }, async (t) => {
    const boundaries = await visitAll(t, undefined, (prefix) => ({ 'a.yaml': foundation(prefix, 'driver: dir') + instance('web') }));
    assert.ok(boundaries >= 20, `${boundaries} boundaries`);
  });

  test('at every boundary of a restart for a new setting', { timeout: 300_000 * slowness }, async (t) => {
    const boundaries = await visitAll(
      t,
      (prefix) => ({ 'a.yaml': foundation(prefix, 'driver: dir') + instance('web') }),
      (prefix) => ({ 'a.yaml': foundation(prefix, 'driver: dir') + instance('web', 'config: { security.nesting: "true" }') }),
    );
    assert.ok(boundaries >= 6, `${boundaries} boundaries`);
  });
});

type Files = (prefix: string) => Record<string, string>;

/** Goes from `before` to `after` killed at one boundary after the other, until a run ends without being killed; returns how many there are at most. */
async function visitAll(t: Parameters<typeof startHost>[0], before: Files | undefined, after: Files): Promise<number> {
  for (let killAt = 1; ; killAt += STRIDE) {
    await using host = await startHost(t, { start: false });
    if (before !== undefined) {
      for (const [file, text] of Object.entries(before(host.prefix))) host.write(file, text);
      await host.start();
      await host.waitReady();
      await host.stop();
    }
    for (const [file, text] of Object.entries(after(host.prefix))) host.write(file, text);
    host.spawnDaemon({ LOCKSTEP_FAULT: `kill@${killAt}` }, ['--once', '--timeout', `${60 * slowness}s`]);
    const code = await host.exited(90_000);
    if (code === 0) return killAt - 1;
    assert.equal(code, 128 + 9, `killed at boundary ${killAt}\n${host.log}`);
    await host.start();
    const status = await host.waitReady();
    assert.ok(status.objects.some((object) => object.ref.name === 'web'));
    assert.deepEqual((await host.dump()).filter((line) => line.startsWith('process monitor ')).length, 1, `after boundary ${killAt}`);
    const { stdout } = await host.lockstep('plan', '-o', 'json');
    assert.deepEqual((JSON.parse(stdout) as { changes: unknown[] }).changes, [], `the plan after boundary ${killAt} is empty`);
  }
}
