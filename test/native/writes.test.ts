// The addon's calls that write several things at once: what is there afterwards, what was there before, and what a crash may leave.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadNative } from '../../src/host/lxc/binding.ts';
import { storageAddon } from '../../src/host/storage/native.ts';
import { nativeProblem } from './busybox-container.ts';

describe('writes of the addon', { skip: nativeProblem() ?? false }, () => {
  const native = loadNative();
  let dir: string;

  before(() => {
    dir = mkdtempSync('/var/tmp/lockstep-writes-');
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('files of a directory are made with it, for root alone, and what a crash left half-written is replaced', async () => {
    const at = join(dir, 'made');
    await native.replaceFiles(at, ['config', 'a\n', 'instance.json', 'b\n'], true, true);
    assert.equal(statSync(at).mode & 0o777, 0o711);
    assert.deepEqual(readdirSync(at).toSorted(), ['config', 'instance.json']);
    assert.equal(statSync(join(at, 'config')).mode & 0o777, 0o600);
    writeFileSync(join(at, 'config.new'), 'half');
    chmodSync(at, 0o700);
    await native.replaceFiles(at, ['config', 'c\n', 'instance.json', 'b\n'], true, true);
    assert.equal(readFileSync(join(at, 'config'), 'utf8'), 'c\n');
    assert.equal(statSync(at).mode & 0o777, 0o711);
    assert.deepEqual(readdirSync(at).toSorted(), ['config', 'instance.json']);
  });

  test('a file that holds its content is not touched; one that begins like it is replaced', async () => {
    const at = join(dir, 'same');
    await native.replaceFiles(at, ['a', 'text', 'b', 'text'], true, true);
    const { ino, ctimeMs } = statSync(join(at, 'a'));
    writeFileSync(join(at, 'b'), 'text and more');
    await native.replaceFiles(at, ['a', 'text', 'b', 'text'], true, true);
    assert.deepEqual({ ino: statSync(join(at, 'a')).ino, ctimeMs: statSync(join(at, 'a')).ctimeMs }, { ino, ctimeMs });
    assert.equal(readFileSync(join(at, 'b'), 'utf8'), 'text');
  });

  test('a copy is made for root alone, replaces a link, and one name is taken away with it, also when it is not there', async () => {
    const at = join(dir, 'copies');
    mkdirSync(at);
    writeFileSync(join(dir, 'elsewhere'), 'elsewhere');
    symlinkSync(join(dir, 'elsewhere'), join(at, 'started.json'));
    writeFileSync(join(at, 'exit.json'), '{}');
    for (const text of ['one', 'two']) {
      await native.replaceFiles(at, ['instance.json', text], false, true);
      await native.copyFile(at, 'instance.json', 'started.json', 'exit.json');
      assert.equal(readFileSync(join(at, 'started.json'), 'utf8'), text);
    }
    assert.deepEqual(readdirSync(at).toSorted(), ['instance.json', 'started.json']);
    assert.equal(lstatSync(join(at, 'started.json')).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(dir, 'elsewhere'), 'utf8'), 'elsewhere');
    await assert.rejects(native.copyFile(at, 'nothing', 'started.json', 'exit.json'), { code: 'ENOENT', message: /copies\/nothing/ });
  });

  test('directories are spread where the file system can, and it is no matter where it cannot', async () => {
    const at = join(dir, 'spread');
    mkdirSync(at);
    await native.spreadDirectories(at);
    await native.spreadDirectories(at);
    await native.spreadDirectories('/proc');
    // EXT4_SUPER_MAGIC
    if (statfsSync(dir).type === 0xef53) assert.match(execFileSync('lsattr', ['-d', at], { encoding: 'utf8' }), /^\S*T\S* /);
  });

  test('a link in the place of a file is replaced, not followed; a missing directory is an error that names it', async () => {
    const at = join(dir, 'links');
    mkdirSync(at);
    writeFileSync(join(dir, 'outside'), 'outside');
    symlinkSync(join(dir, 'outside'), join(at, 'config'));
    symlinkSync(join(dir, 'outside'), join(at, 'config.new'));
    await native.replaceFiles(at, ['config', 'inside'], false, false);
    assert.equal(readFileSync(join(dir, 'outside'), 'utf8'), 'outside');
    assert.equal(lstatSync(join(at, 'config')).isFile(), true);
    await assert.rejects(native.replaceFiles(join(dir, 'nowhere'), ['a', 'b'], false, false), {
      code: 'ENOENT',
      message: /nowhere\/a\.new/,
    });
  });

  test('a directory is removed with all in it, links not followed; missing is fine', async () => {
    const at = join(dir, 'gone');
    mkdirSync(join(at, 'devices'), { recursive: true });
    mkdirSync(join(dir, 'kept'));
    writeFileSync(join(dir, 'kept/file'), 'x');
    symlinkSync(join(dir, 'kept'), join(at, 'devices/link'));
    await native.removeDirectory(at, join(dir, '.removed'));
    await native.removeDirectory(at, join(dir, '.removed'));
    assert.deepEqual(readdirSync(join(dir, 'kept')), ['file']);
    assert.equal(readdirSync(dir).includes('gone'), false);
    assert.equal(readdirSync(dir).includes('.removed'), false);
  });

  test('links are read many at a time; what is no link has no answer', async () => {
    symlinkSync('some text', join(dir, 'link'));
    writeFileSync(join(dir, 'file'), '');
    assert.deepEqual(await native.readLinks(['link', 'file', 'nothing'].map((name) => join(dir, name))), [
      'some text',
      undefined,
      undefined,
    ]);
  });

  test('a volume gets its owner, its mode and, replaced in one step, its link', async () => {
    const at = join(dir, 'volume');
    mkdirSync(at);
    symlinkSync('old', join(at, '.facts'));
    symlinkSync('half', join(at, '.facts.new'));
    await storageAddon().ownVolume(at, 1_000_000, 0o100, '.facts', 'new');
    const { uid, gid, mode } = statSync(at);
    assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 1_000_000, gid: 1_000_000, mode: 0o100 });
    assert.equal(readlinkSync(join(at, '.facts')), 'new');
    assert.deepEqual(readdirSync(at), ['.facts']);
  });

  test('control groups go with all below them; one that is busy is named after the given patience', async () => {
    const root = readdirSync('/sys/fs/cgroup').includes('pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
    const group = join(root, `lockstep-writes-${process.pid}`);
    mkdirSync(join(group, 'a/b'), { recursive: true });
    const own = join(group, 'a/b/cgroup.procs');
    const before = readFileSync('/proc/self/cgroup', 'utf8');
    const line = before.split('\n').find((text) => (root.endsWith('pids') ? /:pids:/ : /^0::/).test(text)) ?? '';
    writeFileSync(own, String(process.pid));
    try {
      const begun = performance.now();
      assert.match((await native.removeCgroups([group], 100)) ?? '', /lockstep-writes-\d+: .*busy/i);
      assert.ok(performance.now() - begun >= 100);
    } finally {
      writeFileSync(join(root, line.split(':').slice(2).join(':'), 'cgroup.procs'), String(process.pid));
    }
    assert.equal(await native.removeCgroups([group, join(root, 'lockstep-no-such-group')], 1000), undefined);
    assert.equal(readdirSync(root).includes(`lockstep-writes-${process.pid}`), false);
  });
});
