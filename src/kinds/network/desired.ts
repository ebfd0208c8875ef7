// What the host should hold for a network: the spec with recorded allocations put in. Pure.
import { numberToIpv4, parseIpv4Cidr, subnetOf } from '../../core/ip.ts';
import type { DhcpSpec, FirewallSpec } from '../../host/ports/network.ts';
import type { Recorded } from '../kind.ts';
import { ALLOCATED_SUBNET, type Ipv4Spec, type NetworkSpec } from './spec.ts';
import { gatewayOf } from './subnets.ts';

/** The bridge's own address with prefix length; undefined when it has none. */
export function bridgeAddress(spec: NetworkSpec, recorded: Recorded): string | undefined {
  if (spec.ipv4?.address !== 'auto') return spec.ipv4?.address;
  const subnet = recorded.allocations.get(ALLOCATED_SUBNET);
  return subnet === undefined ? undefined : gatewayOf(subnet);
}

/** Undefined: no rules at all. */
export function firewallSpec(spec: NetworkSpec, bridge: string, address: string | undefined): FirewallSpec | undefined {
  const { ipv4 } = spec;
  const cidr = address === undefined ? undefined : parseIpv4Cidr(address);
  if (ipv4 === undefined || !cidr?.ok || (!ipv4.nat && !ipv4.firewall)) return undefined;
  return { bridge, nat: ipv4.nat ? [subnetOf(cidr.value)] : [], services: ipv4.firewall, forward: ipv4.firewall };
}

/** Undefined: no server. With DHCP off it still serves names. */
export function dhcpSpec(spec: NetworkSpec, bridge: string, address: string | undefined): DhcpSpec | undefined {
  const { ipv4, dns } = spec;
  if (ipv4 === undefined || address === undefined || (!ipv4.dhcp && dns.mode === 'none')) return undefined;
  return {
    bridge,
    address,
    ranges: ipv4.dhcp ? rangesOf(ipv4, address) : [],
    leaseSeconds: ipv4.leaseSeconds,
    domain: dns.domain,
    mtu: spec.mtu,
    dhcp: ipv4.dhcp,
    dnsMode: dns.mode,
  };
}

/** The ranges given, else everything between the network's and the broadcast address; dnsmasq leaves its own address out. */
function rangesOf(ipv4: Ipv4Spec, address: string): DhcpSpec['ranges'] {
  if (ipv4.ranges.length > 0) return ipv4.ranges;
  const cidr = parseIpv4Cidr(address);
  return cidr.ok ? [{ first: numberToIpv4(cidr.value.first + 1), last: numberToIpv4(cidr.value.last - 1) }] : [];
}
