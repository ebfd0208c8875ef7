// Network forwards: their network, targets inside its subnet (LXD asks for the same), and one forward per address.
import { cidrHolds, subnetOf } from '../../core/ip.ts';
import { makeRef } from '../../core/ref.ts';
import type { FieldPath, ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';
import type { NetworkForwardManifest } from '../kinds/network-forward.ts';
import type { CheckContext, CheckFinding } from './context.ts';
import { missing } from './dangling-references.ts';
import { declaredSubnet } from './subnet.ts';

export function forwards(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  const listening = new Map<string, ManifestDocument>();
  for (const forward of context.ofKind('NetworkForward')) {
    const add = (finding: Finding): unknown => findings.push({ document: forward, finding, unusable: [forward] });
    const { network: name, listenAddress } = forward.spec as NetworkForwardManifest;
    const ref = makeRef('Network', name, { project: forward.ref.project });
    if (!context.isDeclared(ref)) add({ path: ['spec', 'network'], ...missing(context, 'Network', name) });
    const other = listening.get(listenAddress);
    if (other === undefined) listening.set(listenAddress, forward);
    else {
      const message = `The address ${listenAddress} is already that of the forward "${other.ref.name}" (${other.origin.file}:${other.origin.line}).`;
      add({ path: ['spec', 'listenAddress'], rule: 'equal-address', message, hint: 'Give one of them all the ports.' });
    }
    const network = context.document(ref);
    if (network !== undefined) targetsOutside(forward, network).forEach(add);
  }
  return findings;
}

function targetsOutside(forward: ManifestDocument, network: ManifestDocument): Finding[] {
  const subnet = declaredSubnet(network);
  if (subnet === undefined) return [];
  return targetsOf(forward.spec as NetworkForwardManifest)
    .filter(({ address }) => !address.includes(':') && !cidrHolds(subnet, address))
    .map(({ address, path }) => {
      const message = `The address ${address} is outside the subnet ${subnetOf(subnet)} of the network "${network.ref.name}".`;
      return { path, rule: 'address-in-subnet', message };
    });
}

function targetsOf({ config = {}, ports = [] }: NetworkForwardManifest): { address: string; path: FieldPath }[] {
  const all = [
    { address: config['target_address'], path: ['spec', 'config', 'target_address'] },
    ...ports.map((port, at) => ({ address: port['target_address'], path: ['spec', 'ports', at, 'target_address'] })),
  ];
  return all.flatMap(({ address, path }) => (address === undefined ? [] : [{ address, path }]));
}
