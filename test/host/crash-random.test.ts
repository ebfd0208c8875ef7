// The daemon is killed at random points in time, while it starts and while it works, with what is declared changing at random. Now and then
// it is left alone: then everything must be there once, and nothing else. LOCKSTEP_SEED repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded, seedFromEnvironment } from '../../scripts/seeded-random.ts';
import { CrashBench } from './crash/bench.ts';
import { base } from './crash/paths.ts';
import { checkCounts, randomState } from './crash/workload.ts';
import { needsRoot, slowness } from './harness.ts';

const KILLS = process.env['LOCKSTEP_CRASH'] === 'all' ? 200 : 14;
/** How many kills between two looks. */
const ROUND = 7;

test(`kill -9 at ${KILLS} random points in time`, { skip: needsRoot, timeout: 1_800_000 * slowness }, async (t) => {
  const random = seeded(seedFromEnvironment());
  t.diagnostic(`LOCKSTEP_SEED=${random.seed}`);
  const bench = await CrashBench.open(t);
  const { host } = bench;
  host.write('a.yaml', base(host.prefix));
  await bench.start();
  await bench.settled('the foundation');
  const before = await bench.check('the foundation');
  await host.kill9();

  let wanted = randomState(random, host);
  let kills = 0;
  const began = performance.now();
  while (kills < KILLS) {
    for (let inRound = 0; inRound < ROUND && kills < KILLS; inRound++) {
      if (random.chance(0.6)) {
        wanted = randomState(random, host);
        host.write('a.yaml', wanted.text);
      }
      bench.spawn();
      await sleep((random.chance(0.25) ? random.between(0, 400) : random.between(300, 1600)) * slowness);
      assert.equal(host.ended, false, `the daemon ended by itself\n${host.log.split('\n').slice(-20).join('\n')}`);
      await host.kill9();
      kills++;
    }
    const what = `after ${kills} kills (LOCKSTEP_SEED=${random.seed})`;
    host.write('a.yaml', wanted.text);
    await bench.start();
    await bench.settled(what);
    checkCounts(wanted, await bench.check(what), what);
    await host.kill9();
  }
  t.diagnostic(`${kills} kills in ${((performance.now() - began) / 1000).toFixed(1)} s`);

  host.write('a.yaml', base(host.prefix));
  await bench.start();
  await bench.settled('the end');
  const after = await bench.check('the end');
  // Unpacked images stay as long as the image does.
  const comparable = (lines: readonly string[]): string[] => lines.filter((line) => !/ pools\/[^/]+\/images\//.test(line));
  assert.deepEqual(comparable(after.lines), comparable(before.lines), 'the host is as it was');
  await bench.checkQuotas();
});
