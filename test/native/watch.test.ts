// The addon's inotify and mount table watches against the running kernel.
import assert from 'node:assert/strict';
import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadNative } from '../../src/host/lxc/binding.ts';
import { mustRun } from '../../src/host/run/run.ts';
import { needsRoot, slowness } from '../host/harness.ts';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-watch-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 5000 * slowness;
  while (!holds()) {
    assert.ok(performance.now() < end, `it did not happen: ${what}`);
    await sleep(10);
  }
}

describe('inotify', () => {
  test('tells which entry of which directory was written, replaced or removed, and when the directory is gone', async (t) => {
    const [one, other] = [directory(t), directory(t)];
    const seen: string[] = [];
    const watch = new (loadNative().FileWatch)((changes) => {
      for (let at = 0; at < changes.length; at += 2) seen.push(`${changes[at] === first ? 'one' : 'other'}:${changes[at + 1]}`);
    });
    t.after(() => watch.close());
    const first = watch.add(one, 'directory');
    assert.notEqual(watch.add(other, 'directory'), first);
    assert.equal(watch.add(one, 'directory'), first, 'the same directory is watched once');
    writeFileSync(join(one, 'written'), 'x');
    writeFileSync(join(other, 'new~'), 'x');
    renameSync(join(other, 'new~'), join(other, 'replaced'));
    await until(() => seen.includes('one:written') && seen.includes('other:replaced'), 'a write and a rename');
    seen.length = 0;
    appendFileSync(join(one, 'written'), 'y');
    await until(() => seen.includes('one:written'), 'more is written');
    seen.length = 0;
    rmSync(one, { recursive: true });
    await until(() => seen.includes('one:'), 'the directory is gone');
    watch.close();
    watch.close();
    assert.throws(() => watch.add(other, 'directory'), { code: 'HANDLE_CLOSED' });
  });

  test('says why a path cannot be watched', (t) => {
    const path = directory(t);
    const watch = new (loadNative().FileWatch)(() => {});
    t.after(() => watch.close());
    writeFileSync(join(path, 'file'), '');
    assert.throws(() => watch.add(join(path, 'none'), 'directory'), { code: 'ENOENT' });
    assert.throws(() => watch.add(join(path, 'file'), 'directory'), { code: 'ENOTDIR' });
  });

  test('tells of lost events instead of dropping them', { skip: needsRoot }, async (t) => {
    const path = directory(t);
    let lost = false;
    const watch = new (loadNative().FileWatch)((_changes, overflowed) => (lost ||= overflowed));
    t.after(() => watch.close());
    watch.add(path, 'directory');
    // While this loop keeps the event loop from reading. Only what is unlike the event before it takes a place in the kernel's queue.
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    for (let written = 0; written < limit + 100; written++) closeSync(openSync(join(path, written % 2 === 0 ? 'even' : 'odd'), 'w'));
    await until(() => lost, 'the overflow');
  });
});

test('every mount, remount and unmount is told', { skip: needsRoot }, async (t) => {
  const point = directory(t);
  let told = 0;
  const watch = new (loadNative().MountWatch)(() => told++);
  t.after(() => watch.close());
  await sleep(50);
  for (const argv of [
    ['mount', '-t', 'tmpfs', 'tmpfs', point],
    ['mount', '-o', 'remount,ro', point],
    ['umount', point],
  ]) {
    told = 0;
    await mustRun(argv);
    await until(() => told > 0, argv.join(' '));
  }
});
