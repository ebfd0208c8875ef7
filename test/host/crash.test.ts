// The daemon is killed with SIGKILL while it works on the real host; the next one converges, and nothing is there twice or left behind.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { CrashBench } from './crash/bench.ts';
import { walk } from './crash/path.ts';
import { base, paths } from './crash/paths.ts';
import { foundation, instances } from './manifests.ts';

/** Emulated machines take seconds for each start. */
const COUNT = slowness > 1 ? 5 : 20;
/** `npm run test:crash` visits all boundaries of all paths; otherwise a sample of both is tried. */
const ALL = process.env['LOCKSTEP_CRASH'] === 'all';

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

  test(
    `at ${ALL ? 'every boundary' : 'boundaries'} of what each kind can be taken through`,
    { timeout: 3_600_000 * slowness },
    async (t) => {
      const bench = await CrashBench.open(t);
      bench.host.write('a.yaml', base(bench.host.prefix));
      await bench.start();
      await bench.settled('the foundation');
      const wanted = paths.filter(
        (path) => (ALL || path.sample !== undefined) && path.name.includes(process.env['LOCKSTEP_CRASH_ONLY'] ?? ''),
      );
      let sum = { boundaries: 0, kills: 0 };
      for (const path of wanted) {
        await t.test(path.name, async () => {
          const { boundaries, kills, seconds } = await walk(bench, path, ALL ? 1 : (path.sample ?? 1) * slowness);
          t.diagnostic(`${path.name}: ${kills} kills at ${boundaries} boundaries in ${seconds.toFixed(1)} s`);
          sum = { boundaries: sum.boundaries + boundaries, kills: sum.kills + kills };
        });
      }
      t.diagnostic(`${sum.kills} kills at ${sum.boundaries} boundaries of ${wanted.length} paths`);
    },
  );
});
