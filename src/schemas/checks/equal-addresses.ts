// Two NICs in one network with the same static address or the same MAC address.
import { type CheckContext, type CheckFinding, deviceFinding, type ExpandedDevice } from './context.ts';
import { UNIQUE } from './unique-addresses.ts';

export function equalAddresses(context: CheckContext): readonly CheckFinding[] {
  const first = new Map<string, ExpandedDevice>();
  const equal = new Map<string, ExpandedDevice[]>();
  for (const instance of context.ofKind('Instance')) {
    for (const { what, nic } of context.addressesOf(instance)) {
      const other = first.get(what);
      if (other === undefined) first.set(what, nic);
      else equal.set(what, [...(equal.get(what) ?? [other]), nic]);
    }
  }
  return [...equal].flatMap(([what, group]) => group.map((nic) => equalFinding(nic, group, what)));
}

function equalFinding(nic: ExpandedDevice, group: readonly ExpandedDevice[], what: string): CheckFinding {
  const [key, words] = UNIQUE.find(([one]) => what.startsWith(`${one} `))!;
  const owners = group.map(({ instance, name }) => `${instance.ref.name}/${name}`);
  const others = owners.length > 5 ? [...owners.slice(0, 5), '...'] : owners;
  const message = `The ${words} ${nic.options[key]} in the network "${nic.options['network']}" is given ${group.length} times: ${others.join(', ')}.`;
  return deviceFinding(nic, key, { rule: `equal-${key === 'hwaddr' ? 'hwaddr' : 'address'}`, message });
}
