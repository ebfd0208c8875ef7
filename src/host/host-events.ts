// What happens on the host, as "look again at X". One subscription per family; which object a name belongs to is asked of the names
// themselves, so an event costs the same however many objects there are.
import type { Cause } from '../core/cause.ts';
import { isOurBridge, parseLxcName } from '../core/names.ts';
import { makeRef, type RefKey, refKey } from '../core/ref.ts';
import type { Host } from './ports/host.ts';
import type { CachedHostView } from './view.ts';

export interface HostEventTargets {
  readonly prefix: string;
  readonly view: CachedHostView;
  look(key: RefKey, cause: Cause): void;
  /** All networks: a host has few, and links, tables and name servers do not tell which one they serve. */
  lookAtNetworks(cause: Cause): void;
}

/** Returns the function that ends all subscriptions. */
export function subscribeHostEvents(host: Host, targets: HostEventTargets): () => void {
  const { prefix, view } = targets;
  const ends = [
    host.lxc.onChange((name) => {
      const { project, name: instance } = parseLxcName(name);
      targets.look(refKey(makeRef('Instance', instance, { project })), { event: 'InstanceChanged', about: name });
    }),
    host.network.onLinkChange((link) => {
      view.drop('links');
      // The veths of our instances come and go with every start; only bridges, and everything at once (overrun), concern a network.
      if (link === '' || isOurBridge(prefix, link))
        targets.lookAtNetworks({ event: 'LinkChanged', ...(link === '' ? {} : { about: link }) });
    }),
    host.network.onFirewallChange(() => {
      view.drop('firewall');
      targets.lookAtNetworks({ event: 'FirewallChanged' });
    }),
    host.network.onDhcpExit(() => {
      view.drop('dhcp');
      targets.lookAtNetworks({ event: 'DhcpEnded' });
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
