// The reconciler's reading of the host: one reading per family, shared by everyone who asks until the family is dropped.
// Families whose events reach us are kept across rounds and dropped by the event (of links, those that it names); the others are dropped at
// each round.
import { Gather } from './gather.ts';
import type { Host } from './ports/host.ts';
import type { ContainerReading } from './ports/lxc.ts';
import type { PoolTarget, VolumeReading } from './ports/storage.ts';
import type { HostView, ViewFamily } from './ports/view.ts';
import { KeptLinks } from './kept-links.ts';
import { NamedLook, SecondLook } from './second-look.ts';

/** Kept across rounds: nftables tells of every change, and reading the table costs a process. */
const KEPT: ReadonlySet<ViewFamily> = new Set<ViewFamily>(['firewall']);

interface Reading {
  readonly family: ViewFamily;
  readonly value: Promise<unknown>;
  readonly beganMs: number;
  ended: boolean;
}

/** Longer than anybody waits for a reading: whoever asks now has it read again. */
const HANGS_MS = 20_000;

function hangs({ beganMs, ended }: Reading): boolean {
  return !ended && performance.now() - beganMs > HANGS_MS;
}

export class CachedHostView implements HostView {
  readonly #host: Host;
  readonly #readings = new Map<string, Reading>();
  readonly #containers: Gather<ContainerReading>;
  readonly #links: Gather<true>;
  readonly #keptLinks: KeptLinks;
  readonly #secondLook: Readonly<Record<'containers' | 'links' | 'firewall' | 'dhcp' | 'pools' | 'images', SecondLook>>;
  /** By pool. */
  readonly #volumes = new Map<string, Gather<VolumeReading>>();

  constructor(host: Host) {
    this.#host = host;
    this.#keptLinks = new KeptLinks(host.network);
    const { lxc, network, storage, images } = host;
    this.#secondLook = {
      containers: new SecondLook('containers', (names) => lxc.traces(names)),
      links: new SecondLook('links', (names) => network.presentLinks(names)),
      firewall: new SecondLook('nftables rules', (bridges) => network.presentRules(bridges)),
      dhcp: new SecondLook('DHCP servers', (bridges) => network.presentDhcp(bridges)),
      pools: new SecondLook('pools', (names) => storage.presentPools(names)),
      images: new SecondLook('images', (fingerprints) => images.present(fingerprints)),
    };
    const { containers } = this.#secondLook;
    const linksByName = new NamedLook('links', async () => new Set((await network.links()).links.keys()));
    this.#containers = new Gather((asked) => containers.some(asked, (names) => lxc.list(names)));
    this.#links = new Gather((asked) =>
      linksByName.some(asked, async (names) => new Map([...(await network.presentLinks(names))].map((name) => [name, true]))),
    );
  }

  newRound(): void {
    for (const [key, { family }] of this.#readings) if (!KEPT.has(family)) this.#readings.delete(key);
  }

  /** From now on every change of a link is told: the others need not be read again. */
  followLinks(): void {
    this.#keptLinks.follow();
  }

  /** '': any link. */
  linkChanged(link: string): void {
    this.#keptLinks.changed(link);
    this.drop('links');
  }

  drop(family?: ViewFamily): void {
    if (family === undefined) this.#keptLinks.forget();
    for (const [key, reading] of this.#readings) if (family === undefined || reading.family === family) this.#readings.delete(key);
  }

  #cached<T>(family: ViewFamily, key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#readings.get(key);
    if (known !== undefined && !hangs(known)) return known.value as Promise<T>;
    const value = read();
    const reading: Reading = { family, value, beganMs: performance.now(), ended: false };
    this.#readings.set(key, reading);
    value.then(() => (reading.ended = true)).catch(() => {});
    // A failed reading is not kept: whoever asks next tries again.
    value.catch(() => {
      if (this.#readings.get(key)?.value === value) this.#readings.delete(key);
    });
    return value;
  }

  containers(): ReturnType<HostView['containers']> {
    return this.#cached('containers', 'containers', () =>
      this.#secondLook.containers.all(
        () => this.#host.lxc.list(),
        (found) => found,
      ),
    );
  }

  container(name: string): ReturnType<HostView['container']> {
    return this.#cached('containers', `container ${name}`, () => this.#containers.get(name));
  }

  cgroupValues(name: string, files: readonly string[]): ReturnType<HostView['cgroupValues']> {
    return this.#host.lxc.cgroupValues(name, files);
  }

  links(): ReturnType<HostView['links']> {
    return this.#cached('links', 'links', () =>
      this.#secondLook.links.all(
        () => this.#keptLinks.read(),
        (found) => found.links,
      ),
    );
  }

  async hasLink(name: string): Promise<boolean> {
    return (await this.#links.get(name)) === true;
  }

  firewall(): ReturnType<HostView['firewall']> {
    return this.#cached('firewall', 'firewall', () =>
      this.#secondLook.firewall.all(
        () => this.#host.network.firewall(),
        (found) => found.networks,
      ),
    );
  }

  forwarding(): ReturnType<HostView['forwarding']> {
    return this.#cached('forwarding', 'forwarding', () => this.#host.network.forwarding());
  }

  dhcp(): ReturnType<HostView['dhcp']> {
    return this.#cached('dhcp', 'dhcp', () =>
      this.#secondLook.dhcp.all(
        () => this.#host.network.dhcp(),
        (found) => found,
      ),
    );
  }

  pools(): ReturnType<HostView['pools']> {
    return this.#cached('pools', 'pools', () =>
      this.#secondLook.pools.all(
        () => this.#host.storage.listPools(),
        (found) => found,
      ),
    );
  }

  pool(target: PoolTarget): ReturnType<HostView['pool']> {
    return this.#cached('pools', `pool ${target.name}`, () => this.#host.storage.readPool(target));
  }

  volumes(pool: string): ReturnType<HostView['volumes']> {
    return this.#cached('volumes', `volumes ${pool}`, () => this.#host.storage.listVolumes(pool));
  }

  containerVolume(pool: string, name: string): ReturnType<HostView['containerVolume']> {
    return this.#cached('volumes', `volume ${pool}/${name}`, () => this.#volumesOf(pool).get(name));
  }

  #volumesOf(pool: string): Gather<VolumeReading> {
    let gather = this.#volumes.get(pool);
    if (gather === undefined) {
      const { storage } = this.#host;
      const secondLook = new NamedLook('volumes', (names) => storage.presentVolumes(pool, names));
      const list = async (names: readonly string[]): Promise<ReadonlyMap<string, VolumeReading>> => {
        const listed = await storage.listVolumes(
          pool,
          names.map((name) => ({ type: 'container', name })),
        );
        return new Map([...listed].map(([key, reading]) => [key.slice('container/'.length), reading]));
      };
      gather = new Gather((names) => secondLook.some(names, list));
      this.#volumes.set(pool, gather);
    }
    return gather;
  }

  tombstones(pool: string): ReturnType<HostView['tombstones']> {
    return this.#cached('volumes', `tombstones ${pool}`, () => this.#host.storage.listTombstones(pool));
  }

  /** Each path is read once a round, however many devices name it. */
  async hostPaths(paths: readonly string[]): ReturnType<HostView['hostPaths']> {
    const readings = paths.map(async (path) => {
      const reading = await this.#cached('paths', `path ${path}`, () => this.#host.files.stat(path));
      return [path, reading] as const;
    });
    return new Map(await Promise.all(readings));
  }

  images(): ReturnType<HostView['images']> {
    return this.#cached('images', 'images', () =>
      this.#secondLook.images.all(
        () => this.#host.images.list(),
        (found) => found,
      ),
    );
  }
}
