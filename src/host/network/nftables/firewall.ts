// Our nftables table on this host: read with one nft call, changed by one transaction per network.
//
// nft may list a rule in other words than it was given, and words change with its version. So after each change the listing is read and
// its hash kept (in `<state-dir>/networks/BRIDGE/firewall.json`); a network whose chains list differently later was changed from outside.
import { mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, toAppError } from '../../../core/errors.ts';
import { hashOf } from '../../../core/hash.ts';
import { nftTable } from '../../../core/names.ts';
import type { Paths } from '../../../core/paths.ts';
import type { FirewallReading, FirewallSpec } from '../../ports/network.ts';
import { mustRun } from '../../run/run.ts';
import { rawNetlink } from '../link/netlink-binding.ts';
import { replaceFile } from '../replace-file.ts';
import { findConflicts } from './conflicts.ts';
import { bridgeOfChain, type ChainRole, clearRules, setRules } from './rules.ts';
import { type Chain, parseRuleset, type Ruleset } from './ruleset.ts';

interface Known {
  readonly specHash: string;
  /** Hash of the network's chains as nft lists them. */
  readonly listingHash: string;
}

const TIMEOUT_MS = 20_000;
/** A host with many rules of others; each is about 300 bytes in JSON. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;

export class Firewall {
  readonly #table: string;
  readonly #paths: Paths;
  readonly #known = new Map<string, Known | undefined>();
  /** nft transactions one after another: the kernel takes one at a time, and a clash makes nft start over. */
  #last: Promise<unknown> = Promise.resolve();
  #unwatch: (() => void) | undefined;
  readonly #listeners = new Set<(writer: string | undefined) => void>();
  /** Transactions of ours under way: what the kernel tells meanwhile is taken for them. */
  #loading = 0;

  constructor(prefix: string, paths: Paths) {
    this.#table = nftTable(prefix);
    this.#paths = paths;
  }

  async read(): Promise<FirewallReading> {
    const ruleset = await this.#list();
    const ours = byBridge(ruleset, this.#table);
    const networks = new Map<string, { readonly specHash: string } | { readonly changed: true }>();
    for (const [bridge, chains] of ours) {
      const known = await this.#knownOf(bridge);
      networks.set(bridge, known?.listingHash === listingHash(chains) ? { specHash: known.specHash } : { changed: true });
    }
    return {
      networks,
      conflicts: findConflicts(
        ruleset,
        this.#table,
        [...ours].map(([bridge, chains]) => trafficOf(bridge, chains)),
      ),
    };
  }

  /** Asks nft for chains, which is another question to the kernel than that for everything. */
  async present(bridges: readonly string[]): Promise<ReadonlySet<string>> {
    const chains = byBridge(await this.#list(['chains', 'inet']), this.#table);
    return new Set(bridges.filter((bridge) => chains.has(bridge)));
  }

  async set(spec: FirewallSpec): Promise<void> {
    const specHash = hashOf(spec);
    await this.#inTurn(async () => {
      await this.#load(setRules(this.#table, spec, specHash));
      const chains = byBridge(await this.#list(), this.#table).get(spec.bridge) ?? new Map<ChainRole, Chain>();
      const known: Known = { specHash, listingHash: listingHash(chains) };
      await mkdir(this.#paths.network(spec.bridge), { recursive: true, mode: 0o711 });
      await replaceFile(this.#file(spec.bridge), `${JSON.stringify(known)}\n`, { mode: 0o600 });
      this.#known.set(spec.bridge, known);
    });
  }

  /** Already gone is fine. */
  async clear(bridge: string): Promise<void> {
    await this.#inTurn(async () => {
      const others = [...byBridge(await this.#list(), this.#table).keys()].filter((one) => one !== bridge);
      await this.#load(clearRules(this.#table, bridge, { last: others.length === 0 }));
      this.#known.set(bridge, undefined);
      await rm(this.#file(bridge), { force: true });
      // Only when nothing else of the network is in it.
      await rmdir(this.#paths.network(bridge)).catch(() => {});
    });
  }

  onChange(listener: (writer: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    this.#unwatch ??= rawNetlink().netlinkWatchNftables((_links, _everything, _lost, pid, name) => {
      // The name is the process's own choice.
      const writer = pid === undefined || this.#loading > 0 ? undefined : `process ${pid} (${JSON.stringify(name)})`;
      for (const one of this.#listeners) one(writer);
    });
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#unwatch?.();
    this.#unwatch = undefined;
    await this.#last;
  }

  #file(bridge: string): string {
    return join(this.#paths.network(bridge), 'firewall.json');
  }

  async #knownOf(bridge: string): Promise<Known | undefined> {
    if (this.#known.has(bridge)) return this.#known.get(bridge);
    const known = parseKnown(await readFile(this.#file(bridge), 'utf8').catch(() => ''));
    this.#known.set(bridge, known);
    return known;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    await turn;
  }

  async #list(what: readonly string[] = ['ruleset']): Promise<Ruleset> {
    try {
      // -t leaves out the elements of sets: they can be many, and are not looked at.
      const { stdout } = await mustRun(['nft', '-j', '-t', 'list', ...what], {
        timeoutMs: TIMEOUT_MS,
        maxOutputBytes: MAX_LISTING_BYTES,
      });
      return parseRuleset(stdout);
    } catch (error) {
      if (toAppError(error).code === 'TOOL_MISSING') throw error;
      throw new AppError('HOST_UNREADABLE', { what: 'nftables' }, { message: 'The nftables rules could not be listed.', cause: error });
    }
  }

  async #load(transaction: string): Promise<void> {
    this.#loading++;
    const loaded = mustRun(['nft', '-f', '-'], { input: transaction, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
      if (toAppError(error).code === 'TOOL_MISSING') throw error;
      throw new AppError(
        'NETWORK_FAILED',
        { table: this.#table },
        { message: `The rules of the nftables table "inet ${this.#table}" could not be loaded.`, cause: error },
      );
    });
    try {
      await loaded;
    } finally {
      this.#loading--;
    }
  }
}

function byBridge(ruleset: Ruleset, table: string): Map<string, Map<ChainRole, Chain>> {
  const bridges = new Map<string, Map<ChainRole, Chain>>();
  for (const chain of ruleset.values()) {
    if (chain.family !== 'inet' || chain.table !== table) continue;
    const owner = bridgeOfChain(chain.name);
    if (owner === undefined) continue;
    const chains = bridges.get(owner.bridge) ?? new Map<ChainRole, Chain>();
    bridges.set(owner.bridge, chains.set(owner.role, chain));
  }
  return bridges;
}

function listingHash(chains: ReadonlyMap<ChainRole, Chain>): string {
  return hashOf([...chains].toSorted(([a], [b]) => a.localeCompare(b)));
}

function trafficOf(bridge: string, chains: ReadonlyMap<ChainRole, Chain>): { bridge: string; forward: boolean; services: boolean } {
  return { bridge, forward: chains.has('fwd'), services: chains.has('in') };
}

function parseKnown(text: string): Known | undefined {
  try {
    const { specHash, listingHash: hash } = JSON.parse(text) as Partial<Known>;
    return typeof specHash === 'string' && typeof hash === 'string' ? { specHash, listingHash: hash } : undefined;
  } catch {
    return undefined;
  }
}
