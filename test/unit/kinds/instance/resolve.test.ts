// From manifests to typed specs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manifest, resolveText, specFrom } from './fixture.ts';

describe('an instance', () => {
  it('with nothing said runs, is restarted always, and has its profile', () => {
    const spec = specFrom(manifest(''));
    assert.deepEqual([spec.state, spec.restart, spec.protect, spec.privileged, spec.nesting], ['Running', 'Always', false, false, false]);
    assert.deepEqual(spec.profiles, ['default']);
    assert.deepEqual(spec.root, { device: 'root', pool: 'fast', sizeBytes: undefined });
    assert.equal(spec.shutdownTimeoutMs, 30_000);
    assert.equal(spec.autostart, undefined);
    assert.equal(spec.cloudInit, undefined);
    assert.deepEqual(
      spec.deviceList.map((device) => device.name),
      ['eth0'],
    );
  });

  it('has numbers where the manifest has strings', () => {
    const spec = specFrom(
      manifest(
        '  config: { limits.memory: 50%, limits.cpu: "2", limits.cpu.allowance: 10ms/50ms, limits.processes: "9", boot.host_shutdown_timeout: "7", boot.autostart: "no" }',
      ),
    );
    assert.deepEqual(spec.limits.memory, { percent: 50 });
    assert.deepEqual(spec.limits.cpu, { count: 2 });
    assert.deepEqual(spec.limits.cpuAllowance, { quotaMs: 10, periodMs: 50 });
    assert.equal(spec.limits.processes, 9);
    assert.equal(spec.shutdownTimeoutMs, 7000);
    assert.equal(spec.autostart, false);
  });

  it('takes apart its environment, process limits and sysctls', () => {
    const spec = specFrom(
      manifest('  config: { environment.A_B: c=d, limits.kernel.nofile: "1:unlimited", linux.sysctl.net.ipv4.ip_forward: "1" }'),
    );
    assert.deepEqual(spec.environment, { A_B: 'c=d' });
    assert.deepEqual(spec.processLimits, { nofile: { soft: 1, hard: 'unlimited' } });
    assert.deepEqual(spec.sysctls, { 'net.ipv4.ip_forward': '1' });
  });

  it('is protected by either word', () => {
    assert.equal(specFrom(manifest('  protect: true')).protect, true);
    assert.equal(specFrom(manifest('  config: { security.protection.delete: "true" }')).protect, true);
  });

  it('replaces a device of its profile as a whole, and masks one with none', () => {
    const spec = specFrom(
      manifest('  devices: { eth0: { type: none }, net: { type: nic, network: lan, name: eth7, hwaddr: "00:16:3E:AA:BB:CC" } }'),
    );
    assert.equal(spec.deviceList.length, 1);
    const [nic] = spec.deviceList;
    assert.ok(nic?.type === 'nic');
    assert.deepEqual([nic.interface, nic.hwaddr], ['eth7', '00:16:3e:aa:bb:cc']);
  });

  it('types its devices with their defaults', () => {
    const spec = specFrom(
      manifest(
        '  devices: { eth0: { type: none }, a: { type: disk, source: /srv, path: /srv }, b: { type: disk, source: "tmpfs:", path: /b, size: 1kB }, c: { type: unix-char, path: /dev/fuse, mode: "0666", required: "false" } }',
      ),
    );
    assert.deepEqual(spec.deviceList, [
      { type: 'disk', name: 'a', source: '/srv', path: '/srv', readonly: false, required: true, recursive: false },
      { type: 'tmpfs', name: 'b', path: '/b', sizeBytes: 1000, readonly: false },
      {
        type: 'unix-char',
        name: 'c',
        source: '/dev/fuse',
        path: '/dev/fuse',
        major: undefined,
        minor: undefined,
        uid: 0,
        gid: 0,
        mode: 0o666,
        required: false,
      },
    ]);
  });

  it('without a root disk is a problem, and so are two NICs of one name', () => {
    assert.match(resolveText(manifest('  profiles: []')).problems[0]?.message ?? '', /no root disk/);
    const two = resolveText(manifest('  devices: { eth1: { type: nic, network: lan, name: eth0 } }'));
    assert.match(two.problems[0]?.message ?? '', /"eth0" and "eth1" are both the interface "eth0"/);
  });

  it('depends on others of its project', () => {
    const spec = specFrom(manifest('  dependsOn: [ { kind: Instance, name: db } ]'));
    assert.equal(spec.dependsOn[0]?.ref.name, 'db');
    assert.equal(spec.dependsOn[0]?.condition, 'Running');
  });

  it('is plain data: it survives being written down', () => {
    const spec = specFrom(manifest('  config: { limits.memory: 1GiB, cloud-init.user-data: x }'));
    assert.deepEqual(JSON.parse(JSON.stringify(spec)).limits, spec.limits);
  });
});
