// DHCP ranges must lie in the network's subnet.
import { cidrHolds, subnetOf } from '../../core/ip.ts';
import { optionValue } from '../registry.ts';
import type { CheckContext, CheckFinding } from './context.ts';
import { declaredSubnet, networkConfig } from './subnet.ts';

export function networkRanges(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  for (const network of context.ofKind('Network')) {
    const subnet = declaredSubnet(network);
    if (subnet === undefined) continue;
    for (const { first, last } of optionValue('network/bridge', 'ipv4.dhcp.ranges', networkConfig(network)) ?? []) {
      if (cidrHolds(subnet, first) && cidrHolds(subnet, last)) continue;
      const finding = {
        path: ['spec', 'config', 'ipv4.dhcp.ranges'],
        rule: 'range-in-subnet',
        message: `The range ${first}-${last} is not inside the subnet ${subnetOf(subnet)} of the network "${network.ref.name}".`,
      };
      findings.push({ document: network, finding, unusable: [network] });
    }
  }
  return findings;
}
