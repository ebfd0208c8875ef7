// Reads a btrfs superblock from a device or image file that is not mounted: is there a file system, and is it ours? The label, set by
// mkfs and read here without mounting anything, names the pool and the state directory it belongs to.
import { open } from 'node:fs/promises';
import { isErrno } from '../../../core/errors.ts';
import type { PoolIdentity } from '../pool-driver.ts';

// Offsets of struct btrfs_super_block (kernel: include/uapi/linux/btrfs_tree.h); the first copy lies at 64 KiB.
const SUPERBLOCK_AT = 65_536;
const MAGIC_AT = 0x40;
const MAGIC = '_BHRfS_M';
const LABEL_AT = 0x12b;
const LABEL_BYTES = 256;

export interface Superblock {
  readonly label: string;
}

export type BlockContent = { readonly is: 'missing' } | { readonly is: 'other' } | ({ readonly is: 'btrfs' } & Superblock);

/** `other`: no btrfs; whether there is something else is for blkid to say. */
export async function readSuperblock(path: string): Promise<BlockContent> {
  const buffer = Buffer.alloc(LABEL_AT + LABEL_BYTES);
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, SUPERBLOCK_AT);
      if (bytesRead < buffer.length) return { is: 'other' };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENXIO')) return { is: 'missing' };
    throw error;
  }
  if (buffer.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) !== MAGIC) return { is: 'other' };
  const label = buffer.toString('utf8', LABEL_AT, LABEL_AT + LABEL_BYTES);
  return { is: 'btrfs', label: label.slice(0, label.indexOf('\0')) };
}

/** At most 255 bytes: a pool's name has at most 63 characters. */
export function poolLabel(identity: PoolIdentity): string {
  return `lockstep:${identity.owner}:${identity.pool}`;
}
