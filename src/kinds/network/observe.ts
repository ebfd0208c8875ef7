// Reads one network out of the round's shared readings: its link, its rules, its DHCP server, and NICs of ours that have fallen out of it.
import { AppError, toAppError } from '../../core/errors.ts';
import { isOurVeth, vethName } from '../../core/names.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { DhcpReading, FirewallConflict, LinkReading, LinksReading } from '../../host/ports/network.ts';
import type { HostView } from '../../host/ports/view.ts';
import type { Observed, Recorded } from '../kind.ts';
import { ALLOCATED_HWADDR, bridgeOf } from './spec.ts';

export interface NetworkActual {
  /** Undefined: only remains of the network are there (rules, a DHCP server). */
  readonly link: LinkReading | undefined;
  /** False: a link of our bridge's name that we did not make. */
  readonly ours: boolean;
  /** Links in the bridge. */
  readonly ports: readonly string[];
  /** Host sides of our instances' NICs that belong into the bridge and are in none. */
  readonly detached: readonly string[];
  /** Undefined: no rules. `specHash`: of the FirewallSpec that is in force, undefined when the rules were changed from outside. */
  readonly firewall: { readonly specHash: string | undefined } | undefined;
  readonly conflicts: readonly FirewallConflict[];
  readonly dhcp: DhcpReading | undefined;
  /** The host forwards IPv4. */
  readonly forwarding: boolean;
}

export async function observe(
  view: HostView,
  ref: ResourceRef,
  recorded: Recorded | undefined,
  signal: AbortSignal,
): Promise<Observed<NetworkActual>> {
  const bridge = bridgeOf(recorded);
  // Before its name is recorded nothing of it can be on the host.
  if (recorded === undefined || bridge === undefined) return { is: 'absent' };
  try {
    signal.throwIfAborted();
    return await read(view, bridge, recorded);
  } catch (error) {
    return { is: 'unknown', because: toAppError(error, 'HOST_UNREADABLE', { network: ref.name }) };
  }
}

async function read(view: HostView, bridge: string, recorded: Recorded): Promise<Observed<NetworkActual>> {
  const [links, firewall, servers, forwarding] = await Promise.all([view.links(), view.firewall(), view.dhcp(), view.forwarding()]);
  // Every network namespace has `lo`: a listing without any link is not complete, whatever it claims.
  if (links.links.size === 0) throw new AppError('HOST_UNREADABLE', { what: 'links' }, { message: 'The listing of links is empty.' });
  const link = links.links.get(bridge);
  const rules = firewall.networks.get(bridge);
  const dhcp = servers.get(bridge);
  const ours = link !== undefined && isOurs(link, recorded);
  if (!ours && rules === undefined && dhcp === undefined && link === undefined) return { is: 'absent' };
  return {
    is: 'present',
    actual: {
      link,
      ours,
      ports: [...links.links.values()].filter(({ master }) => master === bridge).map(({ name }) => name),
      detached: detachedPorts(bridge, links, dhcp),
      firewall: rules === undefined ? undefined : { specHash: 'changed' in rules ? undefined : rules.specHash },
      conflicts: firewall.conflicts.filter((conflict) => conflict.bridge === bridge),
      dhcp,
      forwarding: forwarding.ipv4,
    },
  };
}

/** `lockstep:PREFIX:UID` on the link: whose it is, seen from outside too. */
export function bridgeAlias(prefix: string, uid: string): string {
  return `lockstep:${prefix}:${uid}`;
}

/**
 * The alias is set right after the link is made; a daemon killed in between leaves a bridge without one, which is ours when it has the
 * hardware address that was recorded for it before.
 */
function isOurs(link: LinkReading, recorded: Recorded): boolean {
  if (link.type !== 'bridge') return false;
  if (link.alias !== undefined) return link.alias === bridgeAlias(prefixOf(link.name), recorded.uid);
  return recorded.allocations.get(ALLOCATED_HWADDR) === link.hwaddr;
}

/** Bridge names are `PREFIX-...`, and a prefix holds no hyphen. */
export function prefixOf(bridge: string): string {
  return bridge.slice(0, bridge.indexOf('-'));
}

/** Every NIC of the network has a host entry `UID.DEVICE`; its veth's name follows from that. */
function detachedPorts(bridge: string, links: LinksReading, dhcp: DhcpReading | undefined): string[] {
  const prefix = prefixOf(bridge);
  // One that is in another bridge is on its way there (its NIC names another network now). One that is not up is being made: liblxc
  // puts it into the bridge first, and fails with EBUSY when someone else did (SIOCBRADDIF).
  const loose = [...links.links.values()].filter(
    ({ name, type, master, up }) => type === 'veth' && master === undefined && up && isOurVeth(prefix, name),
  );
  if (loose.length === 0) return [];
  const ports = new Set<string>();
  for (const key of dhcp?.hosts.keys() ?? []) {
    const dot = key.indexOf('.');
    ports.add(vethName(prefix, key.slice(0, dot), key.slice(dot + 1)));
  }
  return loose.map(({ name }) => name).filter((name) => ports.has(name));
}
