// What can be done to a network, as data; and each change in words.
import type { FirewallSpec, DhcpSpec } from '../../host/ports/network.ts';
import type { Changes } from '../changes.ts';
import type { Described, FieldChange, Verdict } from '../kind.ts';

export interface NetworkChangeTable {
  create: { bridge: string; hwaddr: string; mtu: number; alias: string };
  setAlias: { bridge: string; to: string };
  setMtu: { bridge: string; from: number; to: number };
  setHwaddr: { bridge: string; from: string; to: string };
  setAddresses: { bridge: string; from: readonly string[]; to: readonly string[] };
  setUp: { bridge: string; because: 'new' | 'repair' };
  /** Puts NICs of running instances back in. */
  attachPorts: { bridge: string; ports: readonly string[] };
  enableForwarding: { bridge: string };
  setFirewall: { spec: FirewallSpec; because: 'new' | 'changed' | 'repair' };
  clearFirewall: { bridge: string };
  startDhcp: { spec: DhcpSpec; because: 'new' | 'changed' | 'repair' };
  stopDhcp: { bridge: string };
  /** Writes the static hosts again, which dnsmasq reads from files. */
  rewriteHosts: { bridge: string };
  delete: { bridge: string; alias: string; hwaddr: string };
}

export type NetworkChange = Changes<NetworkChangeTable>;

const IN_WORDS: { readonly [Name in keyof NetworkChangeTable]: (change: NetworkChangeTable[Name]) => Described } = {
  create: (change) => said('create', `create the bridge ${change.bridge}`, [{ field: 'bridge', to: change.bridge }]),
  setAlias: (change) => said('repair', `mark the bridge ${change.bridge} as ours`),
  setMtu: (change) => said('live', 'change the MTU', [{ field: 'config.bridge.mtu', from: `${change.from}`, to: `${change.to}` }]),
  setHwaddr: (change) => said('live', 'change the hardware address', [{ field: 'config.bridge.hwaddr', from: change.from, to: change.to }]),
  setAddresses: (change) =>
    said('live', 'set the address', [{ field: 'config.ipv4.address', from: listed(change.from), to: listed(change.to) }]),
  setUp: (change) => said(change.because === 'repair' ? 'repair' : 'live', `bring the bridge ${change.bridge} up`),
  attachPorts: (change) => said('repair', `put ${change.ports.length} NICs back into the bridge ${change.bridge}`),
  enableForwarding: () => said('live', 'switch IPv4 forwarding on'),
  setFirewall: (change) =>
    said(change.because === 'repair' ? 'repair' : 'live', 'set the firewall and NAT rules', [
      { field: 'config.ipv4.nat', to: String(change.spec.nat.length > 0) },
      { field: 'config.ipv4.firewall', to: String(change.spec.services) },
    ]),
  clearFirewall: () => said('live', 'remove the firewall and NAT rules'),
  startDhcp: (change) =>
    said(change.because === 'repair' ? 'repair' : 'live', `${change.because === 'changed' ? 'restart' : 'start'} DHCP and DNS`),
  stopDhcp: () => said('live', 'stop DHCP and DNS'),
  rewriteHosts: () => said('repair', 'write the files of static leases again, which were changed from outside'),
  delete: (change) => said('delete', `delete the bridge ${change.bridge}`),
};

export function describe(change: NetworkChange): Described {
  // TypeScript cannot pair a union's member with its own row; the table's type has checked that every row is there.
  return (IN_WORDS[change.do] as (change: NetworkChange) => Described)(change);
}

function said(verdict: Verdict, summary: string, fields: readonly FieldChange[] = []): Described {
  return { verdict, summary, fields };
}

function listed(addresses: readonly string[]): string {
  return addresses.length === 0 ? 'none' : addresses.join(', ');
}
