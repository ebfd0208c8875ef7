// Addresses that only one NIC of a network may have.
import type { ExpandedDevice } from './context.ts';

export const UNIQUE = [
  ['ipv4.address', 'address'],
  ['hwaddr', 'MAC address'],
] as const;

/** What no other NIC may have. */
export function addressesOf(nic: ExpandedDevice): { what: string; nic: ExpandedDevice }[] {
  const { instance, options } = nic;
  if (options['type'] !== 'nic') return [];
  return UNIQUE.flatMap(([key]) => {
    const value = options[key];
    if (value === undefined) return [];
    return [{ what: `${key} ${instance.ref.project}/${options['network']}/${value.toLowerCase()}`, nic }];
  });
}
