// The addon's own calls: container handles, processes, files, sockets, threads. Through the raw binding, as only src/host/lxc uses it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadNative, type NativeError } from '../../src/host/lxc/binding.ts';
import { openProcess } from '../../src/host/lxc/open-process.ts';
import { peerCredentials } from '../../src/host/lxc/peer.ts';
import { readOfProcess } from '../../src/host/run/spawn-detached.ts';
import { makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

const signal = AbortSignal.timeout(120_000);

describe('the addon', { skip: nativeProblem() ?? false, timeout: 120_000 }, () => {
  const native = loadNative();
  let host: TestHost;
  let dir: string;

  before(async () => {
    host = await makeTestHost('tg');
    dir = mkdtempSync('/var/tmp/lockstep-addon-');
    await host.define('c', ['lxc.environment = A=1']);
    await host.port.start('c', signal);
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  test('a handle tells the state, items of the config and of the running container', async () => {
    const container = await native.openContainer(host.paths.instances, 'c');
    const { state, initPid } = await container.state();
    assert.equal(state, 'RUNNING');
    assert.equal(initPid, (await host.port.list()).get('c')?.initPid);
    assert.equal(await container.getConfigItem('lxc.uts.name'), 'c');
    await container.setConfigItem('lxc.uts.name', 'other');
    assert.equal(await container.getConfigItem('lxc.uts.name'), 'other');
    assert.equal(await container.getRunningConfigItem('lxc.uts.name'), 'c');
    const saved = join(dir, 'saved');
    await container.saveConfig(saved);
    assert.match(readFileSync(saved, 'utf8'), /^lxc\.uts\.name = other$/m);
    assert.doesNotMatch(readFileSync(saved, 'utf8'), /lxc\.log|proc\/self/);
    await container.clearConfigItem('lxc.uts.name');
    assert.equal(await container.getConfigItem('lxc.uts.name'), '');
    await container.loadConfig(saved);
    assert.equal(await container.getConfigItem('lxc.uts.name'), 'other');
    await container.setCgroupItem('pids.max', '99');
    assert.equal((await container.getCgroupItem('pids.max')).trim(), '99');
    container.close();
  });

  test('errors carry a code and the words of liblxc for that call', async () => {
    await assert.rejects(native.openContainer(host.paths.instances, 'nobody'), { code: 'NOT_FOUND' });
    await host.port.define('garbled', { config: 'lxc.nonsense = 1\n', record: '{}' });
    await assert.rejects(native.openContainer(host.paths.instances, 'garbled'), { code: 'LXC_FAILED' });
    await host.port.undefine('garbled');
    const container = await native.openContainer(host.paths.instances, 'c');
    const failed = await Promise.allSettled([
      container.setCgroupItem('pids.max', 'not a number'),
      container.setConfigItem('lxc.idmap', 'nonsense'),
      container.loadConfig('/does/not/exist'),
    ]);
    for (const one of failed) {
      assert.equal(one.status, 'rejected');
      assert.equal(one.reason.code, 'LXC_FAILED');
    }
    const [cgroup, idmap, load] = failed.map((one) => (one as PromiseRejectedResult).reason as NativeError);
    assert.match(cgroup?.message ?? '', /Invalid argument/);
    assert.match(idmap?.log ?? '', /Failed to parse id mappings/);
    assert.match(load?.log ?? '', /\/does\/not\/exist/);
    assert.doesNotMatch(load?.log ?? '', /id mappings/, 'only its own words');
    assert.throws(() => container.setConfigItem('lxc.uts.name', 'a\nlxc.hook.pre-start = /bin/sh'), { code: 'VALUE_INVALID' });
    container.close();
  });

  test('a handle can be closed twice, while calls run, and says so afterwards', async () => {
    const container = await native.openContainer(host.paths.instances, 'c');
    const running = Promise.all(Array.from({ length: 20 }, () => container.state()));
    container.close();
    container.close();
    for (const { state } of await running) assert.equal(state, 'RUNNING');
    for (const call of ['state', 'stop', 'shutdown', 'reboot', 'freeze', 'unfreeze'] as const) {
      assert.throws(() => container[call](), { code: 'HANDLE_CLOSED' });
    }
    assert.throws(() => container.getConfigItem('lxc.uts.name'), { code: 'HANDLE_CLOSED' });
  });

  test('one handle serves many calls at once', async () => {
    const container = await native.openContainer(host.paths.instances, 'c');
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        i % 3 === 0
          ? container.getConfigItem('lxc.uts.name')
          : i % 3 === 1
            ? container.setConfigItem('lxc.environment', `V${i}=1`).then(() => 'c')
            : container.state().then(() => 'c'),
      ),
    );
    assert.ok(results.every((result) => result === 'c'));
    container.close();
  });

  test('thousands of handles, calls and processes leak neither descriptors nor memory', async () => {
    const round = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        const container = await native.openContainer(host.paths.instances, 'c');
        await Promise.all([
          container.state(),
          container.getConfigItem('lxc.uts.name'),
          container.setConfigItem('nope', 'x').catch(() => 0),
        ]);
        // The others are left to the garbage collector.
        if (i % 2 === 0) container.close();
        const watched = new native.Process({ pid: process.pid });
        watched.onExit(() => undefined);
        watched.close();
      }
    };
    for (let i = 0; i < 3; i++) await round();
    const openFds = (): number => readdirSync('/proc/self/fd').length;
    const before = { fds: openFds(), rss: process.memoryUsage.rss() };
    for (let i = 0; i < 10; i++) await round();
    // Handles that were not closed hold one descriptor each until they are collected.
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(openFds() - before.fds < 1100, `${openFds() - before.fds} descriptors more`);
    if (!process.env['LOCKSTEP_NATIVE']?.includes('asan')) {
      assert.ok(process.memoryUsage.rss() - before.rss < 80 * 1024 * 1024, `${process.memoryUsage.rss() - before.rss} bytes more`);
    }
  });

  test('a process is watched, signalled and its status told; a dead one is known', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const watched = new native.Process({ pid: child.pid ?? 0 });
    const exits = Promise.withResolvers<void>();
    watched.onExit(() => {
      exits.resolve();
    });
    assert.equal(watched.alive(), true);
    assert.equal(watched.exitStatus(), undefined);
    assert.equal(watched.signal(15), true);
    const guard = setTimeout(() => {
      exits.reject(new Error('no exit was told'));
    }, 5000);
    await exits.promise;
    clearTimeout(guard);
    await new Promise((resolve) => ((child.exitCode ?? child.signalCode) === null ? child.once('exit', resolve) : resolve(undefined)));
    assert.equal(watched.alive(), false);
    assert.equal(watched.signal(15), false);
    assert.ok([undefined, 15].includes(watched.exitStatus()));
    watched.close();
    watched.close();
    assert.throws(() => watched.signal(15), { code: 'HANDLE_CLOSED' });
    assert.throws(() => new native.Process({ pid: 2 ** 22 + 1 }), { code: /ESRCH|EINVAL/ });
  });

  // Seen on a real host: the daemon's own children end, SIGCHLD is pending while poll(2) is asked, and a running container was ended.
  test('a process lives however many signals come while it is asked', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const watched = new native.Process({ pid: child.pid ?? 0 });
    let exits = 0;
    watched.onExit(() => exits++);
    const storm = spawn('sh', ['-c', `while kill -CHLD ${process.pid}; do :; done`], { stdio: 'ignore' });
    let wrong = 0;
    for (const end = performance.now() + 2000; performance.now() < end; await new Promise(setImmediate)) {
      for (let i = 0; i < 1000; i++) if (!watched.alive()) wrong++;
    }
    storm.kill();
    watched.close();
    child.kill();
    assert.deepEqual({ wrong, exits }, { wrong: 0, exits: 0 });
  });

  test('a process is not gone because there is no descriptor left to watch it', () => {
    assert.equal(openProcess(2 ** 22 + 1), undefined);
    openProcess(process.pid)?.close();
    const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    const limit = (files: string): void => void execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${files}:`]);
    limit(String(Math.max(...readdirSync('/proc/self/fd').map(Number)) + 100));
    const taken: number[] = [];
    try {
      assert.throws(() => {
        for (;;) taken.push(openSync('/dev/null', 'r'));
      });
      assert.throws(() => openProcess(process.pid), { code: 'HOST_UNREADABLE' });
      assert.throws(() => readOfProcess(process.pid, 'stat'), { code: 'EMFILE' });
    } finally {
      for (const fd of taken) closeSync(fd);
      limit(soft);
    }
    assert.equal(readOfProcess(2 ** 22 + 1, 'stat'), undefined);
  });

  test('a lock is held by one descriptor until it is closed', () => {
    const path = join(dir, 'lock');
    const first = native.lockFile(path);
    assert.ok(first !== undefined);
    assert.equal(native.lockFile(path), undefined);
    closeSync(first);
    const again = native.lockFile(path);
    assert.ok(again !== undefined);
    closeSync(again);
    symlinkSync(path, join(dir, 'link'));
    assert.throws(() => native.lockFile(join(dir, 'link')), { code: 'ELOOP' });
    assert.throws(() => native.lockFile('/nowhere/lock'), { code: 'ENOENT' });
  });

  test('batches of files say what is missing and fail as a whole on anything else', async () => {
    writeFileSync(join(dir, 'a'), 'content');
    symlinkSync(join(dir, 'a'), join(dir, 'to-a'));
    assert.deepEqual(await native.readMany([join(dir, 'a'), join(dir, 'missing'), join(dir, 'a/b')]), ['content', undefined, undefined]);
    await assert.rejects(native.readMany([join(dir, 'a'), join(dir, 'to-a')]), { code: 'ELOOP' });
    await assert.rejects(native.readMany([dir]), { code: 'EISDIR' });
    const [one] = await native.statMany([join(dir, 'a')]);
    chmodSync(join(dir, 'a'), 0o600);
    writeFileSync(join(dir, 'a'), 'changed');
    const [two] = await native.statMany([join(dir, 'a')]);
    assert.notEqual(one, two);
  });

  test('the peer of a unix socket is named, and who listens on one', async () => {
    const path = join(dir, 'sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect(path);
    const socket = await accepted;
    assert.deepEqual(peerCredentials(socket), { pid: process.pid, uid: 0, gid: 0 });
    assert.equal(native.listenerOf(path)?.pid, process.pid);
    socket.destroy();
    client.destroy();
    assert.throws(() => peerCredentials(socket), { code: 'FORBIDDEN' });
    await new Promise((resolve) => server.close(resolve));
    assert.equal(native.listenerOf(path), undefined);
    assert.equal(native.listenerOf('@lockstep/nobody/listens'), undefined);
    const file = openSync(join(dir, 'a'), 'r');
    assert.throws(() => native.peerCredentials(file), { code: 'ENOTSOCK' });
    closeSync(file);
  });

  test('systemd is told only when it listens', () => {
    delete process.env['NOTIFY_SOCKET'];
    assert.equal(native.sdNotify('READY=1'), false);
    process.env['NOTIFY_SOCKET'] = join(dir, 'notify-nobody');
    assert.throws(() => native.sdNotify('READY=1'), { code: 'ENOENT' });
    delete process.env['NOTIFY_SOCKET'];
  });

  test('interfaces of a container are read without leaving the own namespace', async () => {
    const before = readFileSync('/proc/net/dev', 'utf8').split('\n').length;
    const found = await host.port.interfaces('c');
    assert.deepEqual(
      found.map((one) => [one.name, one.mtu]),
      [['lo', 65536]],
    );
    assert.equal(readFileSync('/proc/net/dev', 'utf8').split('\n').length, before);
    await assert.rejects(native.interfacesOf(2 ** 22 + 1), { code: 'ENOENT' });
    assert.ok(existsSync('/proc/self/ns/net'));
  });
});
