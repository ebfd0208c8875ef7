// Big trees go in the background, in small batches, at any depth; a stop in the middle is gone on from; nothing outside is touched.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/core/log.ts';
import { mustRun, run } from '../../src/host/run/run.ts';
import { storageAddon } from '../../src/host/storage/native.ts';
import { Reclaimer, setAside } from '../../src/host/storage/reclaim.ts';
import { Measurer, parseSize, SIZE_LINK } from '../../src/host/storage/tombstone-size.ts';
import { needsRoot, slowness } from './harness.ts';

function pool(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'lockstep-reclaim-'));
  t.after(async () => await run(['rm', '-rf', '--one-file-system', '--', root]));
  mkdirSync(join(root, 'containers'));
  return root;
}

/** 20 directories with 100 files each, and links to what must stay. */
function fill(volume: string, outside: string): void {
  mkdirSync(volume);
  writeFileSync(outside, 'precious');
  for (let at = 0; at < 20; at++) {
    const directory = join(volume, `d${at}`);
    mkdirSync(directory);
    for (let file = 0; file < 100; file++) writeFileSync(join(directory, `f${file}`), '');
    symlinkSync(outside, join(directory, 'link'));
    symlinkSync('/', join(directory, 'root'));
  }
}

const leftIn = (root: string): string[] => (existsSync(join(root, '.removing')) ? readdirSync(join(root, '.removing')) : []);

async function empty(root: string): Promise<void> {
  const until = performance.now() + 30_000 * slowness;
  while (leftIn(root).length > 0) {
    assert.ok(performance.now() < until, 'it ends');
    await sleep(10);
  }
}

describe('removing big trees', () => {
  test('the name is free at once, the event loop stays free, links are not followed', async (t) => {
    const root = pool(t);
    const outside = join(root, 'outside');
    const volume = join(root, 'containers/web');
    fill(volume, outside);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    await setAside(volume);
    assert.equal(existsSync(volume), false);
    await setAside(volume);
    assert.equal(leftIn(root).length, 1);
    const reclaimer = new Reclaimer(silentLog);
    delay.enable();
    reclaimer.look(root);
    reclaimer.look(root);
    await empty(root);
    delay.disable();
    assert.ok(delay.percentile(99) / 1e6 < 50 * slowness, `${delay.percentile(99) / 1e6} ms`);
    assert.equal(readFileSync(outside, 'utf8'), 'precious');
    await reclaimer.close();
  });

  test('one that is stopped is gone on from by the next', async (t) => {
    const root = pool(t);
    for (const name of ['a', 'b']) {
      fill(join(root, 'containers', name), join(root, 'outside'));
      await setAside(join(root, 'containers', name));
    }
    const first = new Reclaimer(silentLog);
    first.look(root);
    await sleep(5);
    await first.close();
    assert.ok(leftIn(root).length > 0, 'it was stopped in the middle');
    const second = new Reclaimer(silentLog);
    second.look(root);
    await empty(root);
    await second.drain(root, AbortSignal.timeout(1000));
    await second.close();
  });

  test('deeper than a path may be long', async (t) => {
    const root = pool(t);
    const volume = join(root, 'containers/deep');
    mkdirSync(volume);
    const script = `const { mkdirSync, writeFileSync } = require('fs'); const name = 'x'.repeat(200);
      for (let at = 0; at < 60; at++) { mkdirSync(name); process.chdir(name); writeFileSync('file', ''); }`;
    await mustRun([process.execPath, '-e', script], { cwd: volume });
    await setAside(volume);
    const reclaimer = new Reclaimer(silentLog);
    await reclaimer.drain(root, AbortSignal.timeout(20_000 * slowness));
    assert.deepEqual(leftIn(root), []);
  });

  test('a file system that is mounted in it is left alone', { skip: needsRoot }, async (t) => {
    const root = pool(t);
    const volume = join(root, 'containers/web');
    const mounted = mkdtempSync(join(tmpdir(), 'lockstep-mounted-'));
    t.after(() => rmSync(mounted, { recursive: true, force: true }));
    mkdirSync(join(volume, 'mnt'), { recursive: true });
    await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', join(volume, 'mnt')]);
    writeFileSync(join(volume, 'mnt/data'), 'precious');
    await setAside(volume);
    const [name] = leftIn(root);
    const inside = join(root, '.removing', name!, 'mnt');
    t.after(async () => await run(['umount', inside]));
    const reclaimer = new Reclaimer(silentLog);
    await assert.rejects(reclaimer.drain(root, AbortSignal.timeout(5000)), { code: 'VOLUME_IN_USE' });
    assert.equal(readFileSync(join(inside, 'data'), 'utf8'), 'precious');
    await mustRun(['umount', inside]);
    await reclaimer.drain(root, AbortSignal.timeout(5000));
    assert.deepEqual(leftIn(root), []);
  });

  test('a tombstone is measured once; what it shares with its image is not its own', async (t) => {
    const root = pool(t);
    const [tombstone, image] = [join(root, 'tombstone'), join(root, 'image')];
    for (const path of [tombstone, image]) mkdirSync(path);
    writeFileSync(join(image, 'shared'), Buffer.alloc(1024 ** 2, 1));
    writeFileSync(join(tombstone, 'shared'), Buffer.alloc(1024 ** 2, 1));
    writeFileSync(join(tombstone, 'own'), Buffer.alloc(2 * 1024 ** 2, 1));
    const measurer = new Measurer(silentLog);
    const sizeOf = async (path: string): Promise<number | undefined> =>
      parseSize((await storageAddon().readLinks([join(path, SIZE_LINK)]))[0]);
    const other = join(root, 'other');
    mkdirSync(other);
    measurer.measure(tombstone, image);
    measurer.measure(join(root, 'gone'), undefined);
    measurer.measure(other, undefined);
    assert.equal(await sizeOf(tombstone), undefined);
    const until = performance.now() + 10_000 * slowness;
    while ((await sizeOf(other)) === undefined && performance.now() < until) await sleep(10);
    const bytes = (await sizeOf(tombstone))!;
    assert.ok(bytes > 1.9 * 1024 ** 2 && bytes < 2.2 * 1024 ** 2, `${bytes}`);
    assert.ok((await sizeOf(other))! < 100 * 1024, 'one that is gone is in the way of no other');
    await measurer.close();
  });
});
