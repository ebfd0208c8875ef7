// The kernel's locks between real processes, and real mounts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AppError } from '../../src/core/errors.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { type DaemonLock, lockDaemon } from '../../src/host/lock.ts';
import { loadNative } from '../../src/host/lxc/binding.ts';
import { parseMountinfo } from '../../src/host/mountinfo.ts';
import { mustRun, run } from '../../src/host/run/run.ts';
import { makeStateDir, sharePools } from '../../src/host/state-dir.ts';

function temporaryPaths(t: TestContext): Paths {
  const root = mkdtempSync('/var/tmp/lockstep-lock-');
  chmodSync(root, 0o711);
  const paths = makePaths(join(root, 'state'), join(root, 'run'));
  t.after(async () => {
    await run(['umount', paths.pools]);
    rmSync(root, { recursive: true, force: true });
  });
  return paths;
}

/** Starts a process that takes the locks and waits. */
async function holder(
  t: TestContext,
  stateDir: string,
  prefix: string,
  sharedDir: string,
): Promise<{ pid: number; kill(): Promise<void> }> {
  const lock = new URL('../../src/host/lock.ts', import.meta.url).href;
  const binding = new URL('../../src/host/lxc/binding.ts', import.meta.url).href;
  const script = `
    import { lockDaemon } from ${JSON.stringify(lock)};
    import { loadNative } from ${JSON.stringify(binding)};
    const [stateDir, prefix, sharedDir] = process.argv.slice(1);
    lockDaemon({ stateDir, prefix, sharedDir, lockFile: loadNative().lockFile });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const argv = ['--input-type=module', '-e', script, stateDir, prefix, sharedDir];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  assert.match(String(first), /held/);
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function lock(stateDir: string, prefix: string, sharedDir: string): DaemonLock {
  return lockDaemon({ stateDir, prefix, sharedDir, lockFile: (path) => loadNative().lockFile(path) });
}

async function prepareStateDir(paths: Paths): Promise<void> {
  makeStateDir(paths);
  await sharePools(paths, AbortSignal.timeout(10_000));
}

function busy(...texts: string[]): (error: unknown) => boolean {
  return (error) => error instanceof AppError && error.code === 'STATE_DIR_BUSY' && texts.every((text) => error.message.includes(text));
}

test('a second daemon on a state directory is refused, told who holds it, and gets it after a kill -9', async (t) => {
  const { stateDir } = temporaryPaths(t);
  const shared = join(stateDir, 'shared');
  mkdirSync(stateDir);
  const first = await holder(t, stateDir, 'aa', shared);
  assert.throws(() => lock(stateDir, 'bb', shared), busy(stateDir, `process ${first.pid}`));
  await first.kill();
  const taken = lock(stateDir, 'bb', shared);
  taken.release();
  taken.release();
  lock(stateDir, 'bb', shared).release();
});

test('a second daemon with the same prefix is refused, and then holds nothing', async (t) => {
  const { stateDir } = temporaryPaths(t);
  const shared = join(stateDir, 'shared');
  const [one, two] = [join(stateDir, '1'), join(stateDir, '2')];
  for (const directory of [one, two]) mkdirSync(directory, { recursive: true });
  const first = await holder(t, one, 'aa', shared);
  assert.throws(() => lock(two, 'aa', shared), busy('"aa"', one));
  lock(two, 'bb', shared).release();
  await first.kill();
});

test('directories get their modes whatever the umask, and calling it again changes nothing', async (t) => {
  const paths = temporaryPaths(t);
  const old = process.umask(0o077);
  try {
    await prepareStateDir(paths);
    await prepareStateDir(paths);
  } finally {
    process.umask(old);
  }
  const modes = Object.fromEntries(
    [paths.stateDir, paths.instances, paths.pools, paths.networks, paths.runDir, paths.disks, paths.images].map((path) => [
      path,
      (statSync(path).mode & 0o7777).toString(8),
    ]),
  );
  for (const path of [paths.stateDir, paths.instances, paths.pools, paths.networks, paths.runDir]) assert.equal(modes[path], '711', path);
  for (const path of [paths.disks, paths.images]) assert.equal(modes[path], '700', path);

  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter((mount) => mount.mountPoint === paths.pools);
  assert.deepEqual(
    mounts.map((mount) => mount.shared),
    [true],
  );
});

test('a daemon killed between mounting pools and sharing them is finished by the next', async (t) => {
  const paths = temporaryPaths(t);
  mkdirSync(paths.pools, { recursive: true });
  await mustRun(['mount', '--bind', paths.pools, paths.pools]);
  await mustRun(['mount', '--make-private', paths.pools]);
  await prepareStateDir(paths);
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter((mount) => mount.mountPoint === paths.pools);
  assert.deepEqual(
    mounts.map((mount) => mount.shared),
    [true],
  );
});

test('a parent that others may not search is STATE_DIR_UNREACHABLE and named', async (t) => {
  const paths = temporaryPaths(t);
  const closed = join(paths.stateDir, 'closed');
  mkdirSync(closed, { recursive: true });
  chmodSync(closed, 0o700);
  const below = makePaths(join(closed, 'state'), paths.runDir);
  await assert.rejects(prepareStateDir(below), (error) => {
    return error instanceof AppError && error.code === 'STATE_DIR_UNREACHABLE' && error.detail['directory'] === closed;
  });
});
