// What a network needs that must be unique on the host and stay: its link's name, its hardware address, a subnet. Pure.
import { sha256Hex } from '../../core/hash.ts';
import { bridgeName } from '../../core/names.ts';
import { refKey } from '../../core/ref.ts';
import type { Allocation, Facts, Recorded } from '../kind.ts';
import { ALLOCATED_BRIDGE, ALLOCATED_HWADDR, ALLOCATED_SUBNET, type NetworkSpec } from './spec.ts';
import { freeSubnet } from './subnets.ts';

export function allocate(spec: NetworkSpec, recorded: Recorded, facts: Facts): Allocation[] {
  const wanted: Allocation[] = [];
  const add = (what: string, value: () => string): void => {
    if (!recorded.allocations.has(what)) wanted.push({ what, value: value() });
  };
  add(ALLOCATED_BRIDGE, () => bridgeName(facts.prefix, recorded.ref));
  // Without an address of its own a bridge takes the lowest of its ports', and the guests' gateway changes with every guest. Every bridge
  // is made with this one, so that it can be told to be ours before anything else was done to it; a declared one comes after.
  add(ALLOCATED_HWADDR, () => freeHwaddr(recorded.uid, facts.taken('hwaddr')));
  if (spec.ipv4?.address === 'auto') add(ALLOCATED_SUBNET, () => freeSubnet(refKey(recorded.ref), facts.taken('subnet4')));
  return wanted;
}

/** In LXD's range 00:16:3e. */
function freeHwaddr(uid: string, taken: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt++) {
    const bytes = sha256Hex(`${uid}/bridge/${attempt}`).slice(0, 6).match(/../g)!;
    const value = ['00:16:3e', ...bytes].join(':');
    if (!taken.has(value)) return value;
  }
}
