// Real directories: what is tested here is how a file system behaves under us.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../../src/core/clock.ts';
import { AppError, errorText } from '../../../src/core/errors.ts';
import { DirectorySource } from '../../../src/sources/directory.ts';
import type { Snapshot } from '../../../src/sources/snapshot.ts';

const signal = new AbortController().signal;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-source-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function write(root: string, files: Record<string, string | Uint8Array>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

function texts(root: string, snapshot: Snapshot): Record<string, string | undefined> {
  return Object.fromEntries(snapshot.files.map((file) => [file.path.replace(`${root}/`, ''), file.text]));
}

async function eventually(what: string, holds: () => boolean, limitMs = 5000): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    if (waited > limitMs) assert.fail(`${what} did not happen within ${limitMs} ms`);
    await sleep(10);
  }
}

test('reads manifests recursively in order, without dot files, other files and what is ignored', async (t) => {
  const root = temporary(t);
  write(root, {
    'b.yml': 'b',
    'a.yaml': 'a',
    'sub/deep/c.json': 'c',
    'README.md': 'no',
    '.hidden.yaml': 'no',
    '.git/x.yaml': 'no',
    'drafts/x.yaml': 'no',
    'sub/skip.yaml': 'no',
    'sub/deep/skip.yaml': 'kept',
    '.lockstepignore': 'drafts/\n',
    'sub/.lockstepignore': '/skip.yaml\n',
  });
  const snapshot = await new DirectorySource('main', root).read(signal);
  assert.deepEqual(texts(root, snapshot), { 'a.yaml': 'a', 'b.yml': 'b', 'sub/deep/c.json': 'c', 'sub/deep/skip.yaml': 'kept' });
  assert.deepEqual(
    snapshot.files.map((file) => file.path),
    ['a.yaml', 'b.yml', 'sub/deep/c.json', 'sub/deep/skip.yaml'].map((path) => join(root, path)),
  );
  assert.equal(snapshot.complete, true);
  assert.equal(snapshot.source, 'main');
});

test('an empty directory is a complete snapshot of nothing', async (t) => {
  const snapshot = await new DirectorySource('main', temporary(t)).read(signal);
  assert.deepEqual([snapshot.files, snapshot.complete], [[], true]);
});

test('the revision follows contents and names, and `since` the revision', async (t) => {
  const root = temporary(t);
  let now = 5000;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => new Promise(() => {}) };
  const source = new DirectorySource('main', root, { clock });
  write(root, { 'a.yaml': 'one' });
  const first = await source.read(signal);
  assert.equal(first.since, 5000);
  now = 6000;
  write(root, { 'a.yaml': 'one' });
  const touched = await source.read(signal);
  assert.deepEqual([touched.revision, touched.since], [first.revision, 5000]);
  write(root, { 'a.yaml': 'two' });
  const edited = await source.read(signal);
  assert.notEqual(edited.revision, first.revision);
  assert.equal(edited.since, 6000);
  renameSync(join(root, 'a.yaml'), join(root, 'b.yaml'));
  assert.notEqual((await source.read(signal)).revision, edited.revision);
});

test('a file system that does not answer in time is an unreadable source, not an empty one', async (t) => {
  const root = temporary(t);
  write(root, { 'a.yaml': 'one' });
  // Time passes at once: nothing answers as quickly as that.
  const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  const source = new DirectorySource('main', root, { clock });
  await assert.rejects(source.read(signal), (error: AppError) => {
    assert.equal(error.code, 'SOURCE_UNREADABLE');
    assert.match(errorText(error), /did not answer within 5 s/);
    return true;
  });
});

test('an edit of equal length within the same moment is seen by the next reading', async (t) => {
  const root = temporary(t);
  const source = new DirectorySource('main', root);
  for (let n = 0; n < 50; n++) {
    write(root, { 'a.yaml': `n: ${n % 10}` });
    assert.equal((await source.read(signal)).files[0]?.text, `n: ${n % 10}`);
  }
});

