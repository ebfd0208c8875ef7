// Where things lie inside a pool, as LXD lays them out. Pure.
//
//   .lockstep-pool            whose pool this is (pool-marker.ts)
//   containers/NAME/rootfs    NAME is 0100 and owned by the host id of the container's root
//   images/FINGERPRINT/rootfs unpacked once; containers are copies or snapshots of it
//   custom/NAME
//   .tombstones/UID.TIME      deleted volumes that can still be brought back
//   .removing/                what is gone for everyone and is being taken away
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { VolumeId, VolumeType } from '../ports/storage.ts';

export const MARKER_FILE = '.lockstep-pool';
export const TOMBSTONES_DIR = '.tombstones';
/** What is being removed (reclaim.ts); made when it is needed. */
export const REMOVING_DIR = '.removing';

export const VOLUME_DIRS: Readonly<Record<VolumeType, string>> = { container: 'containers', image: 'images', custom: 'custom' };
export const VOLUME_TYPES = ['container', 'image', 'custom'] as const satisfies readonly VolumeType[];

/**
 * Directories of a pool and their modes. A container's root must be able to pass to its own volume (0711); nobody but the host's root
 * may look into unpacked images and tombstones, which hold set-uid files.
 */
export const POOL_DIRS: readonly { readonly name: string; readonly mode: number }[] = [
  { name: VOLUME_DIRS.container, mode: 0o711 },
  { name: VOLUME_DIRS.image, mode: 0o700 },
  { name: VOLUME_DIRS.custom, mode: 0o711 },
  { name: TOMBSTONES_DIR, mode: 0o700 },
];

/** Names that start with this are half-made and never listed. No volume's name may start with a dot. */
export const TEMPORARY_PREFIX = '.new-';

const VOLUME_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;
const TOMBSTONE = /^[A-Za-z0-9][A-Za-z0-9-]{0,99}\.[0-9]{1,20}$/;

function isVolumeName(id: VolumeId): boolean {
  return id.type === 'image' ? FINGERPRINT.test(id.name) : VOLUME_NAME.test(id.name);
}

/** Absolute path of a volume. A name that could leave its directory is NAME_INVALID. */
export function volumePath(poolPath: string, id: VolumeId): string {
  if (!isVolumeName(id)) {
    throw new AppError(
      'NAME_INVALID',
      { type: id.type, name: id.name },
      { message: `The ${id.type} volume name ${JSON.stringify(id.name)} is not allowed.` },
    );
  }
  return join(poolPath, VOLUME_DIRS[id.type], id.name);
}

export function tombstonePath(poolPath: string, tombstone: string): string {
  if (!TOMBSTONE.test(tombstone)) {
    throw new AppError(
      'NAME_INVALID',
      { tombstone },
      { message: `The tombstone name ${JSON.stringify(tombstone)} is not allowed; it is UID.TIME.` },
    );
  }
  return join(poolPath, TOMBSTONES_DIR, tombstone);
}

export function isTombstoneName(name: string): boolean {
  return TOMBSTONE.test(name);
}

export function volumeKey(id: VolumeId): string {
  return `${id.type}/${id.name}`;
}
