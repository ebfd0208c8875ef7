// What a storage backend has to do. Everything backends share (layout, marker, facts, tombstones, mounts) is in the functions
// beside this file; a driver only knows how its backing is made and how one volume becomes another.
import type { PoolCapabilities, PoolTarget } from '../ports/storage.ts';

/** What can be told of a pool's backing without making it active. */
export interface BackingReading {
  readonly exists: boolean;
  /** It carries our mark for exactly this pool and state directory. */
  readonly ours: boolean;
}

export interface PoolProbe {
  readonly usable: boolean;
  /** Why it cannot be used here, and what to do about it, as full sentences. */
  readonly reason?: string;
}

/** Who a pool belongs to: written into the backing, compared before anything in it is touched. */
export interface PoolIdentity {
  readonly pool: string;
  /** Identity of the state directory. */
  readonly owner: string;
}

export interface PoolDriver {
  readonly capabilities: PoolCapabilities;
  /** Can this backend work here? */
  probe(signal: AbortSignal): Promise<PoolProbe>;

  readBacking(target: PoolTarget, identity: PoolIdentity): Promise<BackingReading>;
  /** Makes the backing where there is none, finishing what a crash left. Refuses (POOL_FOREIGN) what is not ours. */
  createBacking(target: PoolTarget, identity: PoolIdentity, signal: AbortSignal): Promise<void>;
  /** Mounts the backing at `target.path`. Already mounted is fine. */
  activate(target: PoolTarget, identity: PoolIdentity, signal: AbortSignal): Promise<void>;
  /** Unmounts. Not mounted is fine; busy is POOL_IN_USE. */
  deactivate(target: PoolTarget, signal: AbortSignal): Promise<void>;
  /** The pool is active. Only growing. */
  grow(target: PoolTarget, signal: AbortSignal): Promise<void>;
  /** Removes what createBacking made. The pool is not active and was found empty. */
  removeBacking(target: PoolTarget, identity: PoolIdentity, signal: AbortSignal): Promise<void>;

  /** An empty volume at `path`, whose parent exists. */
  createVolume(path: string, signal: AbortSignal): Promise<void>;
  /** A writable copy of the volume `from` at `to`; `from` is not changed meanwhile. What is at `to`, left half-made, is replaced. */
  cloneVolume(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Nothing may change in the volume from now on (an unpacked image). */
  sealVolume(path: string, signal: AbortSignal): Promise<void>;
  /**
   * Removes the volume with everything in it; its name is free then, its room may be later (reclaim.ts). Missing is fine; what an
   * interrupted `cloneVolume` has left goes, too. Never follows a symbolic link.
   */
  deleteVolume(path: string, signal: AbortSignal): Promise<void>;
  /** Limits what the volume may hold; undefined removes the limit. Only called when `capabilities.quotas`. */
  limitVolume(path: string, sizeBytes: number | undefined, signal: AbortSignal): Promise<void>;
}
