// Two NICs in one network with the same static address or the same MAC address.
import { type CheckContext, type CheckFinding, deviceFinding, type ExpandedDevice } from './context.ts';

const UNIQUE = [
  ['ipv4.address', 'address'],
  ['hwaddr', 'MAC address'],
] as const;

export function equalAddresses(context: CheckContext): readonly CheckFinding[] {
  const nics = context.devices().filter(({ options }) => options['type'] === 'nic');
  return UNIQUE.flatMap(([key, words]) => {
    const set = nics.filter(({ options }) => options[key] !== undefined);
    const groups = Map.groupBy(set, (nic) => `${nic.instance.ref.project}/${nic.options['network']}/${nic.options[key]!.toLowerCase()}`);
    return [...groups.values()]
      .filter((group) => group.length > 1)
      .flatMap((group) => group.map((nic) => equalFinding(nic, group, key, words)));
  });
}

function equalFinding(nic: ExpandedDevice, group: readonly ExpandedDevice[], key: string, words: string): CheckFinding {
  const owners = group.map(({ instance, name }) => `${instance.ref.name}/${name}`);
  const others = owners.length > 5 ? [...owners.slice(0, 5), '...'] : owners;
  const message = `The ${words} ${nic.options[key]} in the network "${nic.options['network']}" is given ${group.length} times: ${others.join(', ')}.`;
  return deviceFinding(nic, key, { rule: `equal-${key === 'hwaddr' ? 'hwaddr' : 'address'}`, message });
}
