// A template that several instances are made from cannot give them an address or a MAC address: all would have the same one.
import type { InstanceSetManifest } from '../kinds/instance-set.ts';
import type { CheckContext, CheckFinding } from './context.ts';

export function templateAddresses(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  for (const set of context.ofKind('InstanceSet')) {
    const { replicas, template } = set.spec as InstanceSetManifest;
    if (replicas < 2) continue;
    for (const [name, options] of Object.entries(template.spec.devices ?? {})) {
      for (const key of ['ipv4.address', 'ipv6.address', 'hwaddr', 'host_name']) {
        if (options[key] === undefined) continue;
        const path = ['spec', 'template', 'spec', 'devices', name, key];
        const message = `All ${replicas} instances of the set "${set.ref.name}" would have the same "${key}", ${options[key]}.`;
        findings.push({
          document: set,
          finding: { path, inKey: true, rule: 'equal-address', message, hint: 'Remove the key.' },
          unusable: [set],
        });
      }
    }
  }
  return findings;
}
