// Two networks with addresses in common: the host could not tell which one a packet is for.
import { cidrsOverlap, type Ipv4Cidr, subnetOf } from '../../core/ip.ts';
import type { ManifestDocument } from '../document.ts';
import type { CheckContext, CheckFinding } from './context.ts';
import { declaredSubnet } from './subnet.ts';

export function overlappingSubnets(context: CheckContext): readonly CheckFinding[] {
  const subnets: { network: ManifestDocument; subnet: Ipv4Cidr }[] = [];
  for (const network of context.ofKind('Network')) {
    const subnet = declaredSubnet(network);
    if (subnet !== undefined) subnets.push({ network, subnet });
  }
  const findings: CheckFinding[] = [];
  // Sorted by first address, subnets overlap only if one begins before an earlier one has ended: no need to compare all with all.
  let widest: (typeof subnets)[number] | undefined;
  for (const one of subnets.toSorted((a, b) => a.subnet.first - b.subnet.first || b.subnet.last - a.subnet.last)) {
    if (widest !== undefined && cidrsOverlap(widest.subnet, one.subnet)) findings.push(overlap(one, widest), overlap(widest, one));
    if (widest === undefined || one.subnet.last > widest.subnet.last) widest = one;
  }
  return findings;
}

function overlap(
  { network, subnet }: { network: ManifestDocument; subnet: Ipv4Cidr },
  other: { network: ManifestDocument; subnet: Ipv4Cidr },
): CheckFinding {
  const { origin, ref } = other.network;
  const message = `The subnet ${subnetOf(subnet)} overlaps ${subnetOf(other.subnet)} of the network "${ref.name}" (${origin.file}:${origin.line}).`;
  return {
    document: network,
    finding: { path: ['spec', 'config', 'ipv4.address'], rule: 'overlapping-subnets', message },
    unusable: [network],
  };
}
