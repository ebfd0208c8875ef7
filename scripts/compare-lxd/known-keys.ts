// Which keys of the option registry LXD knows: each is offered with a value, and only "unknown" counts, not whether the value pleases.
import type { OptionOrigin } from '../../src/schemas/option.ts';
import { isOptionScope, optionFor, type OptionScope, optionsOf } from '../../src/schemas/registry.ts';
import { askAllKeys, MEANT_UNKNOWN } from './all-keys.ts';
import type { Outcome } from './main.ts';
import type { Answer, LxdPeer } from './peer.ts';

export interface KnownKey {
  readonly scope: string;
  readonly key: string;
  readonly known: boolean;
}

/** What a container host can be asked about without special hardware. */
export const ASKED_SCOPES: readonly OptionScope[] = [
  'instance',
  'device/disk',
  'device/nic',
  'device/unix-char',
  'device/unix-block',
  'device/unix-hotplug',
  'device/usb',
  'device/proxy',
  'network/bridge',
  'network/macvlan',
  'network/physical',
  'pool/dir',
  'pool/btrfs',
  'volume',
];

/** Known only to pools of other drivers, which need hardware or kernel modules this host may lack. */
const OF_OTHER_DRIVERS = /^(?:block|lvm|zfs)\./;

/** What LXD 5.0 says about a key it does not know. */
const UNKNOWN =
  /Unknown configuration key|Unknown .*config(?:uration)? key|Invalid device option|Invalid option|Invalid project configuration key/;

type Device = Readonly<Record<string, string>>;

/** Devices LXD takes as they are. Kinds of one type have options of their own: a key is known when one of them knows it. */
const DEVICES: Readonly<Record<string, readonly Device[]>> = {
  'device/disk': [
    { source: '/etc', path: '/mnt/a' },
    { source: 'ceph:pool/volume', path: '/mnt/a' },
  ],
  'device/unix-char': [{ source: '/dev/null' }],
  'device/unix-block': [{ source: '/dev/loop0' }],
  'device/unix-hotplug': [{ vendorid: '1234' }],
  'device/usb': [{ vendorid: '1234' }],
  'device/proxy': [{ listen: 'tcp:127.0.0.1:1', connect: 'tcp:127.0.0.1:1' }],
  'device/nic': [
    { network: 'lxcmp5' },
    { nictype: 'bridged', parent: 'lxcmp5' },
    { nictype: 'macvlan', parent: 'lxcmp5' },
    { nictype: 'physical', parent: 'lxcmp5' },
    { nictype: 'p2p' },
    { nictype: 'routed', parent: 'lxcmp5' },
    { nictype: 'ipvlan', parent: 'lxcmp5' },
    { nictype: 'sriov', parent: 'lxcmp5' },
  ],
};

/** NICs of OVN networks, which this host has not. */
const OF_OVN = /^(?:acceleration|nested|security\.acls.*|ipv[46]\.routes\.external)$/;

export async function askKnownKeys(peer: LxdPeer): Promise<KnownKey[]> {
  const config = { 'ipv4.address': '10.199.77.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none' };
  await peer.make('networks', { name: 'lxcmp5', type: 'bridge', config });
  await peer.make('storage-pools', { name: 'cmp0', driver: 'dir', config: {} });
  const keys: KnownKey[] = [];
  for (const scope of ASKED_SCOPES) {
    const bases = scope.startsWith('device/') ? await usable(peer, scope) : [];
    for (const { key, type } of optionsOf(scope)) {
      if (scope === 'volume' ? OF_OTHER_DRIVERS.test(key) : scope === 'device/nic' && OF_OVN.test(key)) continue;
      const named = key.replace('bgp.peers.*', 'bgp.peers.one').replace('tunnel.*', 'tunnel.one').replace('pool.*', 'pool.cmp0');
      const one = named.replace('*', scope === 'pool/dir' || scope === 'pool/btrfs' ? 'size' : 'net.one');
      keys.push({ scope, key, known: await isKnown(peer, scope, bases, one, type.values?.[0] ?? '1') });
    }
  }
  return keys;
}

/** The kinds of a device that this LXD takes here; each would refuse every key otherwise. */
async function usable(peer: LxdPeer, scope: OptionScope): Promise<Device[]> {
  const bases: Device[] = [];
  for (const base of DEVICES[scope] ?? []) {
    const device = { ...base, type: scope.slice('device/'.length) };
    if ((await offerDevice(peer, device)).ok) bases.push(device);
  }
  if (bases.length === 0) throw new Error(`LXD takes no device for ${scope}.`);
  return bases;
}

async function isKnown(peer: LxdPeer, scope: OptionScope, bases: readonly Device[], key: string, value: string): Promise<boolean> {
  for (const base of bases) if (says(await offerDevice(peer, { ...base, [key]: value }))) return true;
  if (bases.length > 0) return false;
  const [area, type = ''] = scope.split('/');
  const config = { [key]: value };
  if (area === 'instance') return says(await offer(peer, 'profiles', { config, devices: {} }));
  if (area === 'pool') return says(await offer(peer, 'storage-pools', { driver: type, config }));
  if (area === 'volume') return says(await offer(peer, 'storage-pools/cmp0/volumes/custom', { config }));
  const base = type === 'bridge' ? { 'ipv4.address': 'none', 'ipv6.address': 'none' } : { parent: 'lxcmp5' };
  return says(await offer(peer, 'networks', { type, config: { ...base, ...config } }));
}

function says(answer: Answer): boolean {
  return answer.ok || !UNKNOWN.test(answer.error);
}

async function offerDevice(peer: LxdPeer, device: Device): Promise<Answer> {
  return await offer(peer, 'profiles', { config: {}, devices: { d: device } });
}

async function offer(peer: LxdPeer, collection: string, body: object): Promise<Answer> {
  const answer = await peer.call('POST', `/1.0/${collection}`, { name: 'lxoffer', ...body });
  if (answer.ok) await peer.call('DELETE', `/1.0/${collection}/lxoffer`);
  return answer;
}

/** Keys whose origin in the registry is not what LXD says. */
export function judgeKnownKeys(keys: readonly KnownKey[], originOf: (scope: string, key: string) => OptionOrigin | undefined): string[] {
  return keys.flatMap(({ scope, key, known }) => {
    const origin = originOf(scope, key);
    if ((origin === 'LXD') === known) return [];
    return [`${scope} ${key}: of ${origin} in the registry, ${known ? 'known' : 'not known'} to LXD`];
  });
}

/** Instance keys of LXD that the registry lacks without meaning to. */
export function judgeAllKeys(keys: readonly string[]): string[] {
  return keys
    .filter((key) => optionFor('instance', key) === undefined && !MEANT_UNKNOWN.has(key))
    .map((key) => `instance ${key}: not in the registry`);
}

export async function compareKnownKeys(peer: LxdPeer): Promise<Outcome> {
  const all = await askAllKeys(peer);
  const keys = await askKnownKeys(peer);
  const originOf = (scope: string, key: string): OptionOrigin | undefined =>
    isOptionScope(scope) ? optionsOf(scope).find((option) => option.key === key)?.origin : undefined;
  return {
    differences: [...judgeKnownKeys(keys, originOf), ...judgeAllKeys(all)],
    summary: `${keys.length} keys of the registry, ${all.length} instance keys of LXD`,
    files: {
      'known-keys.json': `${JSON.stringify(keys, undefined, 1)}\n`,
      'instance-keys.txt': `${all.join('\n')}\n`,
    },
  };
}
