// The DHCP servers of all networks, by bridge.
import { readdir } from 'node:fs/promises';
import { AppError, isErrno } from '../../../core/errors.ts';
import type { Paths } from '../../../core/paths.ts';
import { pathExists } from '../../path-exists.ts';
import type { DhcpHost, DhcpReading, DhcpSpec } from '../../ports/network.ts';
import { dnsmasqAccount } from './account.ts';
import { type Account, dnsmasqFiles } from './arguments.ts';
import { DhcpServer } from './server.ts';

export class DhcpServers {
  readonly #paths: Paths;
  readonly #account: Account;
  readonly #servers = new Map<string, DhcpServer>();
  readonly #listeners = new Set<(bridge: string) => void>();
  /** Bridges with files of an earlier daemon that were not read yet. Before that it is not known what there is. */
  readonly #unread = new Set<string>();
  #loading: Promise<unknown> | undefined;

  private constructor(paths: Paths, account: Account) {
    this.#paths = paths;
    this.#account = account;
  }

  /** Adopts what an earlier daemon left running. */
  static async open(paths: Paths): Promise<DhcpServers> {
    const servers = new DhcpServers(paths, await dnsmasqAccount());
    const entries = await readdir(paths.networks, { withFileTypes: true }).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return [];
      throw new AppError(
        'HOST_UNREADABLE',
        { path: paths.networks },
        { message: `"${paths.networks}" could not be listed.`, cause: error },
      );
    });
    for (const entry of entries) if (entry.isDirectory()) servers.#unread.add(entry.name);
    // What cannot be read now is tried again by each reading, which then says so.
    await servers.#loadRest().catch(() => {});
    return servers;
  }

  async read(): Promise<ReadonlyMap<string, DhcpReading>> {
    await this.#loadRest();
    const existing = [...this.#servers].filter(([, server]) => server.exists);
    return new Map(await Promise.all(existing.map(async ([bridge, server]) => [bridge, await server.read()] as const)));
  }

  /** Those whose record is there, readable or not. */
  async present(bridges: readonly string[]): Promise<ReadonlySet<string>> {
    const there = await Promise.all(bridges.map((bridge) => pathExists(dnsmasqFiles(this.#paths.network(bridge)).record)));
    return new Set(bridges.filter((_, at) => there[at]));
  }

  async start(spec: DhcpSpec, signal: AbortSignal): Promise<void> {
    await this.#of(spec.bridge).start(spec, signal);
  }

  async stop(bridge: string): Promise<void> {
    await this.#servers.get(bridge)?.stop();
  }

  async setHost(bridge: string, key: string, host: DhcpHost): Promise<void> {
    await this.#of(bridge).setHost(key, host);
  }

  async removeHost(bridge: string, key: string): Promise<void> {
    await this.#servers.get(bridge)?.removeHost(key);
  }

  async rewriteHosts(bridge: string): Promise<void> {
    await this.#servers.get(bridge)?.rewriteHosts();
  }

  onExit(listener: (bridge: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be told of link changes: a bridge that was made anew has lost its server. '' means any link. */
  async linkChanged(link: string): Promise<void> {
    for (const [bridge, server] of this.#servers) {
      if ((link === '' || link === bridge) && (await server.hasLostBridge())) this.#tell(bridge);
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  async #loadRest(): Promise<void> {
    if (this.#unread.size === 0) return;
    const load = async (bridge: string): Promise<void> => {
      await this.#of(bridge).load();
      this.#unread.delete(bridge);
    };
    this.#loading ??= Promise.all([...this.#unread].map(load)).finally(() => (this.#loading = undefined));
    await this.#loading;
  }

  #of(bridge: string): DhcpServer {
    const known = this.#servers.get(bridge);
    if (known !== undefined) return known;
    const server = new DhcpServer(bridge, this.#paths.network(bridge), this.#account, (exited) => this.#tell(exited));
    this.#servers.set(bridge, server);
    return server;
  }

  #tell(bridge: string): void {
    for (const one of this.#listeners) one(bridge);
  }
}
