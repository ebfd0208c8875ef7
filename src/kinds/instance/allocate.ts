// What an instance needs that must be unique on the host: a range of ids and MAC addresses. Chosen while planning, from facts only.
import { AppError } from '../../core/errors.ts';
import { sha256Hex } from '../../core/hash.ts';
import { refText } from '../../core/ref.ts';
import type { Allocation, Facts, Recorded } from '../kind.ts';
import { IDS_PER_INSTANCE } from './lxc-config.ts';
import type { InstanceSpec } from './spec.ts';

/** The prefix LXD and liblxc use for containers (Xensource's OUI). */
const HWADDR_PREFIX = '00:16:3e';

export function allocate(spec: InstanceSpec, recorded: Recorded, facts: Facts): Allocation[] {
  const allocations: Allocation[] = [];
  if (!spec.privileged && !recorded.allocations.has('idrange')) {
    allocations.push({ what: 'idrange', value: String(freeRange(recorded, facts)) });
  }
  const mine = new Set<string>();
  for (const device of spec.deviceList) {
    const what = `hwaddr:${device.name}`;
    if (device.type !== 'nic' || device.hwaddr !== undefined || recorded.allocations.has(what)) continue;
    const value = freeHwaddr(recorded.uid, device.name, facts.taken('hwaddr'), mine);
    mine.add(value);
    allocations.push({ what, value });
  }
  return allocations;
}

/** From the top downwards: LXD and Incus use the bottom of the same range. */
function freeRange(recorded: Recorded, facts: Facts): number {
  const { first, count } = facts.host.ids;
  const free = facts.free('idrange', () => rangesFrom(first, count));
  if (free !== undefined) return Number(free);
  const total = Math.floor(count / IDS_PER_INSTANCE);
  throw new AppError(
    'IDS_EXHAUSTED',
    { first, count },
    {
      message: `${refText(recorded.ref)} gets no user ids: all ${total} ranges of ${IDS_PER_INSTANCE} from ${first} on are taken.`,
      hint: 'Give root a larger range in /etc/subuid and /etc/subgid, or delete instances and purge what they left.',
    },
  );
}

function* rangesFrom(first: number, count: number): Iterable<string> {
  for (let at = first + count - IDS_PER_INSTANCE; at >= first; at -= IDS_PER_INSTANCE) yield String(at);
}

function freeHwaddr(uid: string, device: string, taken: ReadonlySet<string>, mine: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt++) {
    const bytes = sha256Hex(`${uid}/${device}/${attempt}`).slice(0, 6).match(/../g)!;
    const value = [HWADDR_PREFIX, ...bytes].join(':');
    if (!taken.has(value) && !mine.has(value)) return value;
  }
}
