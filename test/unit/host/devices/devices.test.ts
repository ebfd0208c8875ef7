// What each device asks of the container.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceContext, DeviceSpec, HostDiskSpec, NicSpec, UnixCharSpec } from '../../../../src/host/devices/device-spec.ts';
import { deviceNumbers } from '../../../../src/host/devices/host-files.ts';
import { escapeMountField } from '../../../../src/host/devices/mount-entry.ts';
import { deviceHostPaths, deviceParts } from '../../../../src/host/devices/registry.ts';
import type { HostPathReading } from '../../../../src/host/ports/files.ts';
import { makeRef } from '../../../../src/core/ref.ts';

const DISK: HostDiskSpec = {
  type: 'disk',
  name: 'data',
  source: '/srv/a b',
  path: '/mnt/c d',
  readonly: false,
  required: true,
  recursive: false,
};
const TUN: UnixCharSpec = {
  type: 'unix-char',
  name: 'tun',
  source: '/dev/net/tun',
  path: '/dev/net/tun',
  major: undefined,
  minor: undefined,
  uid: 0,
  gid: 5,
  mode: 0o660,
  required: true,
};
const NIC: NicSpec = {
  type: 'nic',
  name: 'eth0',
  network: makeRef('Network', 'lan'),
  interface: 'eth0',
  hwaddr: undefined,
  mtu: undefined,
  ipv4: '10.0.0.9',
};

function context(paths: Record<string, HostPathReading> = {}, change: Partial<DeviceContext> = {}): DeviceContext {
  return {
    uid: 'u1',
    prefix: 'ls',
    hostname: 'web',
    devicesDir: '/state/instances/web/devices',
    idBase: 1_000_000,
    cgroup: 'hybrid',
    nested: false,
    hostPaths: new Map(Object.entries(paths)),
    hwaddrs: { eth0: '00:16:3e:00:00:01' },
    networks: { eth0: { bridge: 'ls-lan', mtu: 1400, dhcp: true } },
    nicIndex: 2,
    ...change,
  };
}

function entry(device: DeviceSpec, at: DeviceContext): string | undefined {
  return deviceParts(device, at).config.find(([key]) => key === 'lxc.mount.entry')?.[1];
}

describe('a disk of the host', () => {
  it('is bound over a directory or over a file, as the source is, with blanks escaped', () => {
    assert.equal(entry(DISK, context({ '/srv/a b': { is: 'directory' } })), '/srv/a\\040b mnt/c\\040d none bind,create=dir 0 0');
    assert.equal(entry(DISK, context({ '/srv/a b': { is: 'file' } })), '/srv/a\\040b mnt/c\\040d none bind,create=file 0 0');
  });

  it('is read-only and recursive when declared so', () => {
    const device = { ...DISK, readonly: true, recursive: true };
    assert.match(entry(device, context({ '/srv/a b': { is: 'directory' } })) ?? '', / none rbind,ro,create=dir 0 0$/);
  });

  it('that is missing is an error when required, else left out with a word', () => {
    const at = context({ '/srv/a b': { is: 'missing' } });
    assert.match(deviceParts(DISK, at).missing ?? '', /"\/srv\/a b" of disk "data" does not exist/);
    const optional = deviceParts({ ...DISK, required: false }, at);
    assert.deepEqual([optional.config, optional.missing], [[], undefined]);
    assert.match(optional.leftOut ?? '', /left out/);
  });

  it('that is a device node is refused', () => {
    const at = context({ '/srv/a b': { is: 'block', major: 8, minor: 0 } });
    assert.match(deviceParts(DISK, at).missing ?? '', /device node/);
  });
});

describe('a tmpfs', () => {
  it('is mounted with its size, without set-uid and device nodes', () => {
    const device: DeviceSpec = { type: 'tmpfs', name: 't', path: '/tmp', sizeBytes: 4096, readonly: false };
    assert.equal(entry(device, context()), 'tmpfs tmp tmpfs rw,nosuid,nodev,size=4096,create=dir 0 0');
    assert.equal(entry({ ...device, sizeBytes: undefined, readonly: true }, context()), 'tmpfs tmp tmpfs ro,nosuid,nodev,create=dir 0 0');
  });
});

