// The daemon is killed with SIGKILL while it works on the real host; the next one converges, and nothing is there twice or left behind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { needsRoot, slowness } from './harness.ts';
import { CrashBench } from './crash/bench.ts';
import { type Path, walk } from './crash/path.ts';
import { base, paths } from './crash/paths.ts';

/** `npm run test:crash` visits all boundaries of all paths; otherwise a sample of both is tried. */
const ALL = process.env['LOCKSTEP_CRASH'] === 'all';

/** LOCKSTEP_CRASH_ONLY: part of their names. LOCKSTEP_CRASH_PART: `2/5`, the second of five runs that visit them all together. */
function isWanted({ name }: Path, index: number): boolean {
  const [, part = '1', parts = '1'] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(process.env['LOCKSTEP_CRASH_PART'] ?? '1/1') ?? [];
  return name.includes(process.env['LOCKSTEP_CRASH_ONLY'] ?? '') && index % Number(parts) === Number(part) - 1;
}

describe('kill -9 of the daemon', { skip: needsRoot }, () => {
  test(
    `at ${ALL ? 'every boundary' : 'boundaries'} of what each kind can be taken through`,
    { timeout: 3_600_000 * slowness },
    async (t) => {
      const bench = await CrashBench.open(t);
      bench.host.write('a.yaml', base(bench.host.prefix));
      await bench.start();
      await bench.settled('the foundation');
      const wanted = paths.filter((path) => ALL || path.sample !== undefined).filter(isWanted);
      assert.ok(wanted.length > 0, 'there is such a path');
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
