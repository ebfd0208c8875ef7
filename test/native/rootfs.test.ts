// Files written below root file systems whose author plants links, pipes and devices.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

describe('writing below a root file system', { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  let host: TestHost;
  let outside: string;
  let rootfs: string;

  before(async () => {
    host = await makeTestHost('tw');
    outside = join(host.root, 'outside');
    mkdirSync(outside);
    rootfs = join(host.root, 'tree');
    mkdirSync(join(rootfs, 'etc'), { recursive: true });
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  const write = (path: string, content = 'ours', mode = 0o644) => host.port.writeInRootfs(rootfs, [{ path, mode, content }]);

  test('files are made with their parents, mode, owner and content', async () => {
    await host.port.writeInRootfs(rootfs, [
      { path: '/var/lib/new/file', mode: 0o600, content: 'first' },
      { path: '/etc/hostname', mode: 0o644, content: 'name\n' },
    ]);
    assert.equal(readFileSync(join(rootfs, 'var/lib/new/file'), 'utf8'), 'first');
    assert.equal(statSync(join(rootfs, 'var/lib/new/file')).mode & 0o777, 0o600);
    assert.equal(statSync(join(rootfs, 'var/lib/new')).mode & 0o777, 0o755);
    assert.equal(statSync(join(rootfs, 'etc/hostname')).uid, 0);
  });

  test('a directory link that leads out is followed inside the root only', async () => {
    symlinkSync(outside, join(rootfs, 'absolute'));
    symlinkSync('../../../../../../../../..', join(rootfs, 'up'));
    mkdirSync(join(rootfs, outside), { recursive: true });
    await write('/absolute/file');
    assert.equal(existsSync(join(outside, 'file')), false);
    assert.equal(readFileSync(join(rootfs, outside, 'file'), 'utf8'), 'ours');
    await write('/up/landed');
    assert.equal(readFileSync(join(rootfs, 'landed'), 'utf8'), 'ours');
    symlinkSync('/nowhere', join(rootfs, 'dangling'));
    await assert.rejects(write('/dangling/file'), { code: 'FILE_FAILED' });
  });

  test('a link at the path itself is replaced, not followed', async () => {
    writeFileSync(join(outside, 'victim'), 'precious');
    symlinkSync(join(outside, 'victim'), join(rootfs, 'etc/link'));
    await write('/etc/link');
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'precious');
    assert.ok(lstatSync(join(rootfs, 'etc/link')).isFile());
  });

  test('pipes, device nodes and set-uid files in the way are replaced', async () => {
    execFileSync('mkfifo', [join(rootfs, 'etc/pipe')]);
    execFileSync('mknod', [join(rootfs, 'etc/disk'), 'b', '7', '250']);
    writeFileSync(join(rootfs, 'etc/suid'), 'x');
    chownSync(join(rootfs, 'etc/suid'), 5, 5);
    chmodSync(join(rootfs, 'etc/suid'), 0o4755);
    for (const path of ['/etc/pipe', '/etc/disk', '/etc/suid']) {
      await write(path);
      const made = lstatSync(join(rootfs, path));
      assert.ok(made.isFile());
      assert.deepEqual([made.mode & 0o7777, made.uid], [0o644, 0]);
    }
  });

  test('a directory in the way, a path that is not absolute and a missing root are errors', async () => {
    mkdirSync(join(rootfs, 'etc/dir'), { recursive: true });
    await assert.rejects(write('/etc/dir'), { code: 'FILE_FAILED' });
    await assert.rejects(write('relative'), { code: 'VALUE_INVALID' });
    for (const path of ['/', '/etc/..', '/etc/../x', '/etc/']) await assert.rejects(write(path), { code: 'FILE_FAILED' });
    await assert.rejects(host.port.writeInRootfs(join(host.root, 'missing'), [{ path: '/a', mode: 0o644, content: '' }]), {
      code: 'FILE_FAILED',
    });
  });

  test('large contents pass', async () => {
    const big = 'z'.repeat(3_000_000);
    await write('/big', big);
    assert.equal(statSync(join(rootfs, 'big')).size, big.length);
  });
});
