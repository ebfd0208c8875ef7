// Claim files in a temporary directory: that they are made in one step by several daemons is what is tested.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { AppError } from '../../../src/core/errors.ts';
import { IdClaims } from '../../../src/host/id-claims.ts';

function setUp(t: TestContext): { directory: string; one: IdClaims; two: IdClaims; stateDirs: string[] } {
  const root = mkdtempSync(join(tmpdir(), 'lockstep-ids-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, 'ids');
  const stateDirs = [join(root, 'one'), join(root, 'two')];
  for (const stateDir of stateDirs) mkdirSync(stateDir);
  const [one, two] = stateDirs.map((stateDir) => new IdClaims({ stateDir, directory }));
  return { directory, one: one!, two: two!, stateDirs };
}

// Above what any process here runs under.
const FIRST = 3_000_000_000;

test('a claimed range is refused to others, naming the holder, and free again after release', (t) => {
  const { one, two, stateDirs } = setUp(t);
  one.claim(FIRST, 'a');
  one.claim(FIRST, 'a');
  for (const [claims, uid] of [
    [one, 'b'],
    [two, 'a'],
  ] as const) {
    assert.throws(
      () => claims.claim(FIRST, uid),
      (error) => error instanceof AppError && error.code === 'CONFLICT' && error.message.includes(stateDirs[0]!),
    );
  }
  two.release(FIRST, 'a');
  one.release(FIRST, 'b');
  assert.deepEqual(one.list(), [{ first: FIRST, stateDir: stateDirs[0], uid: 'a' }]);
  assert.deepEqual([...two.taken()], [String(FIRST)]);
  assert.deepEqual([...one.taken()], [String(FIRST)], 'its own, too');
  one.release(FIRST, 'a');
  one.release(FIRST, 'a');
  two.claim(FIRST, 'a');
});

test('of many daemons claiming one range at once exactly one gets it', { timeout: 60_000 }, async (t) => {
  const { directory } = setUp(t);
  const module = new URL('../../../src/host/id-claims.ts', import.meta.url).href;
  const script = `
    import { IdClaims } from ${JSON.stringify(module)};
    const claims = new IdClaims({ stateDir: '/state-' + process.argv[2], directory: process.argv[1] });
    while (Date.now() < Number(process.argv[3]));
    let got = 0;
    for (let n = 0; n < 50; n++) try { claims.claim(n, 'u'); got += 1; } catch {}
    console.log(got);`;
  const at = String(Date.now() + 1500);
  const runs = Array.from({ length: 4 }, (_, n) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, directory, String(n), at]),
  );
  const counts = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    50,
  );
  assert.equal(readdirSync(directory).length, 50, 'no temporary file is left');
});

test('sweeping removes our unknown claims and those of vanished state directories, and nothing else', (t) => {
  const { directory, one, two, stateDirs } = setUp(t);
  one.claim(FIRST, 'known');
  one.claim(FIRST + 65_536, 'forgotten');
  two.claim(FIRST + 2 * 65_536, 'theirs');
  new IdClaims({ stateDir: '/nowhere/at/all', directory }).claim(FIRST + 3 * 65_536, 'gone');
  writeFileSync(join(directory, String(FIRST + 4 * 65_536)), 'half a cl');
  writeFileSync(join(directory, 'prefix-aa-1.lock'), '');
  assert.deepEqual(new Set(one.sweep((uid) => uid === 'known')), new Set([FIRST + 65_536, FIRST + 3 * 65_536]));
  assert.deepEqual(
    new Map(one.list().map((claim) => [claim.first - FIRST, claim.stateDir])),
    new Map([
      [0, stateDirs[0]],
      [2 * 65_536, stateDirs[1]],
      [4 * 65_536, undefined],
    ]),
  );
  assert.ok(two.taken().has(String(FIRST + 4 * 65_536)), 'what cannot be read is taken');
});

test('a stale claim stays while processes run under its ids', (t) => {
  const { one } = setUp(t);
  const own = Math.floor((process.getuid?.() ?? 0) / 65_536) * 65_536;
  one.claim(own, 'forgotten');
  assert.deepEqual(
    one.sweep(() => false),
    [],
  );
});

test('a claim that was written aside and never linked goes with its writer', (t) => {
  const { directory, one } = setUp(t);
  // Above pid_max: of nobody who lives.
  writeFileSync(join(directory, `.new-4194305-${FIRST}`), '{}');
  writeFileSync(join(directory, `.new-${process.ppid}-${FIRST}`), '{}');
  one.sweep(() => true);
  assert.deepEqual(readdirSync(directory), [`.new-${process.ppid}-${FIRST}`]);
});
