// What DHCP readings say of one instance, through an index made once per reading: with a thousand instances, a search through all
// leases for each of them would be a million comparisons in every full look. Pure: readings are never changed once they are made.
import type { DhcpHostEntry } from '../../host/devices/device-spec.ts';
import type { DhcpHost, DhcpReading } from '../../host/ports/network.ts';

type Hosts = DhcpReading['hosts'];
type Leases = DhcpReading['leases'];

const hostIndex = new WeakMap<Hosts, ReadonlyMap<string, readonly (readonly [string, DhcpHost])[]>>();
const leaseIndex = new WeakMap<Leases, ReadonlyMap<string, string>>();

/** Static leases of an instance on any network: their keys are `UID.DEVICE`. */
export function staticLeases(uid: string, dhcp: ReadonlyMap<string, DhcpReading>): DhcpHostEntry[] {
  return [...dhcp].flatMap(([bridge, { hosts }]) => (hostsByUid(hosts).get(uid) ?? []).map(([key, host]) => ({ bridge, key, host })));
}

/** The address a NIC has leased; undefined when it has none. `hwaddr`: in lower case. */
export function leasedAddress(hwaddr: string, { leases }: DhcpReading): string | undefined {
  let index = leaseIndex.get(leases);
  if (index === undefined) {
    index = new Map(leases.toReversed().map((lease) => [lease.hwaddr.toLowerCase(), lease.address]));
    leaseIndex.set(leases, index);
  }
  return index.get(hwaddr);
}

function hostsByUid(hosts: Hosts): ReadonlyMap<string, readonly (readonly [string, DhcpHost])[]> {
  let index = hostIndex.get(hosts);
  if (index === undefined) {
    index = Map.groupBy(hosts, ([key]) => key.slice(0, Math.max(0, key.indexOf('.'))));
    hostIndex.set(hosts, index);
  }
  return index;
}
