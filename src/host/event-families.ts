// The families of events from the host, and the switch that leaves some of them out: for tests, which show that each of them is enough by
// itself, and that with none of them the regular look at everything finds all.
import { AppError } from '../core/errors.ts';

export const EVENT_FAMILIES = [
  /** A container's init or monitor ended, or a new one is there: pidfds. */
  'processes',
  /** Links, addresses, routes, forwarding: rtnetlink. */
  'links',
  /** nftables transactions. */
  'firewall',
  /** A dnsmasq ended: pidfd. */
  'dhcp',
  /** Files below the state directory: inotify. */
  'files',
  /** The mount table. */
  'mounts',
  /** Limits and the freezer of containers: inotify. */
  'cgroups',
] as const;

export type EventFamily = (typeof EVENT_FAMILIES)[number];

/** LOCKSTEP_EVENTS: `all` (default), `none`, or `only:FAMILY,FAMILY`. Anything else is refused: a typing error must not test nothing. */
export function eventsFromEnvironment(text: string | undefined): ReadonlySet<EventFamily> {
  if (text === undefined || text === '' || text === 'all') return new Set(EVENT_FAMILIES);
  if (text === 'none') return new Set();
  const named = /^only:(.+)$/.exec(text)?.[1]?.split(',') ?? [];
  const known = named.map((name) => EVENT_FAMILIES.find((family) => family === name));
  if (known.length > 0 && known.every((family) => family !== undefined)) return new Set(known);
  throw new AppError(
    'REQUEST_INVALID',
    {},
    {
      message: `LOCKSTEP_EVENTS must be "all", "none" or "only:" and families of events, not "${text}".`,
      hint: `Families: ${EVENT_FAMILIES.join(', ')}.`,
    },
  );
}
