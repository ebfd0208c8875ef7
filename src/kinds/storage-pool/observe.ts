// Reads one pool out of the round's listing of pools, and what of its content matters for the pool itself.
import { toAppError } from '../../core/errors.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { ListedPool, TombstoneReading } from '../../host/ports/storage.ts';
import type { HostView } from '../../host/ports/view.ts';
import type { Observed, Recorded } from '../kind.ts';

export interface StoragePoolActual extends ListedPool {
  /** Containers and custom volumes in it; undefined while it is not active. */
  readonly volumes: number | undefined;
  /** Undefined while it is not active. */
  readonly tombstones: readonly TombstoneReading[] | undefined;
  /** Fingerprints of unpacked images that are not stored on this host any more, and that nothing has blocks in common with. */
  readonly staleImages: readonly string[];
}

const IMAGE_KEY = 'image/';

export async function observe(
  view: HostView,
  ref: ResourceRef,
  _recorded: Recorded | undefined,
  signal: AbortSignal,
): Promise<Observed<StoragePoolActual>> {
  try {
    signal.throwIfAborted();
    const listed = (await view.pools()).get(ref.name);
    if (listed === undefined) return { is: 'absent' };
    if (listed.unreadable !== undefined) throw listed.unreadable;
    if (!listed.active) return { is: 'present', actual: { ...listed, volumes: undefined, tombstones: undefined, staleImages: [] } };
    const [volumes, tombstones, stored] = await Promise.all([view.volumes(ref.name), view.tombstones(ref.name), storedImages(view)]);
    const unpacked = [...volumes.keys()].filter((key) => key.startsWith(IMAGE_KEY));
    // While a snapshot is kept, its image's removal frees nothing, and leaves a quota group that btrfs cannot remove: with simple quotas the
    // blocks count for the image as long as they are used (can_delete_squota_qgroup in the kernel's fs/btrfs/qgroup.c).
    const shared = new Set(tombstones.map(({ shares }) => shares));
    return {
      is: 'present',
      actual: {
        ...listed,
        volumes: volumes.size - unpacked.length,
        tombstones,
        staleImages: unpacked
          .map((key) => key.slice(IMAGE_KEY.length))
          .filter((fingerprint) => stored?.has(fingerprint) === false && !shared.has(fingerprint)),
      },
    };
  } catch (error) {
    return { is: 'unknown', because: toAppError(error, 'HOST_UNREADABLE', { pool: ref.name }) };
  }
}

/** Undefined when they cannot be read: that is told of the images, and no reason to say nothing of the pool. */
async function storedImages(view: HostView): Promise<ReadonlyMap<string, unknown> | undefined> {
  return await view.images().catch(() => undefined);
}
