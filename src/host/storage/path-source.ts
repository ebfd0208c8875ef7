// Pools that lie in a directory: the pool's own place below the state directory, or one that exists elsewhere and is bind-mounted
// there. Only an empty directory is taken, and only what we made in it is ever removed.
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { PoolTarget } from '../ports/storage.ts';
import { identityOf, mount, unmount } from './mounts.ts';
import type { BackingReading, PoolIdentity } from './pool-driver.ts';
import { marksPool, readMarker } from './pool-marker.ts';
import { MARKER_FILE, POOL_DIRS, REMOVING_DIR } from './volume-layout.ts';

/** What mkfs leaves in a fresh ext4, and snapshots tools make: not somebody's data. */
const HARMLESS = new Set(['lost+found']);

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}

export async function readPathBacking(path: string, identity: PoolIdentity): Promise<BackingReading> {
  if (!(await isDirectory(path))) return { exists: false, ours: false };
  return { exists: true, ours: marksPool(await readMarker(path), identity) };
}

/** Makes the directory where its parent exists. One with a foreign marker or anything else in it is POOL_FOREIGN. */
export async function createPathBacking(target: PoolTarget, path: string, identity: PoolIdentity): Promise<void> {
  const own = path === target.path;
  if (!(await isDirectory(path))) {
    if (!own && !(await isDirectory(dirname(path)))) {
      throw new AppError(
        'POOL_MISSING',
        { pool: target.name, path },
        {
          message: `The source "${path}" of the pool "${target.name}" does not exist.`,
          hint: 'Make the directory, or correct config.source.',
        },
      );
    }
    await mkdir(path, { recursive: own, mode: 0o711 });
  }
  const marker = await readMarker(path);
  if (marksPool(marker, identity)) return;
  if (marker !== undefined) throw foreign(target, path, `it belongs to the pool "${marker.pool}" of "${marker.stateDir}"`);
  const ours = new Set([...POOL_DIRS.map(({ name }) => name), `${MARKER_FILE}.new`]);
  for (const name of await readdir(path)) {
    if (HARMLESS.has(name)) continue;
    // Left by a crash before the marker was written: our directories, still empty.
    if (ours.has(name) && (name.startsWith(MARKER_FILE) || (await isEmpty(join(path, name))))) continue;
    throw foreign(target, path, `"${name}" is in it`);
  }
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}

export function foreign(target: PoolTarget, path: string, because: string): AppError {
  return new AppError(
    'POOL_FOREIGN',
    { pool: target.name, path },
    {
      message: `"${path}" cannot become the pool "${target.name}": ${because}.`,
      hint: 'Name an empty place in config.source, or move what is there away. Nothing was changed.',
    },
  );
}

export async function activatePath(target: PoolTarget, path: string, signal: AbortSignal): Promise<void> {
  if (path === target.path) return;
  await mkdir(target.path, { recursive: true, mode: 0o711 });
  if ((await identityOf(target.path)) === (await identityOf(path))) return;
  await mount({ source: path, point: target.path }, signal);
}

export async function deactivatePath(target: PoolTarget, path: string, signal: AbortSignal): Promise<void> {
  if (path === target.path) return;
  await unmount(target.path, signal);
}

/** Removes marker and our empty directories; the directory itself only where it is the pool's own place. */
export async function removePathBacking(target: PoolTarget, path: string): Promise<void> {
  for (const name of [...POOL_DIRS.map((one) => one.name), REMOVING_DIR]) await removeEmpty(join(path, name));
  await rm(join(path, MARKER_FILE), { force: true });
  await removeEmpty(target.path);
}

async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
