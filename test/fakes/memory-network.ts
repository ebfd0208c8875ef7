// A network port in memory that models facts (links, addresses, rules, servers), not specs: what the kernel and dnsmasq would do to them
// happens here too. Tests change facts behind the port's back, or make any of its calls fail, hang or answer with nothing.
import { AppError } from '../../src/core/errors.ts';
import { hashOf } from '../../src/core/hash.ts';
import type {
  DhcpHost,
  DhcpReading,
  DhcpSpec,
  FirewallConflict,
  FirewallReading,
  FirewallSpec,
  LinkReading,
  LinksReading,
  NetworkPort,
} from '../../src/host/ports/network.ts';

export interface MemoryLink {
  name: string;
  index: number;
  type: string;
  hwaddr: string;
  mtu: number;
  up: boolean;
  master: string | undefined;
  alias: string | undefined;
  addresses: string[];
}

interface MemoryServer {
  /** Undefined once it was killed. */
  pid: number | undefined;
  spec: DhcpSpec;
  /** Of the bridge it was started on. */
  ifindex: number;
}

/** What a call does instead of its work. `empty`: a reading answers as if the host held nothing. */
export type NetworkFault = 'fail' | 'hang' | 'empty';

type Method = keyof NetworkPort;

export class MemoryNetwork implements NetworkPort {
  readonly facts = {
    links: new Map<string, MemoryLink>(),
    /** Besides those that follow from addresses. */
    routes: new Set<string>(['0.0.0.0/0']),
    /** Rules in force by bridge; `undefined`: changed by someone. */
    rules: new Map<string, FirewallSpec | undefined>(),
    conflicts: [] as FirewallConflict[],
    forwarding: { ipv4: false, ipv6: false },
    servers: new Map<string, MemoryServer>(),
    hosts: new Map<string, Map<string, DhcpHost>>(),
    leases: new Map<string, DhcpReading['leases']>(),
    /** Bridges whose files of hosts someone changed. */
    spoiltHosts: new Set<string>(),
  };
  readonly faults = new Map<Method, NetworkFault>();
  /** Names of all calls so far, oldest first. */
  readonly calls: Method[] = [];
  #nextIndex = 2;
  #nextPid = 1000;
  readonly #linkListeners = new Set<(link: string, lost: boolean) => void>();
  readonly #firewallListeners = new Set<(writer: string | undefined) => void>();
  readonly #dhcpListeners = new Set<(bridge: string) => void>();

  constructor() {
    this.plug({ name: 'lo', index: 1, type: '', hwaddr: '00:00:00:00:00:00', mtu: 65_536, addresses: ['127.0.0.1/8', '::1/128'] });
  }

  // What others do on the host.

  /** A link that Lockstep did not make, or a veth as liblxc makes it. */
  plug(link: Partial<MemoryLink> & { readonly name: string }): MemoryLink {
    const made: MemoryLink = {
      index: this.#nextIndex++,
      type: 'veth',
      hwaddr: '02:00:00:00:00:01',
      mtu: 1500,
      up: true,
      master: undefined,
      alias: undefined,
      addresses: [],
      ...link,
    };
    this.facts.links.set(made.name, made);
    this.#linkChanged(made.name);
    return made;
  }

  /** Deletes a link as the kernel does: its ports are in no bridge any more. */
  unplug(name: string): void {
    if (!this.facts.links.delete(name)) return;
    for (const link of this.facts.links.values()) {
      if (link.master !== name) continue;
      link.master = undefined;
      this.#linkChanged(link.name);
    }
    this.#linkChanged(name);
  }