describe('a NIC', () => {
  it('is a veth with a fixed name in the bridge, with the MTU of the network', () => {
    const items = Object.fromEntries(deviceParts(NIC, context()).config);
    assert.equal(items['lxc.net.2.link'], 'ls-lan');
    assert.equal(items['lxc.net.2.mtu'], '1400');
    assert.equal(items['lxc.net.2.hwaddr'], '00:16:3e:00:00:01');
    assert.match(items['lxc.net.2.veth.pair'] ?? '', /^lsv[a-z2-7]{9}$/);
    assert.equal(Object.fromEntries(deviceParts({ ...NIC, mtu: 1300 }, context()).config)['lxc.net.2.mtu'], '1300');
  });

  it('has a lease with its address and the name of the instance, where there is DHCP', () => {
    const host = { hwaddr: '00:16:3e:00:00:01', address: '10.0.0.9', hostname: 'web' };
    assert.deepEqual(deviceParts(NIC, context()).dhcpHosts, [{ bridge: 'ls-lan', key: 'u1.eth0', host }]);
    const silent = context({}, { networks: { eth0: { bridge: 'ls-lan', mtu: undefined, dhcp: false } } });
    assert.equal(deviceParts(NIC, silent).dhcpHosts, undefined);
  });

  it('whose network is not there cannot be given', () => {
    assert.match(deviceParts(NIC, context({}, { networks: {} })).missing ?? '', /network "lan"/);
  });
});

describe('a character device', () => {
  const there = { '/dev/net/tun': { is: 'char', major: 10, minor: 200 } } as const;

  it('is a node of our own with shifted owners, bound to its place', () => {
    const { config, nodes } = deviceParts(TUN, context(there));
    const file = nodes?.[0]?.file ?? '';
    assert.match(file, /^unix\.tun\.[0-9a-f]{12}$/);
    assert.deepEqual(nodes, [{ file, type: 'char', major: 10, minor: 200, mode: 0o660, uid: 1_000_000, gid: 1_000_005 }]);
    const value = `/state/instances/web/devices/${file} dev/net/tun none bind,create=file 0 0`;
    assert.deepEqual(config, [['lxc.mount.entry', value]]);
  });

  it('is allowed in the device cgroup of a privileged instance only', () => {
    for (const [cgroup, key] of [
      ['hybrid', 'lxc.cgroup.devices.allow'],
      ['v2', 'lxc.cgroup2.devices.allow'],
    ] as const) {
      const { config, nodes } = deviceParts(TUN, context(there, { idBase: undefined, cgroup }));
      assert.deepEqual(config.at(-1), [key, 'c 10:200 rwm']);
      assert.equal(nodes?.[0]?.gid, 5);
    }
  });

  it('with numbers of its own needs nothing on the host', () => {
    const device = { ...TUN, major: 1, minor: 5 };
    assert.deepEqual(deviceHostPaths(device), []);
    assert.equal(deviceParts(device, context()).nodes?.[0]?.minor, 5);
    assert.deepEqual(deviceHostPaths({ ...TUN, minor: 5 }), ['/dev/net/tun']);
  });

  it('is bound from the host where no nodes can be made', () => {
    const { config, nodes } = deviceParts(TUN, context(there, { nested: true }));
    assert.deepEqual(config, [['lxc.mount.entry', '/dev/net/tun dev/net/tun none bind,create=file 0 0']]);
    assert.equal(nodes, undefined);
  });

  it('that is missing, or no character device, is an error when required, else left out', () => {
    for (const reading of [{ is: 'missing' }, { is: 'file' }, { is: 'block', major: 8, minor: 0 }] as const) {
      assert.ok(deviceParts(TUN, context({ '/dev/net/tun': reading })).missing !== undefined, reading.is);
      assert.ok(deviceParts({ ...TUN, required: false }, context({ '/dev/net/tun': reading })).leftOut !== undefined, reading.is);
    }
  });

  it('has a file name that no device name can break', () => {
    const files = ['../../etc', 'a/b', 'ü'.repeat(300), ''].map(
      (name) => deviceParts({ ...TUN, name }, context(there)).nodes?.[0]?.file ?? '',
    );
    for (const file of files) assert.match(file, /^unix\.[A-Za-z0-9_-]{0,40}\.[0-9a-f]{12}$/);
    assert.equal(new Set(files).size, files.length);
  });
});

describe('mount entries and device numbers', () => {
  it('escape what getmntent splits at or decodes', () => {
    assert.equal(escapeMountField('a b\\040\tc'), 'a\\040b\\134040\\011c');
  });

  it('read large device numbers as glibc does', () => {
    assert.deepEqual(deviceNumbers(0x0a_c8), { major: 10, minor: 200 });
    // makedev(4097, 70000)
    assert.deepEqual(deviceNumbers(17_592_472_306_032), { major: 4097, minor: 70_000 });
  });
});
