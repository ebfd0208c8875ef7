// Documents as the stock client prints them, of objects with many keys and devices. `lockstep convert` is tested on them.
import { documentDifferences } from './convert-documents.ts';
import type { RunResult } from '../../src/host/run/run.ts';
import { importBusybox } from './busybox-image.ts';
import type { Outcome } from './main.ts';
import type { LxdPeer } from './peer.ts';

const NETWORK = 'lxcmp4';

const PROFILES = {
  default: {
    description: 'Default LXD profile',
    config: {},
    devices: { root: { type: 'disk', path: '/', pool: 'cmp0' }, eth0: { type: 'nic', network: NETWORK } },
  },
  app: {
    description: 'Limits, and "quotes": #yes',
    config: {
      'limits.cpu': '2',
      'limits.cpu.allowance': '25ms/100ms',
      'limits.memory': '256MiB',
      'limits.kernel.nofile': '1024:4096',
      'boot.autostart': 'true',
      'user.yes': 'yes',
      'user.date': '2024-01-02',
      'user.octal': '0755',
      'user.null': 'null',
      'user.float': '1e3',
      'user.text': ' leading and trailing ',
      'user.lines': 'one\n\n  two\nthree',
      'security.syscalls.intercept.mknod': 'true',
      'snapshots.schedule': '@daily',
      'cloud-init.user-data': '#cloud-config\nwrite_files:\n- path: /etc/motd\n  content: |\n    hello: "world"\n',
    },
    devices: {
      logs: { type: 'disk', source: '/var/log', path: '/mnt/logs', readonly: 'true', required: 'false' },
      tun: { type: 'unix-char', source: '/dev/net/tun', mode: '0666' },
      web: { type: 'proxy', listen: 'tcp:127.0.0.1:18080', connect: 'tcp:127.0.0.1:80' },
      gpu: { type: 'gpu' },
      key: { type: 'usb', vendorid: '1050', productid: '0407' },
      old: { type: 'none' },
    },
  },
} as const;

/** With keys and options that LXD does not have. */
const INCUS_PROFILES = {
  fork: {
    description: 'Keys of Incus',
    config: {
      'limits.cpu.nodes': '0',
      'security.guestapi': 'false',
      'agent.nic_config': 'true',
      'snapshots.schedule': '@weekly, @monthly',
      'user.octal': '0755',
    },
    devices: {
      eth0: { type: 'nic', network: NETWORK, 'limits.priority': '3', 'queue.tx.length': '500', 'security.port_isolation': 'true' },
      key: { type: 'usb', vendorid: '1050', serial: '0123' },
      hot: { type: 'unix-hotplug', vendorid: '067b', required: 'false' },
      root: { type: 'disk', path: '/', pool: 'cmp0', 'initial.user.mode': '0700' },
    },
  },
} as const;

const INSTANCE = {
  config: {
    'limits.memory': '512MiB',
    'environment.LANG': 'de_DE.UTF-8',
    'linux.sysctl.net.ipv4.ip_forward': '1',
    'security.nesting': 'true',
    'raw.lxc': 'lxc.signal.halt = SIGTERM\n',
    'user.owner': 'über',
  },
  devices: {
    eth0: { type: 'nic', network: NETWORK, 'ipv4.address': '10.199.75.9', hwaddr: '00:16:3e:aa:bb:cc', 'limits.max': '100Mbit' },
    gpu: { type: 'none' },
    data: { type: 'disk', pool: 'cmp0', source: 'data', path: '/srv/data' },
  },
  profiles: ['default', 'app'],
  description: 'The shop',
} as const;

/** Which command of the client prints which file. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'instance.yaml': ['config', 'show', 'web'],
  'instance-expanded.yaml': ['config', 'show', 'web', '--expanded'],
  'instance-plain.yaml': ['config', 'show', 'plain'],
  'profile-default.yaml': ['profile', 'show', 'default'],
  'profile-app.yaml': ['profile', 'show', 'app'],
  'network.yaml': ['network', 'show', NETWORK],
  'network-unmanaged.yaml': ['network', 'show', 'lo'],
  'storage.yaml': ['storage', 'show', 'cmp0'],
  'volume-custom.yaml': ['storage', 'volume', 'show', 'cmp0', 'data'],
  'volume-container.yaml': ['storage', 'volume', 'show', 'cmp0', 'container/web'],
};

export async function compareDocuments(peer: LxdPeer): Promise<Outcome> {
  await makeObjects(peer);
  const files: Record<string, string> = {};
  const keep = (file: string, { stdout, stderr, code }: RunResult): void => {
    if (code !== 0) throw new Error(`${file}: ${stderr}`);
    // The peer's own directory has another name each time.
    files[`documents/${file}`] = stdout.replaceAll(peer.inside, peer.program.usualDirectory);
  };
  for (const [file, argv] of Object.entries(COMMANDS)) keep(file, await peer.cli(argv));
  const profiles = peer.program.name === 'Incus' ? Object.keys(INCUS_PROFILES) : [];
  for (const name of profiles) keep(`profile-${name}.yaml`, await peer.cli(['profile', 'show', name]));
  keep('init-dump.yaml', await peer.admin(['init', '--dump']));
  const differences = documentDifferences(files);
  return { differences, summary: `${Object.keys(files).length} documents`, files };
}

async function makeObjects(peer: LxdPeer): Promise<void> {
  await peer.make('storage-pools', {
    name: 'cmp0',
    driver: 'dir',
    description: 'Disks',
    config: { 'rsync.bwlimit': '100MB', 'user.a': 'b' },
  });
  await peer.make('storage-pools/cmp0/volumes/custom', {
    name: 'data',
    config: { 'snapshots.expiry': '1w', 'user.x': 'y' },
    description: 'Data',
  });
  await peer.make('networks', {
    name: NETWORK,
    type: 'bridge',
    description: 'For comparing',
    config: {
      'ipv4.address': '10.199.75.1/24',
      'ipv4.nat': 'false',
      'ipv4.dhcp.ranges': '10.199.75.50-10.199.75.99',
      'ipv6.address': 'none',
      'dns.domain': 'cmp.lan',
      'raw.dnsmasq': 'log-dhcp\n',
      'user.team': 'a',
    },
  });
  await importBusybox(peer, 'busybox');
  for (const [name, profile] of Object.entries(PROFILES)) {
    if (name === 'default') await peer.must('PUT', '/1.0/profiles/default', profile);
    else await peer.make('profiles', { name, ...profile });
  }
  const source = { type: 'image', alias: 'busybox' };
  if (peer.program.name === 'Incus')
    for (const [name, profile] of Object.entries(INCUS_PROFILES)) await peer.make('profiles', { name, ...profile });
  await peer.must('POST', '/1.0/instances', { name: 'web', source, ...INSTANCE });
  await peer.must('POST', '/1.0/instances', { name: 'plain', source: { type: 'none' }, ephemeral: true });
}
