// A NIC's static address must be one its network can give it.
import { cidrHolds, type Ipv4Cidr, ipv4ToNumber, subnetOf } from '../../core/ip.ts';
import { makeRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import { optionValue } from '../registry.ts';
import { type CheckFinding, deviceFinding, type DocumentCheck } from './context.ts';
import { declaredSubnet, networkConfig } from './subnet.ts';

export const addressInSubnet: DocumentCheck = {
  of: ['Instance'],
  check: (instance, context) => {
    const findings: CheckFinding[] = [];
    for (const device of context.devicesOf(instance)) {
      const { type, network: name, 'ipv4.address': address } = device.options;
      if (type !== 'nic' || name === undefined || address === undefined) continue;
      const network = context.document(makeRef('Network', name, { project: instance.ref.project }));
      const what = network === undefined ? undefined : addressProblem(network, address);
      if (what !== undefined) findings.push(deviceFinding(device, 'ipv4.address', { rule: 'address-in-subnet', ...what }));
    }
    return findings;
  },
};

function addressProblem(network: ManifestDocument, address: string): { message: string; hint?: string } | undefined {
  const { name } = network.ref;
  const config = networkConfig(network);
  if (config['ipv4.address'] === 'none') return { message: `The network "${name}" has no IPv4, so ${address} cannot be in it.` };
  if (optionValue('network/bridge', 'ipv4.dhcp', config) === false) {
    const message = `The network "${name}" has no DHCP, which is what gives a NIC its static address ${address}.`;
    return { message, hint: 'Set "ipv4.dhcp" of the network to "true", or remove the address.' };
  }
  const subnet = declaredSubnet(network);
  if (subnet === undefined) return undefined;
  if (!cidrHolds(subnet, address)) {
    return { message: `The address ${address} is outside the subnet ${subnetOf(subnet)} of the network "${name}".` };
  }
  const special = specialAddress(subnet, address);
  return special === undefined ? undefined : { message: `The address ${address} is ${special} of the network "${name}".` };
}

function specialAddress(subnet: Ipv4Cidr, address: string): string | undefined {
  const value = ipv4ToNumber(address);
  if (address === subnet.address) return "the bridge's own address";
  if (value === subnet.first) return 'the network address';
  return value === subnet.last ? 'the broadcast address' : undefined;
}
