// The subnet a declared network has, as far as it can be told offline.
import { type Ipv4Cidr, parseIpv4Cidr } from '../../core/ip.ts';
import type { ManifestDocument } from '../document.ts';
import type { NetworkManifest } from '../kinds/network.ts';

/** Undefined for `auto` (decided on the host) and `none`. */
export function declaredSubnet(network: ManifestDocument): Ipv4Cidr | undefined {
  const cidr = parseIpv4Cidr(networkConfig(network)['ipv4.address'] ?? '');
  return cidr.ok ? cidr.value : undefined;
}

export function networkConfig(network: ManifestDocument): Readonly<Record<string, string>> {
  return (network.spec as NetworkManifest).config ?? {};
}
