// What lives is left alone: containers started with LXC's own tools, monitors that do not answer, whoever has got a pid by now.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadNative } from '../../src/host/lxc/binding.ts';
import { cgroupDir } from '../../src/core/names.ts';
import { commandSocket } from '../../src/host/lxc/monitor-sockets.ts';
import { makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

function alive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

function problem(): string | undefined {
  return nativeProblem() ?? (existsSync('/usr/bin/lxc-start') ? undefined : 'needs the package lxc');
}

describe('what lives', { skip: problem() ?? false, timeout: 120_000 }, () => {
  let host: TestHost;
  const signal = AbortSignal.timeout(120_000);
  const keep = setInterval(() => undefined, 500);
  keep.unref();

  beforeEach(async () => {
    host = await makeTestHost('tk');
    await host.define('x', ['lxc.init.cmd = /bin/sleep 600']);
  });
  afterEach(async () => {
    await host[Symbol.asyncDispose]();
  });

  const byHand = async (script: string): Promise<void> => {
    const ended = Promise.withResolvers<number | null>();
    // Without newuidmap root writes the id maps itself.
    const shell = script.replaceAll('lxc-', '/usr/bin/lxc-').replaceAll('-n x', `-P ${host.paths.instances} -n x`);
    spawn('/bin/sh', ['-c', shell], { stdio: 'ignore', env: { PATH: '/nonexistent' } }).once('exit', ended.resolve);
    assert.equal(await ended.promise, 0, script);
  };
  const initByHand = (): number =>
    Number(execFileSync('lxc-info', ['-P', host.paths.instances, '-n', 'x', '-p', '-H'], { encoding: 'utf8' }));

  test('a container started by hand is running, and a start leaves it so', async () => {
    await byHand('lxc-start -n x');
    const init = initByHand();
    const found = (await host.port.list()).get('x');
    assert.deepEqual([found?.power, found?.initPid], ['Running', init]);
    assert.equal((await host.port.start('x', signal)).initPid, init);
    assert.ok(alive(init));
  });

  test('a container that is looked at while it is started by hand stays up', async () => {
    let over = false;
    const started = byHand('lxc-start -n x').finally(() => (over = true));
    // oxlint-disable-next-line no-unmodified-loop-condition -- by the callback above
    while (!over) {
      await host.port.list();
      await sleep(2);
    }
    await started;
    const init = initByHand();
    await sleep(1000);
    assert.ok(alive(init));
  });

  test('a container restarted by hand is not taken for the rest of the one before, however late the daemon looks', async () => {
    await host.port.start('x', signal);
    const busy = setInterval(() => {
      for (const until = performance.now() + 60; performance.now() < until;);
    }, 5);
    try {
      await byHand('lxc-stop -k -n x; lxc-start -n x');
      const init = initByHand();
      await sleep(1500);
      assert.ok(alive(init));
    } finally {
      clearInterval(busy);
    }
  });

  test('who has got the pid of an lxc-start that has ended is not taken for the monitor', async () => {
    await byHand('lxc-start -n x');
    const { pid } = loadNative().listenerOf(`@${commandSocket(host.paths.instances, 'x')}`) ?? { pid: 0 };
    let other: ChildProcess | undefined;
    for (let i = 0; i < 300 && other === undefined; i++) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
      const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' });
      if (child.pid === pid) other = child;
      else child.kill('SIGKILL');
    }
    assert.ok(other, 'the pid could be had again');
    try {
      await host.reopen({ adoptedStartMs: 500 });
      assert.notEqual((await host.port.list()).get('x')?.monitorPid, pid);
      await sleep(1500);
      assert.equal(other.signalCode, null);
    } finally {
      other.kill('SIGKILL');
    }
  });

  test('a monitor that does not answer is not ended with its running container by a new daemon', async () => {
    const { initPid, monitorPid } = await host.port.start('x', signal);
    process.kill(monitorPid, 'SIGSTOP');
    try {
      await host.reopen({ adoptedStartMs: 500 });
      await sleep(2000);
      assert.ok(alive(initPid));
    } finally {
      process.kill(monitorPid, 'SIGCONT');
    }
  });

  test('a monitor that does not answer keeps nobody else waiting, however often it is asked', async () => {
    const { monitorPid } = await host.port.start('x', signal);
    process.kill(monitorPid, 'SIGSTOP');
    try {
      for (let i = 0; i < 66; i++) await assert.rejects(host.port.freeze('x', AbortSignal.timeout(150)));
      assert.equal(await Promise.race([host.port.list().then(() => 'listed'), sleep(5000, 'nothing')]), 'listed');
    } finally {
      process.kill(monitorPid, 'SIGCONT');
      await sleep(300);
      await host.port.unfreeze('x', signal);
    }
  });

  test('control files are watched after a reboot of the guest', async () => {
    await host.define('y');
    const told: string[] = [];
    const end = host.port.onCgroupChange((name) => told.push(String(name)));
    try {
      const { initPid } = await host.port.start('y', signal);
      const file = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']
        .map((root) => `${root}/${cgroupDir('tk', 'y')}/payload/pids.max`)
        .find(existsSync);
      assert.ok(file);
      await host.port.cgroupValues('y', ['pids.max']);
      await sleep(500);
      await host.port.reboot('y');
      for (let i = 0; i < 100; i++) {
        const now = (await host.port.list()).get('y');
        if (now?.power === 'Running' && now.initPid !== initPid) break;
        await sleep(50);
      }
      await host.port.cgroupValues('y', ['pids.max']);
      told.length = 0;
      writeFileSync(file, '900');
      await sleep(200);
      assert.deepEqual(told, ['y']);
    } finally {
      end();
    }
  });

  test('files that would not be read back are not written', async () => {
    const long = 'x'.repeat(3 * 1024 * 1024);
    await assert.rejects(host.port.define('y', { config: '', record: long }), { code: 'VALUE_INVALID' });
    await assert.rejects(host.port.define('y', { config: `# ${long}\n`, record: '{}' }), { code: 'VALUE_INVALID' });
    assert.deepEqual([...(await host.port.list()).keys()], ['x']);
  });

  test('a monitor that has ended costs no descriptor', async () => {
    const pidfds = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).includes('pidfd');
        } catch {
          return false;
        }
      }).length;
    const before = pidfds();
    for (let i = 0; i < 5; i++) {
      await host.port.start('x', signal);
      await host.port.kill('x', signal);
    }
    assert.equal(pidfds(), before);
  });
});

describe('control groups', { skip: nativeProblem() ?? false }, () => {
  test('a tree that is deeper than a path can be long is removed', async () => {
    const root = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
    const script = 'mkdir -p "$1"; cd "$1"; i=0; while [ $i -lt 25 ]; do mkdir "$2"; cd -P "./$2"; i=$((i+1)); done';
    execFileSync('busybox', ['sh', '-c', script, 'sh', `${root}/tk-deep/payload`, 'd'.repeat(200)]);
    assert.equal(await loadNative().removeCgroups([`${root}/tk-deep`], 500), undefined);
    assert.equal(existsSync(`${root}/tk-deep`), false);
  });
});
