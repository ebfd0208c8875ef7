// Real containers through the port: start, stop, freeze, exits, reboots, a lost helper, a daemon that goes away and comes back.
// What is checked is looked at from outside: processes, control groups, files.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupParent } from '../../src/core/names.ts';
import { FIRST_ID, makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

const signal = AbortSignal.timeout(120_000);

function alive(pid: number | undefined): boolean {
  return pid !== undefined && existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function until<T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false, ms = 10_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await sleep(10);
  }
}

/** Control group directories of a container, in all hierarchies. */
function cgroupsOf(prefix: string, name: string): string[] {
  const roots = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join('/sys/fs/cgroup', entry.name));
  return ['/sys/fs/cgroup', ...roots].map((root) => join(root, cgroupParent(prefix), name)).filter((path) => existsSync(path));
}

describe('containers', { skip: nativeProblem() ?? false, timeout: 120_000 }, () => {
  let host: TestHost;
  const changes: string[] = [];

  before(async () => {
    host = await makeTestHost('tl');
    host.port.onChange((name) => changes.push(name));
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  const reading = async (name: string) => {
    const found = (await host.port.list()).get(name);
    assert.ok(found, `${name} is listed`);
    return found;
  };

  test('a defined container is listed with its files and permissions', async () => {
    await host.define('defined');
    const found = await reading('defined');
    assert.equal(found.power, 'Stopped');
    assert.equal(found.record, '{"name":"defined"}');
    assert.equal(found.started, undefined);
    assert.equal(statSync(host.paths.instance('defined')).mode & 0o777, 0o711);
    assert.equal(statSync(join(host.paths.instance('defined'), 'config')).mode & 0o777, 0o600);
    await host.port.undefine('defined');
    await host.port.undefine('defined');
    assert.equal((await host.port.list()).has('defined'), false);
    assert.equal(existsSync(host.paths.instance('defined')), false);
  });

  test('a start answers with the pids of an unprivileged init and of a monitor in its own session, and a second start changes nothing', async () => {
    await host.define('up');
    const { initPid, monitorPid } = await host.port.start('up', signal);
    assert.match(readFileSync(`/proc/${initPid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${FIRST_ID}\\b`, 'm'));
    assert.equal(readFileSync(`/proc/${monitorPid}/cmdline`, 'utf8'), `[lxc monitor] ${host.paths.instances} up\0`);
    const stat = readFileSync(`/proc/${monitorPid}/stat`, 'utf8');
    assert.equal(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]), monitorPid, 'is a session leader');
    for (const fd of [0, 1, 2]) assert.equal(statSync(`/proc/${monitorPid}/fd/${fd}`).rdev, statSync('/dev/null').rdev);
    const sockets = readdirSync(`/proc/${monitorPid}/fd`).filter((fd) =>
      statSync(`/proc/${monitorPid}/fd/${fd}`, { throwIfNoEntry: false })?.isSocket(),
    );
    assert.equal(sockets.length, 1, 'holds its command socket and nothing of the daemon');
    const found = await reading('up');
    assert.equal(found.power, 'Running');
    assert.equal(found.started, found.record);
    assert.deepEqual(await host.port.start('up', signal), { initPid, monitorPid });
  });

  test('of the containers asked for by name, those that are there are listed, with what a listing of all says of them', async () => {
    const all = await host.port.list();
    const some = await host.port.list(['up', 'nowhere']);
    assert.deepEqual([...some.keys()], ['up']);
    assert.deepEqual(some.get('up'), all.get('up'));
    assert.deepEqual(await host.port.list(), all, 'the others are not forgotten by it');
  });

  test('what has not changed is listed as the same object, and another one when it has', async () => {
    const before = await reading('up');
    assert.equal(await reading('up'), before);
    writeFileSync(join(host.paths.instance('up'), 'instance.json'), '{"changed":1}');
    assert.notEqual(await reading('up'), before);
    writeFileSync(join(host.paths.instance('up'), 'instance.json'), before.record ?? '');
    assert.deepEqual(await reading('up'), before);
  });

  test('a container of which nothing is left but what runs is listed by name, too', async () => {
    const hidden = `${host.paths.instance('up')}.hidden`;
    renameSync(host.paths.instance('up'), hidden);
    try {
      const found = (await host.port.list(['up'])).get('up');
      assert.equal(found?.power, 'Running');
      assert.equal(found.config, undefined);
    } finally {
      renameSync(hidden, host.paths.instance('up'));
    }
    assert.notEqual((await reading('up')).config, undefined);
  });

  test('where the directory of all containers is missing nothing is said of any', async () => {
    const hidden = `${host.paths.instances}.hidden`;
    renameSync(host.paths.instances, hidden);
    try {
      await assert.rejects(host.port.list(['up', 'nowhere']), { code: 'HOST_UNREADABLE' });
    } finally {
      renameSync(hidden, host.paths.instances);
    }
  });

  test('control files are read and written in the payload group', async () => {
    await host.port.setCgroup('up', 'pids.max', '77');
    const values = await host.port.cgroupValues('up', ['pids.max', 'no.such_file', '../../pids.max']);
    assert.deepEqual([...values], [['pids.max', '77']]);
    await assert.rejects(host.port.setCgroup('up', 'pids.nothing', '1'), { code: 'FEATURE_MISSING' });
    await assert.rejects(host.port.setCgroup('up', 'pids.max', 'many'), { code: 'LXC_FAILED' });
  });

  test('freezing and thawing is seen in the listing', async () => {
    await host.port.freeze('up', signal);
    assert.equal((await reading('up')).power, 'Frozen');
    await assert.rejects(host.port.exec('up', { command: ['true'], environment: {} }), { code: 'LXC_NOT_RUNNING' });
    await host.port.unfreeze('up', signal);
    assert.equal((await reading('up')).power, 'Running');
  });

  test('one that makes processes all the time is frozen each time', async () => {
    // xargs waits for each of them by vfork(2).
    const busy = 'for at in 1 2 3; do while :; do yes | head -n 500 | xargs -n 1 /bin/true; done & done; wait';
    const running = await host.port.exec('up', { command: ['sh', '-c', busy], environment: { PATH: '/bin:/sbin:/usr/bin' } });
    for (let times = 1; times <= 12; times++) {
      await host.port.freeze('up', AbortSignal.timeout(10_000));
      assert.equal((await reading('up')).power, 'Frozen', `${times}`);
      await host.port.unfreeze('up', signal);
      await sleep(times % 10);
    }
    running.signal(9);
    await running.exited;
  });

  test('a frozen container can be killed, and nothing of it is left', async () => {
    const { initPid, monitorPid } = await reading('up');
    assert.notEqual(cgroupsOf('tl', 'up').length, 0);
    await host.port.freeze('up', signal);
    await host.port.kill('up', signal);
    assert.equal(alive(initPid), false);
    assert.equal(alive(monitorPid), false);
    assert.deepEqual(cgroupsOf('tl', 'up'), []);
    const found = await reading('up');
    assert.equal(found.power, 'Stopped');
    assert.equal(found.exit?.signal, 9);
    await host.port.kill('up', signal);
  });

  test('a crash of init is told at once, with its exit record, and a start clears it', async () => {
    const { initPid } = await host.port.start('up', signal);
    assert.equal((await reading('up')).exit, undefined);
    changes.length = 0;
    const before = performance.now();
    process.kill(initPid, 'SIGSEGV');
    process.kill(initPid, 'SIGKILL');
    await until('the change', () => changes.includes('up'));
    assert.ok(performance.now() - before < 500);
    await until('the end', async () => (await reading('up')).power === 'Stopped');
    assert.equal((await reading('up')).exit?.signal, 9);
    assert.ok(Math.abs(((await reading('up')).exit?.at ?? 0) - Date.now()) < 10_000);
    await until('the clean-up', () => cgroupsOf('tl', 'up').length === 0);
    await host.port.start('up', signal);
  });

  test("a guest's poweroff is told apart by its signal", async () => {
    const { exited } = await host.port.exec('up', { command: ['poweroff', '-f'], environment: {} });
    await exited.catch(() => undefined);
    await until('the end', async () => (await reading('up')).power === 'Stopped');
    assert.equal((await reading('up')).exit?.signal, 2);
  });

  test('an exit code of init is recorded', async () => {
    writeFileSync(join(host.rootfs, 'coded-init'), '#!/bin/sh\nsleep 0.2\nexit 3\n', { mode: 0o755 });
    await host.define('coded', ['lxc.init.cmd = /coded-init']);
    await host.port.start('coded', signal);
    await until('the end', async () => (await reading('coded')).power === 'Stopped');
    assert.equal((await reading('coded')).exit?.code, 3);
  });

  test("a guest's reboot keeps the monitor and gives a new init", async () => {
    const first = await host.port.start('up', signal);
    const { exited } = await host.port.exec('up', { command: ['reboot', '-f'], environment: {} });
    await exited.catch(() => undefined);
    const now = await until('the new init', async () => {
      const found = await reading('up');
      return found.power === 'Running' && found.initPid !== first.initPid && found;
    });
    assert.equal(now.monitorPid, first.monitorPid);
    assert.equal(now.exit, undefined);
  });

  test('a shutdown request reaches init', async () => {
    await host.port.shutdown('up');
    await until('the end', async () => (await reading('up')).power === 'Stopped');
    await assert.rejects(host.port.shutdown('up'), { code: 'LXC_NOT_RUNNING' });
  });

  test('an init that was started just now is asked when it listens', async () => {
    const init = "#!/bin/sh\nsleep 0.3\ntrap 'exit 0' USR1\nwhile :; do sleep 0.05; done\n";
    writeFileSync(join(host.rootfs, 'bin/slow-init'), init, { mode: 0o755 });
    await host.define('slow', ['lxc.init.cmd = /bin/slow-init']);
    await host.port.start('slow', signal);
    await host.port.shutdown('slow');
    await until('the end', async () => (await reading('slow')).power === 'Stopped', 3000);
    await host.port.undefine('slow');
  });

  test("a start that fails says why in liblxc's words and leaves nothing", async () => {
    await host.define('broken', ['lxc.rootfs.path = dir:/nowhere/at/all']);
    await assert.rejects(host.port.start('broken', signal), (error: Error & { code: string }) => {
      assert.equal(error.code, 'LXC_START_FAILED');
      assert.match(error.message, /"broken" did not start: .*\/nowhere\/at\/all/);
      return true;
    });
    assert.deepEqual(cgroupsOf('tl', 'broken'), []);
    assert.equal((await reading('broken')).power, 'Stopped');
    await host.define('noinit', ['lxc.init.cmd = /no/such/init']);
    await assert.rejects(host.port.start('noinit', signal), /\/no\/such\/init/);
    await assert.rejects(host.port.start('missing', signal), { code: 'NOT_FOUND' });
    await host.port.define('garbled', { config: 'lxc.nonsense = 1\n', record: '{}' });
    await assert.rejects(host.port.start('garbled', signal), { code: 'LXC_START_FAILED' });
    for (const name of ['broken', 'noinit', 'garbled']) await host.port.undefine(name);
  });

  test('a config with a control character or an include is refused, and the old one stays', async () => {
    const before = readFileSync(join(host.paths.instance('up'), 'config'), 'utf8');
    for (const config of ['lxc.uts.name = a\rlxc.hook.pre-start = /bin/sh', 'lxc.include = /etc/passwd', 'a = \u0000', ' lxc.include=x']) {
      await assert.rejects(host.port.define('up', { config, record: '{}' }), { code: 'VALUE_INVALID' });
    }
    for (const name of ['../x', 'a/b', '.hidden', '', '-n']) {
      await assert.rejects(host.port.define(name, { config: '', record: '' }), { code: 'NAME_INVALID' });
    }
    assert.equal(readFileSync(join(host.paths.instance('up'), 'config'), 'utf8'), before);
  });

  test('device nodes are made, kept when they are right, and removed', async () => {
    const node = { file: 'net.tun', type: 'char', major: 10, minor: 200, mode: 0o640, uid: FIRST_ID, gid: FIRST_ID + 5 } as const;
    await host.port.setDeviceNodes('up', [node, { ...node, file: 'second', type: 'block', major: 259, minor: 300 }]);
    const path = join(host.paths.instance('up'), 'devices/net.tun');
    const made = statSync(path);
    assert.ok(made.isCharacterDevice());
    assert.deepEqual([made.rdev, made.mode & 0o777, made.uid, made.gid], [(10 << 8) | 200, 0o640, FIRST_ID, FIRST_ID + 5]);
    assert.ok(statSync(join(host.paths.instance('up'), 'devices/second')).isBlockDevice());
    await host.port.setDeviceNodes('up', [node]);
    assert.equal(statSync(path).ino, made.ino);
    assert.deepEqual(readdirSync(join(host.paths.instance('up'), 'devices')), ['net.tun']);
    await assert.rejects(host.port.setDeviceNodes('up', [{ ...node, file: '../config' }]), { code: 'VALUE_INVALID' });
  });

  test('twenty starts at once all succeed; stops too', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `many${i}`);
    await Promise.all(names.map((name) => host.define(name)));
    const replies = await Promise.all(names.map((name) => host.port.start(name, signal)));
    assert.equal(new Set(replies.map((reply) => reply.initPid)).size, 20);
    const listing = await host.port.list();
    for (const [i, name] of names.entries()) assert.equal(listing.get(name)?.initPid, replies[i]?.initPid);
    await Promise.all(names.map((name) => host.port.kill(name, signal)));
    for (const name of names) {
      assert.deepEqual(cgroupsOf('tl', name), []);
      await host.port.undefine(name);
    }
  });

  test('containers, a reboot among them, go on while no daemon runs, and are adopted and watched again', async () => {
    const first = await host.port.start('up', signal);
    await host.define('other');
    const other = await host.port.start('other', signal);
    const closed = host.port.close();
    await closed;
    assert.ok(alive(first.initPid) && alive(other.monitorPid));
    // busybox's init reboots on SIGTERM.
    process.kill(other.initPid, 'SIGTERM');
    await until('the old init to be gone', () => !alive(other.initPid));
    await until('a new init', () => readFileSync(`/proc/${other.monitorPid}/task/${other.monitorPid}/children`, 'utf8') !== '');
    const port = await host.reopen();
    port.onChange((name) => changes.push(name));
    const listing = await port.list();
    assert.equal(listing.get('up')?.initPid, first.initPid);
    await until('the rebooted one to run', async () => (await port.list()).get('other')?.power === 'Running');
    assert.equal((await port.list()).get('other')?.monitorPid, other.monitorPid);
    changes.length = 0;
    process.kill(first.initPid, 'SIGKILL');
    await until('the change', () => changes.includes('up'));
    await until('the end', async () => (await port.list()).get('up')?.power === 'Stopped');
    assert.equal((await port.list()).get('up')?.exit?.signal, 9);
    await port.kill('other', signal);
  });

  test('a monitor that is stopped does not keep the others waiting, and can be killed', { timeout: 60_000 }, async () => {
    const { monitorPid, initPid } = await host.port.start('other', signal);
    process.kill(monitorPid, 'SIGSTOP');
    const stuck = host.port.shutdown('other').catch(() => undefined);
    await host.port.start('up', signal);
    await host.port.freeze('up', signal);
    await host.port.kill('up', signal);
    await host.port.kill('other', signal);
    await stuck;
    assert.equal(alive(initPid), false);
    assert.equal(alive(monitorPid), false);
    assert.deepEqual(cgroupsOf('tl', 'other'), []);
  });

  test('a container that still runs is not removed', async () => {
    await host.port.start('up', signal);
    await assert.rejects(host.port.undefine('up'), { code: 'LXC_FAILED' });
    assert.ok(existsSync(host.paths.instance('up')));
  });

  test('a frozen container whose monitor was killed is ended, and can be started again', async () => {
    await using own = await makeTestHost('tj');
    await own.define('left');
    const first = await own.port.start('left', signal);
    await own.port.freeze('left', signal);
    process.kill(first.monitorPid, 'SIGKILL');
    await until('nothing of it is left', () => !alive(first.initPid) && cgroupsOf(own.prefix, 'left').length === 0);
    const second = await own.port.start('left', signal);
    assert.ok(alive(second.initPid));
  });

  test('a process of the monitor that outlives it is ended, and the container can be started again', async (t) => {
    await using own = await makeTestHost('tm');
    await own.define('left');
    const first = await own.port.start('left', signal);
    // As liblxc's own child does when the monitor is killed before that has asked to die with it.
    const child = spawn('/bin/sleep', ['300'], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    for (const group of cgroupsOf(own.prefix, 'left')) writeFileSync(join(group, 'monitor/cgroup.procs'), String(child.pid));
    process.kill(first.monitorPid, 'SIGKILL');
    await until('nothing of it is left', () => !alive(child.pid) && cgroupsOf(own.prefix, 'left').length === 0);
    const second = await own.port.start('left', signal);
    assert.ok(alive(second.initPid));
  });

  test('a start that hangs is ended at its deadline, also by the next daemon, and the next one works', async () => {
    await using own = await makeTestHost('tk');
    const power = async (): Promise<string | undefined> => (await own.port.list()).get('stuck')?.power;
    await own.define('stuck', ['lxc.hook.pre-start = /bin/sh -c "exec /bin/sleep 4"']);
    const hangs = async (ms: number): Promise<void> => {
      await assert.rejects(own.port.start('stuck', AbortSignal.timeout(ms)), { code: 'CANCELLED' });
    };
    await hangs(700);
    assert.equal(await power(), 'Stopped');
    assert.deepEqual(cgroupsOf(own.prefix, 'stuck'), []);
    const given = new AbortController();
    const start = own.port.start('stuck', given.signal);
    await until('it starts', async () => (await power()) === 'Starting');
    await sleep(200); // its monitor listens
    given.abort();
    await assert.rejects(start, { code: 'CANCELLED' });
    assert.equal(await power(), 'Starting', 'only given up by us: it may still come up');
    await own.reopen({ adoptedStartMs: 500 });
    await until('the next daemon ends it', async () => (await power()) === 'Stopped');
    await own.define('stuck');
    const { initPid } = await own.port.start('stuck', signal);
    assert.ok(alive(initPid));
  });
});
