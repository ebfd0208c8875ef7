// What happens on the host, as "look again at X". One subscription per family; which object a name belongs to is asked of the names
// themselves, so an event costs the same however many objects there are.
import type { Cause } from '../core/cause.ts';
import type { AppError } from '../core/errors.ts';
import { isOurBridge, isOurVeth, parseLxcName } from '../core/names.ts';
import type { Paths } from '../core/paths.ts';
import { type KindName, makeRef, type RefKey, refKey } from '../core/ref.ts';
import { GatheredCauses } from './gathered-causes.ts';
import type { EventFamily } from './event-families.ts';
import type { Host } from './ports/host.ts';
import { type VethOwner, VethIndex } from './veth-index.ts';
import type { CachedHostView } from './view.ts';
import { watchPoolMounts } from './watch/pool-mounts.ts';
import { watchStateFiles } from './watch/state-files.ts';

export interface HostEventTargets {
  readonly prefix: string;
  readonly paths: Paths;
  readonly view: CachedHostView;
  /** The others are not listened to. */
  readonly families: ReadonlySet<EventFamily>;
  look(key: RefKey, cause: Cause): void;
  /** All objects of a kind: a host has few networks, pools and images, and some events do not tell which one they are about. */
  lookAtKind(kind: KindName, cause: Cause): void;
  /** Instances, for the owners of veths. */
  vethOwners(): Iterable<VethOwner>;
  /** A family cannot be listened to in full. */
  failed(error: AppError): void;
}

/**
 * A network is looked at this long after the first of the events that ask for it. Every start of an instance makes some (a port joins, a
 * lease is written), and a look reads all links and leases: with fifty starts a second it would cost as much as they do.
 */
const NETWORK_MS = 150;

/** Returns the function that ends all subscriptions. */
export async function subscribeHostEvents(host: Host, allTargets: HostEventTargets): Promise<() => void> {
  const networks = new GatheredCauses(NETWORK_MS, (cause) => allTargets.lookAtKind('Network', cause));
  const targets: HostEventTargets = {
    ...allTargets,
    lookAtKind: (kind, cause) => (kind === 'Network' ? networks.add(cause) : allTargets.lookAtKind(kind, cause)),
  };
  const subscriptions: Readonly<Record<EventFamily, () => Promise<() => void> | (() => void)>> = {
    processes: () => host.lxc.onChange((name) => targets.look(instanceKey(name), { event: 'InstanceChanged', about: name })),
    links: () => subscribeLinks(host, targets),
    firewall: () =>
      host.network.onFirewallChange((writer) => {
        targets.view.drop('firewall');
        targets.lookAtKind('Network', { event: 'FirewallChanged', ...(writer === undefined ? {} : { about: writer }) });
      }),
    dhcp: () =>
      host.network.onDhcpExit(() => {
        targets.view.drop('dhcp');
        targets.lookAtKind('Network', { event: 'DhcpEnded' });
      }),
    files: () => subscribeFiles(targets),
    mounts: () => watchPoolMounts(targets.paths, () => targets.lookAtKind('StoragePool', { event: 'MountsChanged' })),
    cgroups: () =>
      host.lxc.onCgroupChange((name) => {
        if (name === undefined) targets.lookAtKind('Instance', { event: 'EventsLost', about: 'cgroups' });
        else targets.look(instanceKey(name), { event: 'CgroupChanged', about: name });
      }),
  };
  const ends = await Promise.all([...targets.families].map(async (family) => await subscriptions[family]()));
  return () => {
    for (const end of ends) end();
    networks.close();
  };
}

function instanceKey(lxcName: string): RefKey {
  const { project, name } = parseLxcName(lxcName);
  return refKey(makeRef('Instance', name, { project }));
}

function subscribeLinks(host: Host, targets: HostEventTargets): () => void {
  const { prefix, view } = targets;
  const veths = new VethIndex(prefix, () => targets.vethOwners());
  const end = host.network.onLinkChange((link, lost) => {
    view.linkChanged(link);
    const cause: Cause = { event: 'LinkChanged', ...(link === '' ? {} : { about: link }) };
    // The veths of our instances come and go with every start: only one that is gone, out of its bridge or down is looked at.
    if (link === '' || isOurBridge(prefix, link)) targets.lookAtKind('Network', cause);
    if (!lost || !isOurVeth(prefix, link)) return;
    const owner = veths.find(link);
    if (owner === undefined) return;
    targets.look(owner, cause);
    targets.lookAtKind('Network', cause);
  });
  view.followLinks();
  return end;
}

function subscribeFiles(targets: HostEventTargets): () => void {
  const look = (name: string): void => targets.look(instanceKey(name), { event: 'FilesChanged', about: name });
  const lookAtKind = (kind: KindName, about: string): void => targets.lookAtKind(kind, { event: 'FilesChanged', about });
  return watchStateFiles(targets.paths, {
    instance: look,
    network: (bridge) => lookAtKind('Network', bridge),
    pools: () => lookAtKind('StoragePool', 'a pool'),
    images: () => {
      lookAtKind('Image', 'an image');
      // Its unpacked copies are of no use any more when it is gone.
      lookAtKind('StoragePool', 'an image');
    },
    everything: () => {
      for (const kind of ['Instance', 'Network', 'StoragePool', 'Image'] as const) {
        targets.lookAtKind(kind, { event: 'EventsLost', about: 'files' });
      }
    },
    failed: (error) => targets.failed(error),
  });
}
