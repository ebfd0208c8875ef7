// Pools on btrfs: images are read-only subvolumes, containers snapshots of them, sizes are quota group limits. Volumes are made and
// removed by ioctl in the addon, without a process each.
import { readFile } from 'node:fs/promises';
import { AppError, isErrno } from '../../../core/errors.ts';
import { run } from '../../run/run.ts';
import { storageAddon } from '../native.ts';
import type { PoolDriver, PoolProbe } from '../pool-driver.ts';
import { removeTree } from '../remove-tree.ts';
import { activate, createBacking, deactivate, grow, readBacking, removeBacking } from './backing.ts';

async function probe(signal: AbortSignal): Promise<PoolProbe> {
  if (await kernelKnowsBtrfs()) return { usable: true };
  // The module may just not be loaded yet.
  await run(['modprobe', 'btrfs'], { signal }).catch(() => undefined);
  if (await kernelKnowsBtrfs()) return { usable: true };
  return { usable: false, reason: 'this kernel has no btrfs (modprobe btrfs failed). Use driver "dir".' };
}

async function kernelKnowsBtrfs(): Promise<boolean> {
  return /^\s*btrfs$/m.test(await readFile('/proc/filesystems', 'utf8'));
}

/** Like EINVAL of an older kernel for a command it does not know. */
function isUnknownCommand(error: unknown): boolean {
  return isErrno(error, 'EINVAL') || isErrno(error, 'EOPNOTSUPP') || isErrno(error, 'ENOTTY');
}

/**
 * Quotas are turned on when the first volume asks for a size. Simple quotas (kernel 6.7) cost nothing: 50 snapshots take 0.15 s with
 * and without them. Full ones make that 0.5 s, and seconds right after they are turned on.
 */
async function enableQuotas(path: string): Promise<void> {
  const { btrfs } = storageAddon();
  try {
    await btrfs.enableQuota(path, true);
  } catch (error) {
    if (!isUnknownCommand(error)) throw error;
    await btrfs.enableQuota(path, false);
  }
}

async function limitVolume(path: string, sizeBytes: number | undefined): Promise<void> {
  const { btrfs } = storageAddon();
  try {
    await btrfs.limitSubvolume(path, sizeBytes ?? 0);
  } catch (error) {
    // ENOTCONN: quotas are off (btrfs_limit_qgroup in the kernel's fs/btrfs/qgroup.c).
    if (!isErrno(error, 'ENOTCONN')) throw error;
    if (sizeBytes === undefined) return;
    await enableQuotas(path);
    await btrfs.limitSubvolume(path, sizeBytes);
  }
}

async function cloneVolume(from: string, to: string, signal: AbortSignal): Promise<void> {
  const { btrfs } = storageAddon();
  try {
    await btrfs.snapshot(from, to);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    await deleteVolume(to, signal);
    await btrfs.snapshot(from, to);
  }
}

async function deleteVolume(path: string, signal: AbortSignal): Promise<void> {
  try {
    await storageAddon().btrfs.deleteSubvolume(path);
  } catch (error) {
    // A plain directory: somebody replaced the subvolume.
    if (!isErrno(error, 'EINVAL') && !isErrno(error, 'ENOTDIR')) throw error;
    await removeTree(path, signal);
  }
}

function checkSource(pool: string, sizeBytes: number): void {
  if (sizeBytes >= MIN_LOOP_BYTES) return;
  throw new AppError(
    'VALUE_INVALID',
    { pool, sizeBytes },
    { message: `The pool "${pool}" is too small: a btrfs file system needs at least 128MiB.`, hint: 'Set a larger config.size.' },
  );
}

/** mkfs.btrfs refuses less than about 109 MiB. */
const MIN_LOOP_BYTES = 128 * 1024 ** 2;

export const btrfsDriver: PoolDriver = {
  capabilities: { snapshots: true, quotas: true, blockBacked: false },
  probe,
  readBacking,
  createBacking: async (target, identity, signal) => {
    if (target.source.type === 'loop') checkSource(target.name, target.source.sizeBytes);
    await createBacking(target, identity, signal);
  },
  activate: async (target, _identity, signal) => await activate(target, signal),
  deactivate,
  grow,
  removeBacking,
  createVolume: async (path) => await storageAddon().btrfs.createSubvolume(path),
  cloneVolume,
  sealVolume: async (path) => await storageAddon().btrfs.setReadonly(path, true),
  deleteVolume,
  limitVolume: async (path, sizeBytes) => await limitVolume(path, sizeBytes),
};
