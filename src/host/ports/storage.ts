// Pools and volumes. One interface for the kinds; one driver per backend behind it (host/storage/).
import type { AppError } from '../../core/errors.ts';

export type PoolDriverName = 'dir' | 'btrfs';

/** What a driver needs to know to work with a pool. Paths were decided while planning. */
export interface PoolTarget {
  readonly name: string;
  readonly driver: PoolDriverName;
  /** Where the pool is mounted or lies: `<state-dir>/pools/NAME`. */
  readonly path: string;
  /** A loop file of ours, an existing directory or subvolume, or a block device. */
  readonly source:
    | { readonly type: 'loop'; readonly file: string; readonly sizeBytes: number }
    | { readonly type: 'path'; readonly path: string }
    | { readonly type: 'device'; readonly path: string };
  /** btrfs.mount_options. */
  readonly mountOptions?: string;
}

export interface PoolReading {
  /** The loop file, directory or device is there. */
  readonly backing: boolean;
  /** It holds a file system (or directory tree) with our marker for this pool. */
  readonly ours: boolean;
  /** Mounted (or in place) and usable now. */
  readonly active: boolean;
  readonly sizeBytes?: number;
  readonly usedBytes?: number;
  /** The file system takes id-mapped mounts (probed with a mapped user namespace). */
  readonly idmapped?: boolean;
}

/** A pool as its own record on this host tells it (`<state-dir>/pools/NAME.json`, written before anything is made). */
export interface ListedPool extends PoolReading {
  /** As it was made: later specs are compared with this. */
  readonly target: PoolTarget;
  /** It was whole once: if its backing is gone now, it may come back, and nothing is made in its place. */
  readonly made?: boolean;
  readonly unreadable?: undefined;
}

/** It is there, and nothing more can be said of it: its record or marker is damaged, or its file system does not answer. */
export interface UnreadablePool extends Partial<Record<Exclude<keyof ListedPool, 'unreadable'>, undefined>> {
  readonly unreadable: AppError;
}

export type VolumeType = 'container' | 'image' | 'custom';

export interface VolumeId {
  readonly type: VolumeType;
  /** LXC name, image fingerprint, or custom volume name. */
  readonly name: string;
}

export interface VolumeReading {
  readonly path: string;
  /** Half-made (a crash during creation): to be made again. */
  readonly complete: boolean;
  /** Quota; undefined when there is none. */
  readonly sizeBytes: number | undefined;
  /** Fingerprint it was made from, for containers. */
  readonly image: string | undefined;
}

export interface TombstoneReading {
  /** `UID.TIME` as in `.tombstones/`. */
  readonly name: string;
  /** LXC name of the container whose root it was, where that can be read. */
  readonly of?: string;
  readonly bytes?: number;
  /** Fingerprint of the image with whose unpacked copy it has blocks in common. */
  readonly shares?: string;
}

export interface PoolCapabilities {
  readonly snapshots: boolean;
  readonly quotas: boolean;
  readonly blockBacked: boolean;
}

export interface StoragePort {
  capabilities(driver: PoolDriverName): PoolCapabilities;
  readPool(target: PoolTarget): Promise<PoolReading>;
  /** Complete listing of the pools that were made here (or begun), by name. One that cannot be read concerns no other. */
  listPools(): Promise<ReadonlyMap<string, ListedPool | UnreadablePool>>;
  /** Those of these pools whose record is there, looked for one by one: whether what `listPools` lacks is really not there. */
  presentPools(names: readonly string[]): Promise<ReadonlySet<string>>;
  /** Makes backing and file system where there is none; refuses (POOL_FOREIGN) what it did not make. Never formats twice. */
  createPool(target: PoolTarget, signal: AbortSignal): Promise<void>;
  activatePool(target: PoolTarget, signal: AbortSignal): Promise<void>;
  deactivatePool(target: PoolTarget, signal: AbortSignal): Promise<void>;
  /** Only growing. */
  growPool(target: PoolTarget, signal: AbortSignal): Promise<void>;
  /** Deactivates and removes what we made: the loop file, or our directories in a given path. Refuses while volumes or tombstones are left. */
  deletePool(target: PoolTarget, signal: AbortSignal): Promise<void>;

  /**
   * Complete listing of a pool's volumes by `type/name`. Throws when the pool is not active.
   * `only`: of these only; one that is then missing is not there.
   */
  listVolumes(pool: string, only?: readonly VolumeId[]): Promise<ReadonlyMap<string, VolumeReading>>;
  /** Those of these containers that have something in the place of their volume, looked for one by one: whether what `listVolumes` lacks is really not there. */
  presentVolumes(pool: string, containers: readonly string[]): Promise<ReadonlySet<string>>;
  listTombstones(pool: string): Promise<readonly TombstoneReading[]>;
  /**
   * A container's root volume from an image, which is unpacked once per pool first. The volume's own directory is made 0100 and
   * owned by `ownerId` (the host id of the container's root), so that nobody else on the host reaches set-uid files below it.
   */
  createContainerVolume(pool: string, volume: ContainerVolume, signal: AbortSignal): Promise<void>;
  setVolumeSize(pool: string, id: VolumeId, sizeBytes: number | undefined, signal: AbortSignal): Promise<void>;
  deleteVolume(pool: string, id: VolumeId, signal: AbortSignal): Promise<void>;
  /** Gives a volume another name in its pool. Done already is fine. */
  renameVolume(pool: string, id: VolumeId, to: string, signal: AbortSignal): Promise<void>;
  /** Renames the volume to `.tombstones/NAME` in its pool. Missing is fine when the tombstone is already there. */
  buryVolume(pool: string, id: VolumeId, tombstone: string, signal: AbortSignal): Promise<void>;
  /** The way back. Returns the fingerprint of the image it was made from, if that is known. */
  unburyVolume(pool: string, tombstone: string, id: VolumeId, signal: AbortSignal): Promise<string | undefined>;
  purgeTombstone(pool: string, tombstone: string, signal: AbortSignal): Promise<void>;
}

export interface ContainerVolume {
  readonly name: string;
  readonly fingerprint: string;
  readonly ownerId: number;
  readonly sizeBytes: number | undefined;
}

/** The root file system of a container volume: `<pool path>/containers/NAME/rootfs`. */
export function rootfsPath(poolPath: string, lxcName: string): string {
  return `${poolPath}/containers/${lxcName}/rootfs`;
}
