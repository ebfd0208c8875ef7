// Links, addresses, our nftables table, dnsmasq. Links and addresses go through rtnetlink in the addon.

export interface LinkReading {
  readonly name: string;
  readonly index: number;
  /** `bridge`, `veth`, ... ; `` for a physical link. */
  readonly type: string;
  readonly hwaddr: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Name of the bridge it is in. */
  readonly master: string | undefined;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** `ip link set NAME alias TEXT`: a bridge of ours says `lockstep:PREFIX:UID` here. */
  readonly alias: string | undefined;
}

export interface LinksReading {
  readonly links: ReadonlyMap<string, LinkReading>;
  /** IPv4 and IPv6 routes' destinations in CIDR form: what `auto` must not pick. */
  readonly routes: readonly string[];
}

/** What dnsmasq serves on one network. Everything it needs; its hash is its identity. */
export interface DhcpSpec {
  readonly bridge: string;
  /** Address of the bridge with prefix length: the gateway and DNS server told to guests. */
  readonly address: string;
  /** First and last address of each dynamic range. */
  readonly ranges: readonly { readonly first: string; readonly last: string }[];
  /** Lease time in seconds. */
  readonly leaseSeconds: number;
  /** Domain of the guests' names. */
  readonly domain: string;
  readonly mtu: number | undefined;
  readonly dhcp: boolean;
  /** LXD's `dns.mode`: names of our static hosts; also the names guests send; none. Other queries are forwarded in every mode. */
  readonly dnsMode: 'managed' | 'dynamic' | 'none';
}

/** A static lease and DNS name. */
export interface DhcpHost {
  readonly hwaddr: string;
  /** Undefined: any address of the ranges. */
  readonly address: string | undefined;
  readonly hostname: string;
}

export interface DhcpReading {
  readonly bridge: string;
  readonly pid: number | undefined;
  /** Alive, ours (pid, start time and command line agree with the record). */
  readonly running: boolean;
  /** Hash of the DhcpSpec it was started with. */
  readonly specHash: string | undefined;
  /** Static hosts by key (`UID.DEVICE`), as they were last written. */
  readonly hosts: ReadonlyMap<string, DhcpHost>;
  /** The files that dnsmasq reads them from are there and as they were written. */
  readonly hostsIntact: boolean;
  readonly leases: readonly { readonly hwaddr: string; readonly address: string; readonly hostname: string; readonly expiresAt: number }[];
}

/** The rules of one network in our table. */
export interface FirewallSpec {
  readonly bridge: string;
  /** Source networks to masquerade when leaving by another link, e.g. `10.20.0.0/24`. */
  readonly nat: readonly string[];
  /** Allow DHCP and DNS from guests to the host. */
  readonly services: boolean;
  /** Allow forwarding from and to the bridge. */
  readonly forward: boolean;
}

export interface FirewallReading {
  /** By bridge: hash of the FirewallSpec whose rules are all there, unchanged. `changed`: rules are there but differ. */
  readonly networks: ReadonlyMap<string, { readonly specHash: string } | { readonly changed: true }>;
  /** Rules of others that would drop our traffic. */
  readonly conflicts: readonly FirewallConflict[];
}

export interface FirewallConflict {
  readonly bridge: string;
  /** What is dropped by which chain, as a full sentence. */
  readonly message: string;
  /** The command that mends it. */
  readonly hint: string;
}

export interface NetworkPort {
  links(): Promise<LinksReading>;
  /** As `links`, of these only; those that are not there are missing in the answer. */
  someLinks(names: readonly string[]): Promise<ReadonlyMap<string, LinkReading>>;
  /** Those of these links that are there: costs by the names that are asked for, not by the links of the host. */
  presentLinks(names: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Called with the link's name when a link or its addresses changed, with '' when anything may have changed. `lost`: it is gone, has
   * left its bridge, or is down.
   */
  onLinkChange(listener: (link: string, lost: boolean) => void): () => void;
  /** Made down. Rejects with NETWORK_FOREIGN when there is already a link of that name. */
  addBridge(name: string, options: { readonly mtu?: number; readonly hwaddr?: string; readonly alias?: string }): Promise<void>;
  setLink(
    name: string,
    change: {
      readonly mtu?: number;
      readonly up?: boolean;
      readonly hwaddr?: string;
      readonly master?: string | null;
      readonly alias?: string;
    },
  ): Promise<void>;
  /** Adds those that are missing and deletes all others but IPv6 link-local ones, which are the kernel's. */
  setAddresses(name: string, addresses: readonly string[]): Promise<void>;
  /** Already gone is fine. */
  deleteLink(name: string): Promise<void>;

  firewall(): Promise<FirewallReading>;
  /** Those of these bridges that have rules, found in another way than by `firewall`: whether what that lacks is really not there. */
  presentRules(bridges: readonly string[]): Promise<ReadonlySet<string>>;
  /** `writer`: the process that changed the rules, in words, when it was not us and the kernel tells. */
  onFirewallChange(listener: (writer: string | undefined) => void): () => void;
  setFirewall(spec: FirewallSpec): Promise<void>;
  /** Removes a network's rules; the table too when it was the last. */
  clearFirewall(bridge: string): Promise<void>;
  forwarding(): Promise<{ readonly ipv4: boolean; readonly ipv6: boolean }>;
  enableForwarding(family: 'ipv4' | 'ipv6'): Promise<void>;

  dhcp(): Promise<ReadonlyMap<string, DhcpReading>>;
  /** Those of these bridges with the record of a server that was started, on disk: whether what `dhcp` lacks is really not there. */
  presentDhcp(bridges: readonly string[]): Promise<ReadonlySet<string>>;
  onDhcpExit(listener: (bridge: string) => void): () => void;
  /** Starts dnsmasq, or restarts it when it runs with another spec. In its own session; it outlives the daemon. */
  startDhcp(spec: DhcpSpec, signal: AbortSignal): Promise<void>;
  stopDhcp(bridge: string, signal: AbortSignal): Promise<void>;
  setDhcpHost(bridge: string, key: string, host: DhcpHost): Promise<void>;
  removeDhcpHost(bridge: string, key: string): Promise<void>;
  /** Writes the files of static hosts again as they were, and has dnsmasq read them. */
  rewriteDhcpHosts(bridge: string): Promise<void>;
}
