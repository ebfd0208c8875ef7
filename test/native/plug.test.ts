// Mounts and NICs put into a running container by the port itself, with paths that its root controls; and what a guest's reboot starts with.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plugged, PluggedMount } from '../../src/host/ports/lxc.ts';
import { makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

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

describe("a guest's reboot", { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  let host: TestHost;
  before(async () => {
    host = await makeTestHost('tr');
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function reboot(): Promise<string> {
    const before = (await host.port.list()).get('c')?.initPid;
    assert.ok(before !== undefined);
    // busybox's init reboots on SIGTERM.
    process.kill(before, 'SIGTERM');
    for (let n = 0; n < 200; n++) {
      const now = (await host.port.list()).get('c');
      if (now?.power === 'Running' && now.initPid !== before) return readFileSync(`/proc/${now.initPid}/environ`, 'utf8');
      await sleep(25);
    }
    return assert.fail('it did not come up again');
  }

  test('starts with the configuration as it is by then, and says so', async () => {
    await host.define('c', ['lxc.environment = WHICH=first']);
    await host.port.start('c', AbortSignal.timeout(10_000));
    const monitor = (await host.port.list()).get('c')?.monitorPid;
    await host.define('c', ['lxc.environment = WHICH=second']);
    const directory = host.paths.instance('c');
    writeFileSync(join(directory, 'instance.json'), '{"second":true}');
    assert.match(await reboot(), /WHICH=second/);
    assert.equal(readFileSync(join(directory, 'started.json'), 'utf8'), '{"second":true}');
    assert.equal((await host.port.list()).get('c')?.monitorPid, monitor);
    assert.equal(readFileSync(join(directory, 'log'), 'utf8').includes('rebooted'), false, 'what stopped the reboot is no error');
  });

  test('starts as it was when the configuration cannot be read', async () => {
    writeFileSync(join(host.paths.instance('c'), 'config'), 'lxc.no.such.key = 1\n');
    assert.match(await reboot(), /WHICH=second/);
  });
});
