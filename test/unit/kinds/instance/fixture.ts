// One instance on a host in memory: manifests in, plan and apply as the engine does it, with the daemon killed at any step if wanted.
import { AppError } from '../../../../src/core/errors.ts';
import { makePaths } from '../../../../src/core/paths.ts';
import { makeRef, refKey, type ResourceRef } from '../../../../src/core/ref.ts';
import type { HostCapabilities } from '../../../../src/host/ports/capabilities.ts';
import type { HostPathReading } from '../../../../src/host/ports/files.ts';
import type { Host } from '../../../../src/host/ports/host.ts';
import type { ListedPool, StoragePort, VolumeReading } from '../../../../src/host/ports/storage.ts';
import { CachedHostView } from '../../../../src/host/view.ts';
import type { InstanceActual } from '../../../../src/kinds/instance/actual.ts';
import type { InstanceChange } from '../../../../src/kinds/instance/changes.ts';
import { instanceKind } from '../../../../src/kinds/instance/kind.ts';
import type { InstanceSpec } from '../../../../src/kinds/instance/spec.ts';
import type { DiffInput, Facts, Observed, PlannedStep, Readiness, Recorded, Resolved } from '../../../../src/kinds/kind.ts';
import { parseManifests } from '../../../../src/schemas/parse.ts';
import { MemoryLxc } from '../../../fakes/memory-lxc.ts';
import { MemoryNetwork } from '../../../fakes/memory-network.ts';

export const UID = '01890000-0000-7000-8000-000000000001';
export const WEB = makeRef('Instance', 'web');
export const NAME = 'web';
export const BRIDGE = 'ls-lan';

