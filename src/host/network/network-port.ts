// The network port on a real host: rtnetlink for links, nft for our own table, dnsmasq for DHCP and names.
import type { Log } from '../../core/log.ts';
import { checkPrefix } from '../../core/names.ts';
import type { Paths } from '../../core/paths.ts';
import type { NetworkPort } from '../ports/network.ts';
import { DhcpServers } from './dnsmasq/servers.ts';
import { enableForwarding, readForwarding } from './forwarding.ts';
import { Links } from './link/links.ts';
import { Firewall } from './nftables/firewall.ts';

export interface NetworkOptions {
  readonly paths: Paths;
  readonly prefix: string;
  readonly log: Log;
}

/** Adopts the DHCP servers of an earlier daemon. `close` lets go of everything and ends nothing. */
export async function createNetworkPort({ paths, prefix, log }: NetworkOptions): Promise<NetworkPort & { close(): Promise<void> }> {
  const links = new Links();
  const firewall = new Firewall(checkPrefix(prefix), paths);
  const dhcp = await DhcpServers.open(paths);
  const unwatch = links.onChange((link) => {
    dhcp.linkChanged(link).catch((error: unknown) => log.error({ err: error, link }, 'a link change could not be looked at'));
  });
  return {
    links: () => links.read(),
    someLinks: (names) => links.readSome(names),
    presentLinks: (names) => links.present(names),
    onLinkChange: (listener) => links.onChange(listener),
    addBridge: (name, options) => links.addBridge(name, options),
    setLink: (name, change) => links.set(name, change),
    setAddresses: (name, addresses) => links.setAddresses(name, addresses),
    deleteLink: (name) => links.delete(name),

    firewall: () => firewall.read(),
    presentRules: (bridges) => firewall.present(bridges),
    onFirewallChange: (listener) => firewall.onChange(listener),
    setFirewall: (spec) => firewall.set(spec),
    clearFirewall: (bridge) => firewall.clear(bridge),
    forwarding: () => readForwarding(),
    enableForwarding: (family) => enableForwarding(family, paths.networks, log),

    dhcp: () => dhcp.read(),
    presentDhcp: (bridges) => dhcp.present(bridges),
    onDhcpExit: (listener) => dhcp.onExit(listener),
    startDhcp: (spec, signal) => dhcp.start(spec, signal),
    stopDhcp: (bridge) => dhcp.stop(bridge),
    setDhcpHost: (bridge, key, host) => dhcp.setHost(bridge, key, host),
    removeDhcpHost: (bridge, key) => dhcp.removeHost(bridge, key),
    rewriteDhcpHosts: (bridge) => dhcp.rewriteHosts(bridge),

    close: async () => {
      unwatch();
      links.close();
      await firewall.close();
      await dhcp.close();
    },
  };
}
