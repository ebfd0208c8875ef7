// A network as it should be: strings turned into numbers, once. Plain data: it is hashed and compared.
import type { ResourceRef } from '../../core/ref.ts';
import { bridgeName } from '../../core/names.ts';
import type { Facts, Recorded } from '../kind.ts';

export interface NetworkSpec {
  readonly type: 'bridge';
  readonly ipv4: Ipv4Spec | undefined;
  readonly dns: { readonly mode: 'managed' | 'dynamic' | 'none'; readonly domain: string };
  /** Bytes. */
  readonly mtu: number;
  /** Undefined: the one the bridge was made with. */
  readonly hwaddr: string | undefined;
  /** Leases are served: what instances ask for. */
  readonly dhcp4: boolean;
}

export interface Ipv4Spec {
  /** The bridge's address with prefix length; `auto`: the first address of the subnet that was picked and recorded. */
  readonly address: string;
  readonly nat: boolean;
  readonly dhcp: boolean;
  /** Empty: the whole subnet. */
  readonly ranges: readonly { readonly first: string; readonly last: string }[];
  /** Lease time; Number.MAX_SAFE_INTEGER for leases that never end. */
  readonly leaseSeconds: number;
  /** Rules that let DHCP, DNS and forwarded traffic pass. */
  readonly firewall: boolean;
}

/** Allocations of a network, by `what`. */
export const ALLOCATED_BRIDGE = 'link:bridge';
export const ALLOCATED_SUBNET = 'subnet4';
export const ALLOCATED_HWADDR = 'hwaddr:bridge';

/** The link's name: recorded once, so that a renamed network keeps its bridge and the guests in it. */
export function bridgeOf(recorded: Recorded | undefined): string | undefined {
  return recorded?.allocations.get(ALLOCATED_BRIDGE);
}

/** What an instance's NIC needs to know of its network; undefined when it is not declared. Pure, for other kinds. */
export function nicNetwork(facts: Facts, ref: ResourceRef): { bridge: string; mtu: number; dhcp: boolean } | undefined {
  const spec = facts.desired(ref) as NetworkSpec | undefined;
  if (spec === undefined) return undefined;
  const bridge = bridgeOf(facts.recorded(ref)) ?? bridgeName(facts.prefix, ref);
  return { bridge, mtu: spec.mtu, dhcp: spec.dhcp4 };
}