test('a root that is missing, or no directory, is SOURCE_UNREADABLE', async (t) => {
  const root = temporary(t);
  write(root, { 'file.yaml': 'x' });
  for (const path of [join(root, 'missing'), join(root, 'file.yaml')]) {
    await assert.rejects(new DirectorySource('main', path).read(signal), (error) => {
      return error instanceof AppError && error.code === 'SOURCE_UNREADABLE' && error.message.includes(path);
    });
  }
});

const UNREADABLE: Record<string, (root: string) => void> = {
  'is not UTF-8': (root) => write(root, { 'bad.yaml': Uint8Array.of(0x61, 0xff, 0xfe) }),
  'is too large': (root) => write(root, { 'bad.yaml': 'x'.repeat(2000) }),
  'is a named pipe': (root) => void execFileSync('mkfifo', [join(root, 'bad.yaml')]),
  'is a link out of the source': (root) => symlinkSync('/etc/hostname', join(root, 'bad.yaml')),
  'is a link that leads nowhere': (root) => symlinkSync('nowhere.yaml', join(root, 'bad.yaml')),
  'is a link in circles': (root) => symlinkSync('bad.yaml', join(root, 'bad.yaml')),
};
for (const [what, spoil] of Object.entries(UNREADABLE)) {
  test(`a file that ${what} makes the snapshot incomplete and hides no other`, async (t) => {
    const root = temporary(t);
    write(root, { 'a.yaml': 'a', 'z.yaml': 'z' });
    spoil(root);
    const snapshot = await new DirectorySource('main', root, { limits: { fileBytes: 1000 } }).read(signal);
    assert.deepEqual(texts(root, snapshot), { 'a.yaml': 'a', 'bad.yaml': undefined, 'z.yaml': 'z' });
    assert.equal(snapshot.complete, false);
    assert.match(snapshot.files[1]?.error ?? '', /bad\.yaml/);
  });
}

test('an ignore file that cannot be read makes the snapshot incomplete', async (t) => {
  const root = temporary(t);
  write(root, { 'a.yaml': 'a' });
  mkdirSync(join(root, '.lockstepignore'));
  assert.equal((await new DirectorySource('main', root).read(signal)).complete, false);
});

test('more files, bytes or levels than allowed make the snapshot incomplete', async (t) => {
  const root = temporary(t);
  write(root, { 'a.yaml': 'aaaa', 'b.yaml': 'bbbb', 'c/d/e.yaml': 'eeee' });
  for (const limits of [{ files: 2 }, { totalBytes: 9 }, { depth: 1 }]) {
    const snapshot = await new DirectorySource('main', root, { limits }).read(signal);
    assert.equal(snapshot.complete, false, JSON.stringify(limits));
    assert.ok(snapshot.files.some((file) => file.text === 'aaaa'));
  }
});

test('links inside the source are followed, and never round in circles', async (t) => {
  const root = temporary(t);
  write(root, { '..v1/web.yaml': 'web', 'sub/x.yaml': 'x' });
  symlinkSync('..v1', join(root, '..data'));
  symlinkSync('..data/web.yaml', join(root, 'web.yaml')); // as mounted Kubernetes configuration looks
  symlinkSync('..', join(root, 'sub', 'up'));
  const snapshot = await new DirectorySource('main', root).read(signal);
  assert.deepEqual(texts(root, snapshot), { 'sub/x.yaml': 'x', 'web.yaml': 'web' });
  assert.equal(snapshot.complete, true);
});

test('reading while an editor replaces files always gives one whole version of each', { timeout: 60_000 }, async (t) => {
  const root = temporary(t);
  const versions = ['a'.repeat(300_000), 'b'.repeat(200_000)];
  write(root, { 'web.yaml': versions[0]! });
  const source = new DirectorySource('main', root);
  const done = new AbortController();
  t.after(() => done.abort());
  const editor = (async () => {
    for (let n = 0; !done.signal.aborted; n++) {
      writeFileSync(join(root, 'web.yaml~new'), versions[n % 2]!);
      renameSync(join(root, 'web.yaml~new'), join(root, 'web.yaml'));
      await sleep(1);
    }
  })();
  for (let n = 0; n < 40; n++) {
    const { files, complete } = await source.read(signal);
    assert.equal(complete, true);
    assert.equal(files.length, 1);
    assert.ok(versions.includes(files[0]?.text ?? ''));
  }
  done.abort();
  await editor;
});

