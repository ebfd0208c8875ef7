// From what a network is to what it should be. The order is that of a new network: link, addresses, up, ports, forwarding, rules, DHCP.
import { hashOf } from '../../core/hash.ts';
import type { LinkReading } from '../../host/ports/network.ts';
import type { DiffInput, PlannedStep } from '../kind.ts';
import type { NetworkChange } from './changes.ts';
import { bridgeAddress, dhcpSpec, firewallSpec } from './desired.ts';
import { bridgeAlias, type NetworkActual } from './observe.ts';
import { ALLOCATED_HWADDR, bridgeOf, type NetworkSpec } from './spec.ts';

type Input = DiffInput<NetworkSpec, NetworkActual>;

export function diff(input: Input): PlannedStep<NetworkChange>[] {
  const { desired, actual, recorded, facts } = input;
  const bridge = bridgeOf(recorded);
  const hwaddr = recorded.allocations.get(ALLOCATED_HWADDR);
  if (bridge === undefined || hwaddr === undefined) return [];
  const alias = bridgeAlias(facts.prefix, recorded.uid);
  const isLeft = actual !== undefined && (actual.ours || actual.firewall !== undefined || actual.dhcp !== undefined);
  if (desired === undefined) return isLeft ? [{ change: { do: 'delete', bridge, alias, hwaddr } }] : [];
  const changes = [
    // A link of that name that is not ours is not touched: `create` then says so, and nothing else is tried.
    ...(actual?.link === undefined || !actual.ours ? [create(desired, bridge, hwaddr, alias)] : []),
    ...(actual?.link !== undefined && !actual.ours ? [] : settings(desired, bridge, hwaddr, alias, input)),
  ];
  return changes.map((change) => ({ change }));
}

function create(spec: NetworkSpec, bridge: string, hwaddr: string, alias: string): NetworkChange {
  return { do: 'create', bridge, hwaddr, mtu: spec.mtu, alias };
}

function settings(spec: NetworkSpec, bridge: string, hwaddr: string, alias: string, { actual, recorded }: Input): NetworkChange[] {
  // What a bridge has right after `create`.
  const made = { mtu: spec.mtu, hwaddr, alias, addresses: [], up: false };
  const link: Pick<LinkReading, 'mtu' | 'hwaddr' | 'alias' | 'addresses' | 'up'> = actual?.link ?? made;
  const address = bridgeAddress(spec, recorded);
  const wantedAddresses = address === undefined ? [] : [address];
  const addresses = link.addresses.filter((one) => !isLinkLocal(one));
  const changes: NetworkChange[] = [];
  if (link.alias !== alias) changes.push({ do: 'setAlias', bridge, to: alias });
  if (link.mtu !== spec.mtu) changes.push({ do: 'setMtu', bridge, from: link.mtu, to: spec.mtu });
  const wantedHwaddr = spec.hwaddr ?? hwaddr;
  if (link.hwaddr !== wantedHwaddr) changes.push({ do: 'setHwaddr', bridge, from: link.hwaddr, to: wantedHwaddr });
  if (hashOf(addresses.toSorted()) !== hashOf(wantedAddresses)) {
    changes.push({ do: 'setAddresses', bridge, from: addresses, to: wantedAddresses });
  }
  if (!link.up) changes.push({ do: 'setUp', bridge, because: actual?.link === undefined ? 'new' : 'repair' });
  const detached = actual?.detached ?? [];
  if (detached.length > 0) changes.push({ do: 'attachPorts', bridge, ports: detached });
  return [...changes, ...services(spec, bridge, address, actual)];
}

function services(spec: NetworkSpec, bridge: string, address: string | undefined, actual: NetworkActual | undefined): NetworkChange[] {
  const changes: NetworkChange[] = [];
  if (address !== undefined && actual?.forwarding !== true) changes.push({ do: 'enableForwarding', bridge });
  const rules = firewallSpec(spec, bridge, address);
  if (rules === undefined) {
    if (actual?.firewall !== undefined) changes.push({ do: 'clearFirewall', bridge });
  } else if (actual?.firewall?.specHash !== hashOf(rules)) {
    changes.push({ do: 'setFirewall', spec: rules, because: reasonFor(actual?.firewall) });
  }
  const server = dhcpSpec(spec, bridge, address);
  // A list of hosts without a process is no server: instances may have written theirs first.
  if (server === undefined) {
    if (actual?.dhcp?.running) changes.push({ do: 'stopDhcp', bridge });
  } else if (!actual?.dhcp?.running || actual.dhcp.specHash !== hashOf(server)) {
    changes.push({ do: 'startDhcp', spec: server, because: serverReason(actual) });
  }
  if (actual?.dhcp?.hostsIntact === false) changes.push({ do: 'rewriteHosts', bridge });
  return changes;
}

function reasonFor(rules: NetworkActual['firewall']): 'new' | 'changed' | 'repair' {
  if (rules === undefined) return 'new';
  return rules.specHash === undefined ? 'repair' : 'changed';
}

function serverReason(actual: NetworkActual | undefined): 'new' | 'changed' | 'repair' {
  if (actual?.link === undefined || actual.dhcp === undefined) return 'new';
  return actual.dhcp.running ? 'changed' : 'repair';
}

/** The kernel's own, on every link that is up. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
