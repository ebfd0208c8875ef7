// Mounts and NICs put into a running container by the port itself, with paths that its root controls; and what a guest's reboot starts with.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plugged, PluggedMount } from '../../src/host/ports/lxc.ts';
import { FIRST_ID, makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

/** What the container's root could do to make them writable, and to write. */
async function makeWritable(run: (...command: string[]) => Promise<string>, ...paths: string[]): Promise<string[]> {
  const attempts = `
    mkdir -p /run/again; touch /run/again-file
    for path in ${paths.join(' ')}; do
      [ -d $path ] && again=/run/again || again=/run/again-file
      mount --bind $path $again || echo "$path cannot be bound"
      for at in $path $again; do mount -o remount,rw,bind $at && echo "$at remounted"; done
      if [ -d $path ]; then touch $path/new; else echo more >>$path; fi && echo "$path written"
      umount $again
    done`;
  return (await run('sh', '-c', attempts)).split('\n').filter(Boolean);
}

/** Returns init's environment, as it is after the reboot. */
async function reboot(host: TestHost): Promise<string> {
  const before = (await host.port.list()).get('c')?.initPid;
  assert.ok(before !== undefined);
  // busybox's init reboots on SIGTERM.
  process.kill(before, 'SIGTERM');
  for (let n = 0; n < 200; n++) {
    const now = (await host.port.list()).get('c');
    if (now?.power === 'Running' && now.initPid !== before) {
      const environment = readFileSync(`/proc/${now.initPid}/environ`, 'utf8');
      // Until it is executed, it is a copy of the monitor.
      if (environment.includes('container=lxc')) return environment;
    }
    await sleep(25);
  }
  return assert.fail('it did not come up again');
}

describe('devices of a running container', { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  const link = 'tpv222222222';
  let host: TestHost;
  let shared: string;

  before(async () => {
    host = await makeTestHost('tp');
    await host.define('c');
    await host.port.start('c', AbortSignal.timeout(10_000));
    shared = join(host.root, 'shared');
    mkdirSync(shared, { mode: 0o755 });
    chmodSync(shared, 0o755);
    writeFileSync(join(shared, 'file'), 'shared');
    for (const path of [shared, join(shared, 'file')]) chownSync(path, FIRST_ID, FIRST_ID);
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  const signal = (): AbortSignal => AbortSignal.timeout(10_000);
  const plug = (device: Plugged): Promise<void> => host.port.plug('c', device, signal());
  const unplug = (device: Plugged): Promise<void> => host.port.unplug('c', device, signal());

  async function run(...command: string[]): Promise<string> {
    const process = await host.port.exec('c', { command, environment: {} });
    process.stdin.end();
    const [output] = await Promise.all([text(process.stdout as Readable), process.exited]);
    return output.trim();
  }

  const mount = (target: string, more: Partial<PluggedMount> = {}): PluggedMount => ({
    is: 'mount',
    source: shared,
    target,
    directory: true,
    readonly: false,
    recursive: false,
    ...more,
  });

  test('a directory and a file of the host come and go; gone twice is fine', async () => {
    const file = mount('/run/deep/file', { source: join(shared, 'file'), directory: false, readonly: true });
    await plug(mount('/run/deep/er'));
    await plug(file);
    assert.equal(await run('cat', '/run/deep/er/file', '/run/deep/file'), 'sharedshared');
    for (const device of [mount('/run/deep/er'), file, file]) await unplug(device);
    assert.equal(await run('sh', '-c', 'cat /run/deep/er/file; cat /run/deep/file; grep -c /run/deep /proc/mounts'), '0');
    await unplug(mount('/no/such/place'));
  });

  test('what is read-only cannot be made writable by the root of the container', async () => {
    const file = mount('/run/ro-file', { source: join(shared, 'file'), directory: false, readonly: true });
    for (const recursive of [false, true]) {
      await plug(mount('/run/ro', { readonly: true, recursive }));
      await plug({ ...file, recursive });
      assert.equal(await run('cat', '/run/ro/file', '/run/ro-file'), 'sharedshared');
      assert.deepEqual(await makeWritable(run, '/run/ro', '/run/ro-file'), []);
      await unplug(mount('/run/ro'));
      await unplug(file);
      assert.equal(await run('sh', '-c', 'grep -c /run/ro /proc/mounts'), '0');
    }
    // The same means on one that may be written, so that it is known to work.
    await plug(mount('/run/rw'));
    assert.deepEqual(await makeWritable(run, '/run/rw'), ['/run/rw remounted', '/run/again remounted', '/run/rw written']);
    await unplug(mount('/run/rw'));
  });

  test('what the guest has mounted over it goes with it', async () => {
    await plug(mount('/run/over'));
    await plug({ is: 'mount', target: '/run/over', directory: true, readonly: false, recursive: false, sizeBytes: 65_536 });
    await unplug(mount('/run/over'));
    assert.equal(await run('sh', '-c', 'grep -c /run/over /proc/mounts'), '0');
  });

  test('a link on the way, a target of the wrong kind and a path that is none are refused', async () => {
    await run('sh', '-c', 'mkdir /run/real; touch /run/plain');
    for (const [path, to] of [
      ['run/link', '/run/real'],
      ['run/up', '../../../../..'],
    ]) {
      symlinkSync(to!, join(host.rootfs, 'tmp', path!.slice(4)));
    }
    const refusals = [
      '/tmp/link',
      '/tmp/link/below',
      `/tmp/up${host.root}`,
      '/run/plain',
      '/run/plain/below',
      '/run/real/..',
      '/run/../tmp/x',
    ];
    for (const target of refusals) await assert.rejects(plug(mount(target)), { code: 'DEVICE_REFUSED' }, target);
    await assert.rejects(plug(mount('relative')), { code: 'DEVICE_REFUSED' });
    await assert.rejects(plug(mount('/run/nul\0x')), { code: 'VALUE_INVALID' });
    await assert.rejects(plug(mount('/run/real', { source: join(shared, 'none') })), { code: 'DEVICE_MISSING' });
    await assert.rejects(plug(mount('/run/real', { directory: false })), { code: 'DEVICE_MISSING' });
    await assert.rejects(plug({ is: 'node', source: join(shared, 'file'), target: '/run/node' }), { code: 'DEVICE_MISSING' });
    assert.equal(readFileSync('/proc/self/mounts', 'utf8').includes(shared), false, 'nothing is mounted on the host');
  });

  test('a NIC is made with its name, address and state, made anew, and refused where its name is taken', async () => {
    const nic: Plugged = { is: 'nic', link, bridge: 'lo', interface: 'eth7', hwaddr: '00:16:3e:01:02:03', mtu: 1400 };
    // Nothing is left of one that cannot be finished: `lo` is no bridge.
    await assert.rejects(plug(nic), { code: 'NETWORK_FAILED' });
    const bridge = 'tp-bridge';
    execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge']);
    try {
      for (const _ of [1, 2]) {
        await plug({ ...nic, bridge });
        const [found] = (await host.port.interfaces('c')).filter(({ name }) => name === 'eth7');
        assert.deepEqual([found?.hwaddr, found?.mtu, found?.up], ['00:16:3e:01:02:03', 1400, true]);
      }
      const other: Plugged = { ...nic, bridge, link: link.replaceAll('2', '3') };
      await assert.rejects(plug(other), { code: 'DEVICE_REFUSED' });
      await unplug(nic);
      await unplug(nic);
      assert.deepEqual(
        (await host.port.interfaces('c')).map(({ name }) => name),
        ['lo'],
      );
    } finally {
      execFileSync('ip', ['link', 'delete', bridge]);
    }
  });

  test('nothing is put into a container that does not run, or for one who has given up', async () => {
    await host.define('off');
    await assert.rejects(host.port.plug('off', mount('/run/x'), signal()), { code: 'LXC_NOT_RUNNING' });
    await assert.rejects(host.port.plug('c', mount('/run/x'), AbortSignal.abort(new Error('given up'))), /given up/);
  });
});

describe('disks of a configuration', { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  let host: TestHost;
  before(async () => {
    host = await makeTestHost('to');
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });
  const signal = (): AbortSignal => AbortSignal.timeout(10_000);

  async function run(...command: string[]): Promise<string> {
    const process = await host.port.exec('c', { command, environment: {} });
    process.stdin.end();
    const [output] = await Promise.all([text(process.stdout as Readable), process.exited]);
    return output.trim();
  }

  test('are their source, whatever is mounted in it and whoever may pass to it', async () => {
    const closed = join(host.root, 'closed');
    const shared = join(closed, 'shared');
    const below = join(shared, 'below');
    mkdirSync(below, { recursive: true, mode: 0o755 });
    chmodSync(closed, 0o700);
    writeFileSync(join(below, 'under'), '');
    const pool = join(host.paths.pools, 'other');
    mkdirSync(pool, { recursive: true });
    for (const path of [below, pool]) execFileSync('mount', ['-t', 'tmpfs', 'none', path]);
    try {
      writeFileSync(join(below, 'over'), '');
      await host.define('c', [
        `lxc.mount.entry = ${shared} run/one none bind,create=dir 0 0`,
        `lxc.mount.entry = ${shared} run/all none rbind,create=dir 0 0`,
      ]);
      await host.port.start('c', signal());
      assert.equal(await run('ls', '/run/one/below', '/run/all/below'), '/run/all/below:\nover\n\n/run/one/below:\nunder');
      // A pool that has nothing to do with the container can go while it runs.
      const monitor = readFileSync(`/proc/${(await host.port.list()).get('c')?.monitorPid}/mounts`, 'utf8');
      assert.deepEqual([monitor.includes(host.paths.instance('c')), monitor.includes(pool)], [true, false]);
      await host.port.kill('c', signal());
    } finally {
      for (const path of [below, pool]) execFileSync('umount', [path]);
    }
  });

  test('that are read-only cannot be made writable by the root of the container, nor after its reboot; nothing of them is on the host', async () => {
    const shared = join(host.root, 'a b\\c');
    mkdirSync(join(shared, 'below'), { recursive: true, mode: 0o755 });
    writeFileSync(join(shared, 'file'), 'shared');
    for (const path of [shared, join(shared, 'file')]) chownSync(path, FIRST_ID, FIRST_ID);
    const source = shared.replaceAll('\\', '\\134').replaceAll(' ', '\\040');
    await host.define('c', [
      `lxc.mount.entry = ${source} run/rw none bind,create=dir 0 0`,
      `lxc.mount.entry = ${source} run/ro none bind,ro,create=dir 0 0`,
      `lxc.mount.entry = ${source} run/all none rbind,ro,create=dir 0 0`,
      `lxc.mount.entry = ${source}/file run/ro-file none bind,ro,create=file 0 0`,
      // In the one before: its place is where it stands.
      `lxc.mount.entry = ${source} run/ro/below none bind 0 0`,
    ]);
    await host.port.start('c', signal());
    for (let boot = 1; boot <= 2; boot++) {
      assert.equal(
        await run('cat', '/run/ro/file', '/run/all/file', '/run/ro-file', '/run/rw/file', '/run/ro/below/file'),
        'shared'.repeat(5),
      );
      assert.deepEqual(await makeWritable(run, '/run/ro', '/run/all', '/run/ro-file'), []);
      assert.deepEqual(await makeWritable(run, '/run/rw'), ['/run/rw remounted', '/run/again remounted', '/run/rw written']);
      assert.equal((await makeWritable(run, '/run/ro/below')).at(-1), '/run/ro/below written');
      assert.equal(readFileSync('/proc/self/mounts', 'utf8').includes(host.root), false);
      if (boot === 2) break;
      // With the configuration of the first start, because what is there by now cannot be read.
      const file = join(host.paths.instance('c'), 'config');
      const config = readFileSync(file);
      writeFileSync(file, 'lxc.no.such.key = 1\n');
      await reboot(host);
      writeFileSync(file, config);
    }
    await host.port.kill('c', signal());
    assert.equal(existsSync(join(host.paths.instance('c'), 'disks')), false);
  });

  test('whose source is not there end the start with the reason', async () => {
    await host.define('d', [`lxc.mount.entry = ${host.root}/none run/ro none bind,ro,create=dir 0 0`]);
    await assert.rejects(host.port.start('d', signal()), {
      code: 'LXC_START_FAILED',
      message: /liblxc gave up/,
    });
    assert.match(readFileSync(join(host.paths.instance('d'), 'log'), 'utf8'), /"[^"]*\/none" cannot be mounted: No such file/);
  });
});

describe("a guest's reboot", { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  let host: TestHost;
  before(async () => {
    host = await makeTestHost('tr');
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  test('starts with the configuration as it is by then, and says so', async () => {
    await host.define('c', ['lxc.environment = WHICH=first']);
    await host.port.start('c', AbortSignal.timeout(10_000));
    const monitor = (await host.port.list()).get('c')?.monitorPid;
    await host.define('c', ['lxc.environment = WHICH=second']);
    const directory = host.paths.instance('c');
    writeFileSync(join(directory, 'instance.json'), '{"second":true}');
    assert.match(await reboot(host), /WHICH=second/);
    assert.equal(readFileSync(join(directory, 'started.json'), 'utf8'), '{"second":true}');
    assert.equal((await host.port.list()).get('c')?.monitorPid, monitor);
    assert.equal(readFileSync(join(directory, 'log'), 'utf8').includes('rebooted'), false, 'what stopped the reboot is no error');
  });

  test('starts as it was when the configuration cannot be read', async () => {
    writeFileSync(join(host.paths.instance('c'), 'config'), 'lxc.no.such.key = 1\n');
    assert.match(await reboot(host), /WHICH=second/);
  });
});