test('a directory that vanishes during readings gives its last files, none, or an error, never a part', { timeout: 60_000 }, async (t) => {
  const parent = temporary(t);
  const root = join(parent, 'root');
  const all = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`sub/f${n}.yaml`, 'x']));
  write(root, all);
  const source = new DirectorySource('main', root);
  const outcomes = new Set<string>();
  for (let n = 0; n < 40; n++) {
    const reading = source.read(signal).then(
      (snapshot) => `${snapshot.files.length} ${snapshot.complete}`,
      (error: AppError) => error.code,
    );
    await sleep(n % 8);
    renameSync(root, `${root}-away`);
    outcomes.add(await reading);
    renameSync(`${root}-away`, root);
  }
  for (const outcome of outcomes) assert.ok(['40 true', 'SOURCE_UNREADABLE'].includes(outcome), outcome);
});

test('an abort ends a reading', async (t) => {
  const source = new DirectorySource('main', temporary(t));
  await assert.rejects(source.read(AbortSignal.abort()), (error) => error instanceof AppError && error.code === 'CANCELLED');
});

test('a hint comes for a new, an edited, a renamed and a removed file, and for a whole burst only a few', async (t) => {
  const root = temporary(t);
  write(root, { 'sub/a.yaml': 'a' });
  const source = new DirectorySource('main', root);
  t.after(() => source.close());
  let hints = 0;
  await source.watch(() => (hints += 1));
  const changes = {
    new: () => write(root, { 'sub/b.yaml': 'b' }),
    edited: () => appendFileSync(join(root, 'sub/a.yaml'), 'more'),
    renamed: () => renameSync(join(root, 'sub/b.yaml'), join(root, 'c.yaml')),
    removed: () => unlinkSync(join(root, 'c.yaml')),
    'new directory': () => write(root, { 'x/y/z.yaml': 'z' }),
    'write and rename': () => {
      write(root, { 'sub/.a.yaml.swp': 'new' });
      renameSync(join(root, 'sub/.a.yaml.swp'), join(root, 'sub/a.yaml'));
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    await sleep(300);
    hints = 0;
    change();
    await eventually(`a hint for a ${what} file`, () => hints > 0);
  }
  await sleep(300);
  hints = 0;
  for (let n = 0; n < 300; n++) write(root, { [`burst/f${n}.yaml`]: 'x' });
  await eventually('a hint for the burst', () => hints > 0);
  await sleep(500);
  assert.ok(hints < 20, `${hints} hints`);
});

test('a root that is removed and made again is watched again', { timeout: 60_000 }, async (t) => {
  const root = join(temporary(t), 'root');
  write(root, { 'a.yaml': 'a' });
  const source = new DirectorySource('main', root, { rootCheckMs: 50 });
  t.after(() => source.close());
  let hints = 0;
  await source.watch(() => (hints += 1));
  rmSync(root, { recursive: true });
  await eventually('a hint for the removal', () => hints > 0);
  await sleep(300);
  write(root, { 'a.yaml': 'a' });
  await sleep(300);
  hints = 0;
  write(root, { 'a.yaml': 'again' });
  await eventually('a hint in the new root', () => hints > 0);
});

test('watching a root that does not exist yet sees it come', { timeout: 60_000 }, async (t) => {
  const root = join(temporary(t), 'later');
  const source = new DirectorySource('main', root, { rootCheckMs: 50 });
  t.after(() => source.close());
  let hints = 0;
  await source.watch(() => (hints += 1));
  write(root, { 'a.yaml': 'a' });
  await eventually('a hint for the new root', () => hints > 0);
});
