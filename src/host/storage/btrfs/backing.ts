// What a btrfs pool lies on: a loop file of ours, a block device, or a directory of an existing btrfs. Formatting happens in one
// place, and only on what was made or found empty in the same call.
import { mkdir, realpath, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, isErrno } from '../../../core/errors.ts';
import type { PoolTarget } from '../../ports/storage.ts';
import { mustRun, run } from '../../run/run.ts';
import { attachLoop, createSparseFile, detachLoop, growLoop, loopsOf } from '../loop.ts';
import { mount, mountAt, unmount } from '../mounts.ts';
import { storageAddon } from '../native.ts';
import {
  activatePath,
  createPathBacking,
  deactivatePath,
  foreign,
  isDirectory,
  readPathBacking,
  removePathBacking,
} from '../path-source.ts';
import type { BackingReading, PoolIdentity } from '../pool-driver.ts';
import { poolLabel, readSuperblock } from './superblock.ts';

const FORMAT_TIMEOUT_MS = 5 * 60_000;
/** statfs(2): BTRFS_SUPER_MAGIC. */
const BTRFS_MAGIC = 0x91_23_68_3en;
/** A guest's root may remove the subvolumes it made. */
const MOUNT_OPTIONS = 'user_subvol_rm_allowed';
/** blkid(8), low-level probing: nothing was found. */
const BLKID_NOTHING = 2;

export async function readBacking(target: PoolTarget, identity: PoolIdentity): Promise<BackingReading> {
  const { source } = target;
  if (source.type === 'path') return await readPathBacking(source.path, identity);
  const content = await readSuperblock(source.type === 'loop' ? source.file : source.path);
  if (content.is === 'missing') return { exists: false, ours: false };
  return { exists: true, ours: content.is === 'btrfs' && content.label === poolLabel(identity) };
}

export async function createBacking(target: PoolTarget, identity: PoolIdentity, signal: AbortSignal): Promise<void> {
  const { source } = target;
  if (source.type === 'path') return await createInDirectory(target, source.path, identity);
  const path = source.type === 'loop' ? source.file : source.path;
  const content = await readSuperblock(path);
  if (content.is === 'btrfs' && content.label === poolLabel(identity)) return;
  if (source.type === 'loop') {
    if (content.is !== 'missing') throw foreign(target, path, 'it holds something that was not made for this pool');
    return await createLoopFile(source.file, source.sizeBytes, identity, signal);
  }
  await formatDevice(target, path, identity, signal);
}

async function createInDirectory(target: PoolTarget, path: string, identity: PoolIdentity): Promise<void> {
  const existing = (await isDirectory(path)) ? path : dirname(path);
  if ((await isDirectory(existing)) && (await statfs(existing, { bigint: true })).type !== BTRFS_MAGIC) {
    throw new AppError(
      'POOL_FOREIGN',
      { pool: target.name, path },
      { message: `"${path}" is not on a btrfs file system.`, hint: 'Use driver "dir", or leave config.source away to get a loop file.' },
    );
  }
  await createPathBacking(target, path, identity);
}

/** Under another name until it is formatted: what has the final name is whole, and is never formatted again. */
async function createLoopFile(file: string, sizeBytes: number, identity: PoolIdentity, signal: AbortSignal): Promise<void> {
  const fresh = `${file}.new`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await createSparseFile(fresh, sizeBytes);
  await format(fresh, identity, signal);
  await rename(fresh, file);
}

async function formatDevice(target: PoolTarget, path: string, identity: PoolIdentity, signal: AbortSignal): Promise<void> {
  if (!(await isBlockDevice(path))) {
    throw new AppError(
      'POOL_MISSING',
      { pool: target.name, path },
      { message: `The source "${path}" of the pool "${target.name}" is not a block device.`, hint: 'Correct config.source.' },
    );
  }
  const found = await run(['blkid', '--probe', '--', path], { signal });
  if (found.code !== BLKID_NOTHING) {
    throw foreign(target, path, 'there is a file system, partition table or other signature on it');
  }
  await format(path, identity, signal);
}

async function isBlockDevice(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isBlockDevice();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function format(path: string, identity: PoolIdentity, signal: AbortSignal): Promise<void> {
  // No --force: mkfs.btrfs itself refuses what carries a file system or is mounted.
  await mustRun(['mkfs.btrfs', '--quiet', '--label', poolLabel(identity), path], { signal, timeoutMs: FORMAT_TIMEOUT_MS });
}

export async function activate(target: PoolTarget, signal: AbortSignal): Promise<void> {
  const { source } = target;
  if (source.type === 'path') return await activatePath(target, source.path, signal);
  const mounted = await mountAt(target.path);
  if (mounted !== undefined) return await checkMounted(target, mounted.source);
  await mkdir(target.path, { recursive: true, mode: 0o711 });
  const device = source.type === 'loop' ? await attachLoop(source.file, signal) : source.path;
  const options = [MOUNT_OPTIONS, target.mountOptions].filter((text) => text !== undefined && text !== '').join(',');
  await mount({ source: device, point: target.path, fsType: 'btrfs', options }, signal);
}

async function checkMounted(target: PoolTarget, device: string): Promise<void> {
  const { source } = target;
  const devices = source.type === 'loop' ? await loopsOf(source.file) : [source.path, await realpath(source.path)];
  if (!devices.includes(device)) throw foreign(target, target.path, `"${device}" is mounted there`);
}

export async function deactivate(target: PoolTarget, signal: AbortSignal): Promise<void> {
  const { source } = target;
  if (source.type === 'path') return await deactivatePath(target, source.path, signal);
  await unmount(target.path, signal);
  if (source.type === 'loop') await detachLoop(source.file, signal);
}

export async function grow(target: PoolTarget, signal: AbortSignal): Promise<void> {
  const { source } = target;
  if (source.type === 'path') return;
  if (source.type === 'loop') await growLoop(source.file, source.sizeBytes, signal);
  await storageAddon().btrfs.growToDevice(target.path);
}

export async function removeBacking(target: PoolTarget, identity: PoolIdentity, signal: AbortSignal): Promise<void> {
  const { source } = target;
  if (source.type === 'path') return await removePathBacking(target, source.path);
  const { ours } = await readBacking(target, identity);
  if (source.type === 'loop') {
    await detachLoop(source.file, signal);
    if (ours) await rm(source.file, { force: true });
    await rm(`${source.file}.new`, { force: true });
  } else if (ours) {
    // The file system was made by us and is empty: the device is free for another use again.
    await mustRun(['wipefs', '--quiet', '--all', '--types', 'btrfs', '--', source.path], { signal });
  }
  try {
    await rmdir(target.path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
