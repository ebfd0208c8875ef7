// The daemon is killed while it removes a large tree in the background. Each next one goes on where it was, and nothing is left.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrashBench } from './crash/bench.ts';
import { base } from './crash/paths.ts';
import { needsRoot, slowness } from './harness.ts';
import { instance } from './manifests.ts';

const KILLS = process.env['LOCKSTEP_CRASH'] === 'all' ? 20 : 4;
/** Removing them takes some seconds, with all pauses. */
const DIRECTORIES = KILLS * 12;
const FILES = 400;

test(`kill -9 amid the removal of a tree, ${KILLS} times`, { skip: needsRoot, timeout: 600_000 * slowness }, async (t) => {
  const bench = await CrashBench.open(t);
  const { host } = bench;
  host.write('a.yaml', base(host.prefix));
  await bench.start();
  await bench.settled('the foundation');
  const spec = 'state: Stopped, devices: { root: { type: disk, path: /, pool: plain } }';
  const pool = host.paths.pool('plain');
  const leftIn = (): string[] => (existsSync(join(pool, '.removing')) ? readdirSync(join(pool, '.removing')) : []);
  const make = async (): Promise<void> => {
    const made = await host.post('/v1/apply', { files: [{ path: 'big.yaml', text: instance('big', spec) }] });
    assert.ok(made.status < 300, made.body);
    await bench.settled('the instance');
  };
  const remove = async (): Promise<void> => {
    assert.equal((await host.delete('/v1/objects/Instance/default/-/big')).status, 202);
    await bench.settled('its deletion');
    assert.equal((await host.post('/v1/purge', { ref: { kind: 'Instance', project: 'default', parent: '-', name: 'big' } })).status, 202);
  };
  // Once without anything in it: what is kept of images, and the ledger, are as they will be.
  await make();
  await remove();
  await host.eventually('it is removed', () => leftIn().length === 0 && readdirSync(join(pool, '.tombstones')).length === 0);
  await bench.settled('a first time');
  const before = await bench.check('a first time');

  await make();
  for (let at = 0; at < DIRECTORIES; at++) {
    const directory = join(pool, 'containers/big/rootfs/root', `${at}`);
    mkdirSync(directory);
    for (let file = 0; file < FILES; file++) writeFileSync(join(directory, `${file}`), '');
  }
  await remove();
  const tree = (): string => join(pool, '.removing', leftIn()[0] ?? 'nothing', 'rootfs/root');
  const count = (): number => (existsSync(tree()) ? readdirSync(tree()).length : 0);
  await host.eventually('it has begun', () => leftIn().length === 1);
  const left: number[] = [];
  for (let kills = 1; kills <= KILLS; kills++) {
    const next = DIRECTORIES * (1 - kills / (KILLS + 1));
    for (const until = performance.now() + 30_000 * slowness; count() > next; await sleep(5)) {
      assert.ok(performance.now() < until, 'it goes on');
    }
    await host.kill9();
    left.push(count());
    assert.ok(left.at(-1)! > 0, `kill ${kills} comes before the end`);
    await sleep(50);
    assert.equal(count(), left.at(-1), 'nobody else removes it');
    await bench.start();
  }
  await host.eventually('it is removed', () => leftIn().length === 0, 60_000);
  await bench.settled('the end');
  await bench.check('the end', before);
  t.diagnostic(`${KILLS} kills, with ${left.join(', ')} of ${DIRECTORIES} directories left`);
});
