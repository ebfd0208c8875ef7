// A storage port in memory that models facts: loop files, directories and devices with what is on them, mounts, volumes, tombstones.
// Tests change facts behind the port's back (unplug a device, unmount, damage a volume), or make any of its calls fail, hang, answer
// with nothing, or end half-way as a killed daemon leaves it.
import { AppError } from '../../src/core/errors.ts';
import type { ImagePort } from '../../src/host/ports/images.ts';
import {
  type ContainerVolume,
  type ListedPool,
  type PoolCapabilities,
  type PoolDriverName,
  type PoolReading,
  type PoolTarget,
  type StoragePort,
  type TombstoneReading,
  type VolumeId,
  type VolumeReading,
} from '../../src/host/ports/storage.ts';

interface MemoryVolume {
  complete: boolean;
  sizeBytes: number | undefined;
  image: string | undefined;
  ownerId: number;
}

/** A loop file, directory or device. */
interface Backing {
  /** Pool whose mark it carries; undefined: nothing on it; `foreign`: something of others. */
  marked: string | undefined;
  sizeBytes: number;
  /** By `containers/NAME`, `images/FINGERPRINT`, `custom/NAME`. */
  readonly volumes: Map<string, MemoryVolume>;
  readonly tombstones: Map<string, MemoryVolume>;
}

export const FOREIGN = '(foreign)';

/** `empty`: a listing answers as if there were nothing. `half`: the call is interrupted in the middle of its work. */
export type StorageFault = AppError | 'fail' | 'hang' | 'empty' | 'half';

type Method = keyof StoragePort;

export class MemoryStorage implements StoragePort {
  readonly facts = {
    /** By path. */
    backings: new Map<string, Backing>(),
    /** What is mounted at a pool's place: path of the backing, by pool. */
    mounts: new Map<string, string>(),
    records: new Map<string, PoolTarget>(),
    /** What was measured of a tombstone, by its name. */
    tombstoneBytes: new Map<string, number>(),
  };
  readonly faults = new Map<Method, StorageFault>();
  /** Names of all calls so far, oldest first. */
  readonly calls: Method[] = [];
  readonly #images: Pick<ImagePort, 'list'>;

  constructor(images: Pick<ImagePort, 'list'>) {
    this.#images = images;
  }

  // What others do on the host.

  /** A directory or device that is there before any pool; with `marked` FOREIGN something of others is on it. */
  plug(path: string, marked?: string): Backing {
    const backing: Backing = { marked, sizeBytes: 10 * 1024 ** 3, volumes: new Map(), tombstones: new Map() };
    this.facts.backings.set(path, backing);
    return backing;
  }

  /** As a reboot leaves it: nothing is mounted. */
  reboot(): void {
    this.facts.mounts.clear();
  }

  /** The volumes of an active pool, to damage or remove. */
  volumesOf(pool: string): Map<string, MemoryVolume> {
    return this.#active(pool).volumes;
  }

  // The port.

  capabilities(driver: PoolDriverName): PoolCapabilities {
    return { snapshots: driver === 'btrfs', quotas: driver === 'btrfs', blockBacked: false };
  }

  async readPool(target: PoolTarget): Promise<PoolReading> {
    await this.#called('readPool');
    return this.#read(target);
  }