  /** Someone changes a link. */
  change(name: string, facts: Partial<MemoryLink>): void {
    Object.assign(this.#link(name), facts);
    this.#linkChanged(name);
  }

  changeRules(bridge: string): void {
    this.facts.rules.set(bridge, undefined);
    this.#firewallChanged();
  }

  flushRules(): void {
    this.facts.rules.clear();
    this.#firewallChanged();
  }

  killServer(bridge: string): void {
    const server = this.facts.servers.get(bridge);
    if (server === undefined) return;
    server.pid = undefined;
    for (const listener of this.#dhcpListeners) listener(bridge);
  }

  // The port.

  async links(): Promise<LinksReading> {
    if (await this.#fault('links')) return { links: new Map(), routes: [] };
    const links = new Map([...this.facts.links].map(([name, link]): [string, LinkReading] => [name, structuredClone(link)]));
    return { links, routes: [...this.facts.routes] };
  }

  async someLinks(names: readonly string[]): Promise<ReadonlyMap<string, LinkReading>> {
    await this.#fault('someLinks');
    return new Map(
      names.flatMap((name) => {
        const link = this.facts.links.get(name);
        return link === undefined ? [] : [[name, structuredClone(link)] as const];
      }),
    );
  }

  async presentLinks(names: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#fault('presentLinks');
    return new Set(names.filter((name) => this.facts.links.has(name)));
  }

  onLinkChange(listener: (link: string, lost: boolean) => void): () => void {
    this.#linkListeners.add(listener);
    return () => this.#linkListeners.delete(listener);
  }

  async addBridge(name: string, options: { readonly mtu?: number; readonly hwaddr?: string; readonly alias?: string }): Promise<void> {
    await this.#fault('addBridge');
    if (this.facts.links.has(name)) throw new AppError('NETWORK_FOREIGN', { link: name });
    this.plug({ ...options, name, type: 'bridge', up: false });
  }

  async setLink(
    name: string,
    change: {
      readonly mtu?: number;
      readonly up?: boolean;
      readonly hwaddr?: string;
      readonly master?: string | null;
      readonly alias?: string;
    },
  ): Promise<void> {
    await this.#fault('setLink');
    const { master, ...rest } = change;
    if (typeof master === 'string') this.#link(master);
    Object.assign(this.#link(name), rest, master === undefined ? {} : { master: master ?? undefined });
    this.#linkChanged(name);
  }

  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    await this.#fault('setAddresses');
    const link = this.#link(name);
    link.addresses = [...addresses, ...link.addresses.filter((one) => one.startsWith('fe80:'))];
    this.#linkChanged(name);
  }

  async deleteLink(name: string): Promise<void> {
    await this.#fault('deleteLink');
    this.unplug(name);
  }

  async firewall(): Promise<FirewallReading> {
    if (await this.#fault('firewall')) return { networks: new Map(), conflicts: [] };
    const networks = new Map<string, { readonly specHash: string } | { readonly changed: true }>();
    for (const [bridge, spec] of this.facts.rules)
      networks.set(bridge, spec === undefined ? { changed: true } : { specHash: hashOf(spec) });
    return { networks, conflicts: this.facts.conflicts.filter(({ bridge }) => networks.has(bridge)) };
  }

  async presentRules(bridges: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#fault('presentRules');
    return new Set(bridges.filter((bridge) => this.facts.rules.has(bridge)));
  }

  onFirewallChange(listener: (writer: string | undefined) => void): () => void {
    this.#firewallListeners.add(listener);
    return () => this.#firewallListeners.delete(listener);
  }

  async setFirewall(spec: FirewallSpec): Promise<void> {
    await this.#fault('setFirewall');
    this.facts.rules.set(spec.bridge, spec);
    this.#firewallChanged();
  }

  async clearFirewall(bridge: string): Promise<void> {
    await this.#fault('clearFirewall');
    if (this.facts.rules.delete(bridge)) this.#firewallChanged();
  }

  async forwarding(): Promise<{ readonly ipv4: boolean; readonly ipv6: boolean }> {
    if (await this.#fault('forwarding')) return { ipv4: false, ipv6: false };
    return { ...this.facts.forwarding };
  }

  async enableForwarding(family: 'ipv4' | 'ipv6'): Promise<void> {
    await this.#fault('enableForwarding');
    this.facts.forwarding[family] = true;
  }

  async dhcp(): Promise<ReadonlyMap<string, DhcpReading>> {
    if (await this.#fault('dhcp')) return new Map();
    const { servers, hosts, leases, links } = this.facts;
    return new Map(
      [...new Set([...servers.keys(), ...hosts.keys()])].map((bridge): [string, DhcpReading] => {
        const server = servers.get(bridge);
        const running = server?.pid !== undefined;
        const isCurrent = running && links.get(bridge)?.index === server.ifindex;
        return [
          bridge,
          {
            bridge,
            pid: server?.pid,
            running,
            specHash: isCurrent ? hashOf(server.spec) : undefined,
            hosts: new Map(hosts.get(bridge)),
            hostsIntact: !this.facts.spoiltHosts.has(bridge),
            leases: leases.get(bridge) ?? [],
          },
        ];
      }),
    );
  }

  async presentDhcp(bridges: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#fault('presentDhcp');
    return new Set(bridges.filter((bridge) => this.facts.servers.has(bridge)));
  }

  onDhcpExit(listener: (bridge: string) => void): () => void {
    this.#dhcpListeners.add(listener);
    return () => this.#dhcpListeners.delete(listener);
  }

  async startDhcp(spec: DhcpSpec): Promise<void> {
    await this.#fault('startDhcp');
    const { index } = this.#link(spec.bridge);
    const running = this.facts.servers.get(spec.bridge);
    if (running?.pid !== undefined && running.ifindex === index && hashOf(running.spec) === hashOf(spec)) return;
    this.facts.servers.set(spec.bridge, { pid: this.#nextPid++, spec, ifindex: index });
  }

  async stopDhcp(bridge: string): Promise<void> {
    await this.#fault('stopDhcp');
    this.facts.servers.delete(bridge);
    this.facts.leases.delete(bridge);
  }

  async setDhcpHost(bridge: string, key: string, host: DhcpHost): Promise<void> {
    await this.#fault('setDhcpHost');
    const hosts = this.facts.hosts.get(bridge) ?? new Map<string, DhcpHost>();
    this.facts.hosts.set(bridge, hosts.set(key, host));
  }

  async removeDhcpHost(bridge: string, key: string): Promise<void> {
    await this.#fault('removeDhcpHost');
    const hosts = this.facts.hosts.get(bridge);
    hosts?.delete(key);
    if (hosts?.size === 0) this.facts.hosts.delete(bridge);
  }

  async rewriteDhcpHosts(bridge: string): Promise<void> {
    await this.#fault('rewriteDhcpHosts');
    this.facts.spoiltHosts.delete(bridge);
  }

  /** True: answer with nothing. */
  async #fault(method: Method): Promise<boolean> {
    this.calls.push(method);
    const fault = this.faults.get(method);
    if (fault === 'fail') throw new AppError('NETWORK_FAILED', { method }, { message: `The call ${method} was made to fail.` });
    if (fault === 'hang') await new Promise(() => {});
    return fault === 'empty';
  }

  #link(name: string): MemoryLink {
    const link = this.facts.links.get(name);
    if (link === undefined) throw new AppError('NETWORK_MISSING', { link: name });
    return link;
  }

  #linkChanged(name: string): void {
    const link = this.facts.links.get(name);
    for (const listener of this.#linkListeners) listener(name, link?.up !== true);
  }

  #firewallChanged(): void {
    for (const listener of this.#firewallListeners) listener(undefined);
  }
}
