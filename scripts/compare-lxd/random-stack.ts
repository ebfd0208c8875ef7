// Random stacks of profiles with an instance on top, of what both LXD 5.0 and Lockstep accept: overridden, masked and emptied keys and
// devices. Devices of one name have one mount path, so that no two devices of a result can want the same place.
import type { Random } from './random.ts';

/** A map as it is sent: null and "" mean that the key is not set. */
type SentMap = Readonly<Record<string, string | null>>;

export interface SentLayer {
  readonly config: SentMap;
  readonly devices: Readonly<Record<string, SentMap>>;
}

export interface Stack {
  /** By name. */
  readonly profiles: Readonly<Record<string, SentLayer>>;
  /** Those the instance applies; null is what unsaid means in LXD: the default one. */
  readonly apply: readonly string[] | null;
  readonly instance: SentLayer;
}

/** What the host of the comparison has to offer. */
export const STACK_POOLS = ['cmp0', 'cmp1'] as const;
export const STACK_NETWORKS = ['lxcmp0', 'lxcmp1'] as const;

const CONFIG: readonly (readonly [key: string, values: readonly [string, ...string[]]])[] = [
  ['user.team', ['a', 'b', 'c d', 'über', 'true', '007']],
  ['user.note', ['one\ntwo\n', ' leading', 'a: b', '#no comment', '"quoted"']],
  ['user.x.y', ['1', '2']],
  ['environment.LANG', ['C', 'de_DE.UTF-8']],
  ['environment.A', ['1', '=', 'a=b']],
  ['limits.cpu', ['1', '0-1', '2']],
  ['limits.cpu.allowance', ['50%', '25ms/100ms']],
  ['limits.cpu.priority', ['0', '5', '10']],
  ['limits.memory', ['64MiB', '1GB', '50%', '134217728']],
  ['limits.memory.enforce', ['hard', 'soft']],
  ['limits.memory.swap', ['true', 'false']],
  ['limits.processes', ['100', '500']],
  ['limits.kernel.nofile', ['1024', '1024:4096', 'unlimited']],
  ['boot.autostart', ['true', 'false', '1', 'yes']],
  ['boot.autostart.priority', ['0', '7']],
  ['boot.host_shutdown_timeout', ['5', '60']],
  ['security.nesting', ['true', 'false', 'on']],
  ['security.privileged', ['true', 'false']],
  ['security.protection.delete', ['false']],
  ['linux.sysctl.net.ipv4.ip_forward', ['0', '1']],
  ['cloud-init.user-data', ['#cloud-config\n', '#cloud-config\nruncmd:\n- [ls]\n']],
];

type Shape = (random: Random) => SentMap;

function maybe(random: Random, key: string, values: readonly [string, ...string[]]): SentMap {
  if (random.once(2)) return {};
  return { [key]: value(random, values) };
}

function value(random: Random, values: readonly [string, ...string[]]): string | null {
  if (random.once(8)) return random.once(2) ? '' : null;
  return random.pick(values);
}

function nic(network: string, address: string): Shape {
  return (random) => ({
    type: 'nic',
    network,
    ...maybe(random, 'name', ['net0', 'lan']),
    ...maybe(random, 'hwaddr', ['00:16:3e:00:00:0a', '00:16:3e:00:00:0b']),
    ...maybe(random, 'ipv4.address', [`${address}.10`, `${address}.11`]),
  });
}

function disk(path: string): Shape {
  return (random) => ({
    type: 'disk',
    source: random.pick(['/etc', '/usr/share', '/var/tmp']),
    path,
    ...maybe(random, 'readonly', ['true', 'false']),
    ...maybe(random, 'required', ['true', 'false']),
    ...maybe(random, 'recursive', ['true', 'false']),
  });
}

const DEVICES: readonly (readonly [name: string, shape: Shape])[] = [
  ['eth0', nic('lxcmp0', '10.199.70')],
  ['eth1', nic('lxcmp1', '10.199.71')],
  ['data', disk('/mnt/data')],
  ['logs', disk('/mnt/logs')],
  ['a.b-c_d', disk('/mnt/deep/er')],
  [
    'tun',
    (random) => ({
      type: 'unix-char',
      source: random.pick(['/dev/net/tun', '/dev/null']),
      ...maybe(random, 'path', ['/dev/tun0']),
      ...maybe(random, 'mode', ['0600', '0666']),
      ...maybe(random, 'uid', ['0', '1000']),
      ...maybe(random, 'required', ['true', 'false']),
    }),
  ],
];

function rootDisk(random: Random): SentMap {
  return { type: 'disk', path: '/', pool: random.pick(STACK_POOLS), ...maybe(random, 'size', ['1GiB', '20MB']) };
}

function layer(random: Random, withRoot: boolean): SentLayer {
  const config: Record<string, string | null> = {};
  for (const [key, values] of random.some(CONFIG, 4)) config[key] = value(random, values);
  const devices: Record<string, SentMap> = {};
  for (const [name, shape] of random.some(DEVICES, 3)) devices[name] = random.once(5) ? { type: 'none' } : shape(random);
  if (withRoot) devices['root'] = rootDisk(random);
  else if (random.once(12)) devices['root'] = { type: 'none' };
  return { config, devices };
}

export function randomStack(random: Random): Stack {
  const names = ['default', 'p1', 'p2', 'p3', 'p4'];
  const profiles: Record<string, SentLayer> = {};
  for (const name of names) profiles[name] = layer(random, random.once(2));
  const order = random.some(names, 2).toSorted(() => random.below(3) - 1);
  const apply = random.once(8) ? null : order;
  const used: Readonly<Record<string, SentLayer>> = Object.fromEntries(
    Object.entries(profiles).filter(([name]) => (apply ?? ['default']).includes(name)),
  );
  const has = Object.values(used).some(({ devices }) => devices['root']?.['type'] === 'disk');
  return { profiles: used, apply, instance: layer(random, !has || random.once(4)) };
}