  async listPools(): Promise<ReadonlyMap<string, ListedPool>> {
    await this.#called('listPools');
    if (this.faults.get('listPools') === 'empty') return new Map();
    return new Map([...this.facts.records].map(([name, target]) => [name, { ...this.#read(target), target }]));
  }

  async presentPools(names: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#called('presentPools');
    return new Set(names.filter((name) => this.facts.records.has(name)));
  }

  #read(target: PoolTarget): PoolReading {
    const path = backingPath(target);
    const backing = this.facts.backings.get(path);
    const active = backing?.marked === target.name && this.#isInPlace(target);
    const reading = { backing: backing !== undefined, ours: backing?.marked === target.name, active };
    return active ? { ...reading, sizeBytes: backing.sizeBytes, usedBytes: 0, idmapped: true } : reading;
  }

  #isInPlace(target: PoolTarget): boolean {
    return backingPath(target) === target.path || this.facts.mounts.get(target.name) === backingPath(target);
  }

  async createPool(wanted: PoolTarget, signal: AbortSignal): Promise<void> {
    await this.#called('createPool', signal);
    const known = this.facts.records.get(wanted.name);
    const { source } = wanted;
    const size = source.type === 'loop' && source.sizeBytes === 0 ? 5 * 1024 ** 3 : undefined;
    const target = size === undefined || source.type !== 'loop' ? wanted : { ...wanted, source: { ...source, sizeBytes: size } };
    if (known !== undefined && known.driver !== target.driver) throw error('POOL_IN_USE', target.name, 'exists with another driver');
    const path = backingPath(target);
    const there = this.facts.backings.get(path);
    if (there === undefined && source.type !== 'loop' && path !== target.path) throw error('POOL_MISSING', target.name, 'has no source');
    if (there?.marked !== undefined && there.marked !== target.name) throw error('POOL_FOREIGN', target.name, 'would overwrite something');
    this.facts.records.set(target.name, target);
    this.#interrupt('createPool');
    const backing = there ?? this.plug(path);
    if (target.source.type === 'loop' && there === undefined) backing.sizeBytes = target.source.sizeBytes;
    backing.marked = target.name;
    this.facts.mounts.set(target.name, path);
  }

  async activatePool(target: PoolTarget, signal: AbortSignal): Promise<void> {
    await this.#called('activatePool', signal);
    const backing = this.facts.backings.get(backingPath(target));
    if (backing === undefined) throw error('POOL_MISSING', target.name, 'has no backing');
    if (backing.marked !== target.name) throw error('POOL_FOREIGN', target.name, 'is not ours');
    this.facts.mounts.set(target.name, backingPath(target));
    this.facts.records.set(target.name, target);
  }

  async deactivatePool(target: PoolTarget, signal: AbortSignal): Promise<void> {
    await this.#called('deactivatePool', signal);
    this.facts.mounts.delete(target.name);
  }

  async growPool(target: PoolTarget, signal: AbortSignal): Promise<void> {
    await this.#called('growPool', signal);
    const backing = this.#active(target.name);
    if (target.source.type === 'loop') backing.sizeBytes = Math.max(backing.sizeBytes, target.source.sizeBytes);
    this.facts.records.set(target.name, target);
  }

  async deletePool(wanted: PoolTarget, signal: AbortSignal): Promise<void> {
    await this.#called('deletePool', signal);
    const target = this.facts.records.get(wanted.name);
    if (target === undefined) return;
    const path = backingPath(target);
    const backing = this.facts.backings.get(path);
    if (backing?.marked === target.name) {
      const left = [...backing.volumes.keys()].filter((key) => !key.startsWith('images/')).length + backing.tombstones.size;
      if (left > 0) throw error('POOL_IN_USE', target.name, `still holds ${left} volumes`);
      backing.volumes.clear();
      this.facts.mounts.delete(target.name);
      this.#interrupt('deletePool');
      if (target.source.type === 'loop' || path === target.path) this.facts.backings.delete(path);
      else backing.marked = undefined;
    }
    this.facts.records.delete(target.name);
  }

  async listVolumes(pool: string, only?: readonly VolumeId[]): Promise<ReadonlyMap<string, VolumeReading>> {
    await this.#called('listVolumes');
    const { volumes } = this.#active(pool);
    if (this.faults.get('listVolumes') === 'empty') return new Map();
    const target = this.facts.records.get(pool)!;
    const listed = new Map(
      [...volumes].map(([key, { complete, sizeBytes, image }]): [string, VolumeReading] => {
        const [directory = '', name = ''] = key.split('/');
        const id = `${DIRECTORY_TYPES[directory] ?? ''}/${name}`;
        return [
          id,
          { path: `${target.path}/${key}`, complete, sizeBytes: complete ? sizeBytes : undefined, image: complete ? image : undefined },
        ];
      }),
    );
    if (only === undefined) return listed;
    const asked = new Set(only.map(({ type, name }) => `${type}/${name}`));
    return new Map([...listed].filter(([key]) => asked.has(key)));
  }

  async presentVolumes(pool: string, containers: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#called('presentVolumes');
    const { volumes } = this.#active(pool);
    return new Set(containers.filter((name) => volumes.has(`containers/${name}`)));
  }

  async listTombstones(pool: string): Promise<readonly TombstoneReading[]> {
    await this.#called('listTombstones');
    const { tombstones } = this.#active(pool);
    if (this.faults.get('listTombstones') === 'empty') return [];
    return [...tombstones].map(([name, { image }]) => {
      const bytes = this.facts.tombstoneBytes.get(name);
      const shared = image !== undefined && this.#hasQuotas(pool) ? { shares: image } : {};
      return { name, ...shared, ...(bytes === undefined ? {} : { bytes }) };
    });
  }

  async createContainerVolume(pool: string, volume: ContainerVolume, signal: AbortSignal): Promise<void> {
    await this.#called('createContainerVolume', signal);
    const { volumes } = this.#active(pool);
    if (volume.sizeBytes !== undefined && !this.#hasQuotas(pool)) throw error('FEATURE_MISSING', pool, 'has no quotas');
    const key = `containers/${volume.name}`;
    const there = volumes.get(key);
    if (there?.complete === true) {
      if (there.image !== volume.fingerprint) throw error('VOLUME_IN_USE', pool, `holds another volume "${volume.name}"`);
      Object.assign(there, { ownerId: volume.ownerId, sizeBytes: volume.sizeBytes });
      return;
    }
    const images = await this.#images.list();
    if (!images.has(volume.fingerprint) && !volumes.has(`images/${volume.fingerprint}`)) {
      throw new AppError('IMAGE_MISSING', { fingerprint: volume.fingerprint });
    }
    const made = { complete: false, sizeBytes: volume.sizeBytes, image: volume.fingerprint, ownerId: volume.ownerId };
    volumes.set(`images/${volume.fingerprint}`, { complete: true, sizeBytes: undefined, image: undefined, ownerId: 0 });
    volumes.set(key, made);
    this.#interrupt('createContainerVolume');
    made.complete = true;
  }

  #hasQuotas(pool: string): boolean {
    return this.facts.records.get(pool)?.driver === 'btrfs';
  }

  async setVolumeSize(pool: string, id: VolumeId, sizeBytes: number | undefined, signal: AbortSignal): Promise<void> {
    await this.#called('setVolumeSize', signal);
    const volume = this.#active(pool).volumes.get(volumeKey(id));
    if (volume === undefined) throw error('VOLUME_MISSING', pool, `has no volume "${id.name}"`);
    if (volume.sizeBytes !== sizeBytes && !this.#hasQuotas(pool)) throw error('FEATURE_MISSING', pool, 'has no quotas');
    volume.sizeBytes = sizeBytes;
  }

  async deleteVolume(pool: string, id: VolumeId, signal: AbortSignal): Promise<void> {
    await this.#called('deleteVolume', signal);
    const { volumes } = this.#active(pool);
    const volume = volumes.get(volumeKey(id));
    if (volume === undefined) return;
    volume.complete = false;
    this.#interrupt('deleteVolume');
    volumes.delete(volumeKey(id));
  }

  async renameVolume(pool: string, id: VolumeId, to: string, signal: AbortSignal): Promise<void> {
    await this.#called('renameVolume', signal);
    const { volumes } = this.#active(pool);
    move(volumes, volumeKey(id), volumes, volumeKey({ ...id, name: to }), pool);
  }

  async buryVolume(pool: string, id: VolumeId, tombstone: string, signal: AbortSignal): Promise<void> {
    await this.#called('buryVolume', signal);
    const { volumes, tombstones } = this.#active(pool);
    move(volumes, volumeKey(id), tombstones, tombstone, pool);
  }

  async unburyVolume(pool: string, tombstone: string, id: VolumeId, signal: AbortSignal): Promise<string | undefined> {
    await this.#called('unburyVolume', signal);
    const { volumes, tombstones } = this.#active(pool);
    move(tombstones, tombstone, volumes, volumeKey(id), pool);
    return volumes.get(volumeKey(id))?.image;
  }

  async purgeTombstone(pool: string, tombstone: string, signal: AbortSignal): Promise<void> {
    await this.#called('purgeTombstone', signal);
    this.#active(pool).tombstones.delete(tombstone);
  }

  #active(pool: string): Backing {
    const target = this.facts.records.get(pool);
    const backing = target === undefined ? undefined : this.facts.backings.get(backingPath(target));
    if (target === undefined || backing?.marked !== pool || !this.#isInPlace(target)) throw error('POOL_MISSING', pool, 'is not active');
    return backing;
  }

  /** A killed daemon: what was done so far stays. */
  #interrupt(method: Method): void {
    if (this.faults.get(method) === 'half') throw new AppError('CANCELLED', { method });
  }

  async #called(method: Method, signal?: AbortSignal): Promise<void> {
    this.calls.push(method);
    const fault = this.faults.get(method);
    if (fault === 'fail') throw new AppError('HOST_UNREADABLE', { method }, { message: `The storage refused ${method}.` });
    if (fault instanceof AppError) throw fault;
    if (fault !== 'hang') return;
    await new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new AppError('CANCELLED', { method })), { once: true });
    });
  }
}

const TYPE_DIRECTORIES: Readonly<Record<VolumeId['type'], string>> = { container: 'containers', image: 'images', custom: 'custom' };
const DIRECTORY_TYPES: Readonly<Record<string, string>> = { containers: 'container', images: 'image', custom: 'custom' };

function volumeKey(id: VolumeId): string {
  return `${TYPE_DIRECTORIES[id.type]}/${id.name}`;
}

function backingPath(target: PoolTarget): string {
  return target.source.type === 'loop' ? target.source.file : target.source.path;
}

function move(from: Map<string, MemoryVolume>, name: string, to: Map<string, MemoryVolume>, newName: string, pool: string): void {
  const volume = from.get(name);
  if (volume === undefined) {
    if (to.has(newName)) return;
    throw error('VOLUME_MISSING', pool, `has no volume "${name}"`);
  }
  if (to.has(newName)) throw error('VOLUME_IN_USE', pool, `already holds "${newName}"`);
  from.delete(name);
  to.set(newName, volume);
}

function error(code: AppError['code'], pool: string, what: string): AppError {
  return new AppError(code, { pool }, { message: `The pool "${pool}" ${what}.` });
}