export const HYBRID: HostCapabilities = {
  cgroup: 'hybrid',
  controllers: new Set(['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'freezer', 'devices']),
  swapAccounting: true,
  apparmor: false,
  seccomp: true,
  lxcfs: undefined,
  architecture: 'x86_64',
  liblxc: '5.0.2',
  memoryBytes: 8 * 1024 ** 3,
  cpus: [0, 1, 2, 3],
  ids: { first: 1_000_000, count: 1_000_000_000 },
  nested: false,
};

export const V2: HostCapabilities = {
  ...HYBRID,
  cgroup: 'v2',
  controllers: new Set(['cpu', 'cpuset', 'memory', 'pids', 'io', 'freezer', 'devices']),
};

/** `spec` of the instance, indented by two. */
export function manifest(spec: string, extra = ''): string {
  return `apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec:
  devices:
    root: { type: disk, path: /, pool: fast }
    eth0: { type: nic, network: lan }
---
apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec:
  image: busybox
${spec}
${extra}`;
}

export function resolveText(text: string): Resolved<InstanceSpec> {
  const { documents, problems } = parseManifests([{ path: 'web.yaml', text, source: 'test' }]);
  const errors = problems.filter((problem) => problem.severity === 'error');
  const document = documents.find((one) => one.kind === 'Instance');
  if (document === undefined) throw new Error(`No instance in the text: ${errors.map((problem) => problem.message).join(' ')}`);
  const byKey = new Map(documents.map((one) => [refKey(one.ref), one]));
  return instanceKind.resolve(document, { document: (ref) => byKey.get(refKey(ref)) });
}

export function specFrom(text: string): InstanceSpec {
  const { spec, problems } = resolveText(text);
  if (spec === undefined) throw new Error(problems.map((problem) => problem.message).join(' '));
  return spec;
}

interface MemoryVolume {
  complete: boolean;
  image: string | undefined;
  sizeBytes: number | undefined;
  ownerId: number;
}

/** Stands for the daemon being killed. */
export class Killed extends Error {}

export class Bench {
  now = 1_800_000_000_000;
  capabilities = HYBRID;
  readonly network = new MemoryNetwork();
  readonly lxc = new MemoryLxc(() => this.now, this.network);
  /** By `pool/name`. */
  readonly volumes = new Map<string, MemoryVolume>();
  readonly tombstones = new Map<string, MemoryVolume>();
  readonly pools = new Map<string, { active: boolean; driver: 'btrfs' | 'dir' }>([['fast', { active: true, driver: 'btrfs' }]]);
  readonly hostPaths = new Map<string, HostPathReading>();
  image: { fingerprint: string; properties: Record<string, string> } | undefined = { fingerprint: 'f'.repeat(64), properties: {} };
  /** The network as declared; undefined: not (any more). */
  lan: { mtu: number; dhcp: boolean } | undefined = { mtu: 1500, dhcp: true };
  desired: InstanceSpec | undefined;
  allocations = new Map<string, string>();
  applied: unknown;
  waiting: Recorded['waiting'];
  exits: number[] = [];
  tombstone: Recorded['tombstone'];
  firstLookSinceBoot = false;
  /** Hash of what a person agreed to. */
  agreed: string | undefined;
  bootId = 'boot-1';
  /** Steps left until the daemon is killed. */
  killAfter: number | undefined;
  /** Names of the steps that were carried out. */
  readonly steps: string[] = [];
  /** What people were told meanwhile. */
  readonly progress: string[] = [];

  declare(spec: string): this {
    this.desired = specFrom(manifest(spec));
    return this;
  }

  get recorded(): Recorded {
    return {
      uid: UID,
      ref: WEB,
      source: 'test',
      allocations: this.allocations,
      applied: this.applied,
      protected: false,
      waiting: this.waiting,
      exits: this.exits,
      startedAt: undefined,
      firstLookSinceBoot: this.firstLookSinceBoot,
      ...(this.tombstone === undefined ? {} : { tombstone: this.tombstone }),
      ...(this.agreed === undefined ? {} : { agreed: this.agreed }),
    };
  }

  get facts(): Facts {
    const { lan } = this;
    const network = { type: 'bridge', mtu: lan?.mtu, dhcp4: lan?.dhcp === true };
    const known: Record<string, unknown> = { Network: lan === undefined ? undefined : network };
    return {
      now: this.now,
      bootId: this.bootId,
      prefix: 'ls',
      paths: makePaths('/state', '/run/ls'),
      host: this.capabilities,
      taken: () => new Set(),
      free: (_scope, candidates) => [...candidates()][0],
      desired: (ref) => (ref.kind === 'StoragePool' ? this.pools.get(ref.name) : known[ref.kind]),
      actual: (ref) => (ref.kind === 'Image' ? this.image : undefined),
      recorded: () => undefined,
      tombstones: () => [],
      retention: { ms: 24 * 3600_000, share: 0.1 },
    };
  }

  get host(): Host {
    const files = { stat: (path: string) => Promise.resolve(this.hostPaths.get(path) ?? ({ is: 'missing' } as const)) };
    // Only what the kind uses of these two ports is modelled; anything else would throw.
    const storage = new BenchStorage(this) as unknown as StoragePort;
    return { capabilities: this.capabilities, lxc: this.lxc, storage, network: this.network, images: {} as Host['images'], files };
  }

  observe(): Promise<Observed<InstanceActual>> {
    return instanceKind.observe(new CachedHostView(this.host), WEB, this.recorded, AbortSignal.timeout(5000));
  }

  async actual(): Promise<InstanceActual> {
    const seen = await this.observe();
    if (seen.is !== 'present') throw new Error(`It is ${seen.is}.`);
    return seen.actual;
  }

  async plan(): Promise<readonly PlannedStep<InstanceChange>[]> {
    const seen = await this.observe();
    if (seen.is === 'unknown') throw seen.because;
    if (this.desired !== undefined) {
      for (const { what, value } of instanceKind.allocate(this.desired, this.recorded, this.facts)) this.allocations.set(what, value);
    }
    const input: DiffInput<InstanceSpec, InstanceActual> = {
      ref: WEB,
      desired: this.desired,
      actual: seen.is === 'present' ? seen.actual : undefined,
      recorded: this.recorded,
      facts: this.facts,
    };
    return instanceKind.diff(input);
  }

  /** Names of the planned changes. */
  async names(): Promise<string[]> {
    return (await this.plan()).map((step) => step.change.do);
  }

  async condition(): Promise<Readiness> {
    if (this.desired === undefined) throw new Error('It is not declared.');
    return instanceKind.condition(this.desired, await this.actual(), this.recorded, this.facts);
  }

  async apply(change: InstanceChange): Promise<'done' | 'waiting'> {
    const outcome = await instanceKind.apply(this.host, WEB, change, {
      signal: AbortSignal.timeout(5000),
      step: async (name, work) => {
        if (this.killAfter !== undefined && this.killAfter-- <= 0) throw new Killed();
        this.steps.push(name);
        return work();
      },
      progress: (text) => void this.progress.push(text),
    });
    if (outcome === 'done') {
      this.waiting = undefined;
      return 'done';
    }
    this.waiting = { change: change.do, sinceMs: this.now, deadlineMs: outcome.deadlineMs };
    return 'waiting';
  }

  /** Plans and applies until nothing is left, as the engine does; returns the names of the changes made. */
  async converge(): Promise<string[]> {
    const done: string[] = [];
    for (let round = 0; round < 12; round++) {
      const steps = await this.plan();
      if (steps.length === 0) {
        if (this.desired !== undefined)
          this.applied = JSON.parse(JSON.stringify(instanceKind.redact(this.desired, (secret) => `fp:${secret.length}`)));
        return done;
      }
      for (const { change, notBefore, hold } of steps) {
        if (hold !== undefined) {
          if (change === steps[0]!.change) return done;
          break;
        }
        if (notBefore !== undefined && notBefore > this.now) this.now = notBefore;
        const seen = await this.observe();
        if (!instanceKind.holds(change, seen)) break;
        done.push(change.do);
        if ((await this.apply(change)) === 'waiting') break;
      }
      this.waiting = (await this.actual().catch(() => undefined))?.power === 'Stopped' ? undefined : this.waiting;
    }
    throw new Error(`It does not converge: ${done.join(', ')}`);
  }
}

class BenchStorage {
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  listPools(): Promise<ReadonlyMap<string, ListedPool>> {
    const entries = [...this.#bench.pools].map(
      ([name, { active }]) => [name, { backing: true, ours: true, active } as ListedPool] as const,
    );
    return Promise.resolve(new Map(entries));
  }

  #open(pool: string): void {
    if (this.#bench.pools.get(pool)?.active !== true) throw new AppError('POOL_MISSING', { pool });
  }

  async presentVolumes(pool: string, containers: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(containers.filter((name) => this.#bench.volumes.has(`${pool}/${name}`)));
  }

  async listVolumes(pool: string): Promise<ReadonlyMap<string, VolumeReading>> {
    this.#open(pool);
    const found = new Map<string, VolumeReading>();
    for (const [key, volume] of this.#bench.volumes) {
      const [of, name] = key.split('/');
      const { complete, image, sizeBytes } = volume;
      if (of === pool) found.set(`container/${name}`, { path: `/state/pools/${pool}/containers/${name}`, complete, image, sizeBytes });
    }
    return found;
  }

  async createContainerVolume(
    pool: string,
    volume: { name: string; fingerprint: string; ownerId: number; sizeBytes: number | undefined },
  ): Promise<void> {
    this.#open(pool);
    const key = `${pool}/${volume.name}`;
    if (this.#bench.volumes.get(key)?.complete === true) return;
    const { fingerprint, ownerId, sizeBytes } = volume;
    this.#bench.volumes.set(key, { complete: true, image: fingerprint, ownerId, sizeBytes });
  }

  async setVolumeSize(pool: string, id: { name: string }, sizeBytes: number | undefined): Promise<void> {
    const volume = this.#bench.volumes.get(`${pool}/${id.name}`);
    if (volume === undefined) throw new AppError('VOLUME_MISSING', { pool });
    volume.sizeBytes = sizeBytes;
  }

  async deleteVolume(pool: string, id: { name: string }): Promise<void> {
    this.#bench.volumes.delete(`${pool}/${id.name}`);
  }

  async buryVolume(pool: string, id: { name: string }, tombstone: string): Promise<void> {
    this.#open(pool);
    const volume = this.#bench.volumes.get(`${pool}/${id.name}`);
    if (volume === undefined && !this.#bench.tombstones.has(tombstone)) throw new AppError('VOLUME_MISSING', { pool });
    if (volume !== undefined) this.#bench.tombstones.set(tombstone, volume);
    this.#bench.volumes.delete(`${pool}/${id.name}`);
  }

  async unburyVolume(pool: string, tombstone: string, id: { name: string }): Promise<string | undefined> {
    const volume = this.#bench.tombstones.get(tombstone);
    if (volume !== undefined) this.#bench.volumes.set(`${pool}/${id.name}`, volume);
    this.#bench.tombstones.delete(tombstone);
    return this.#bench.volumes.get(`${pool}/${id.name}`)?.image;
  }
}

export function refOf(kind: ResourceRef['kind'], name: string): ResourceRef {
  return makeRef(kind, name);
}
