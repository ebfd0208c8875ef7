// What is mounted where, and mount and umount. mount(8) and umount(8) are run for a pool's activation only.
import { readFile, realpath, stat } from 'node:fs/promises';
import { AppError, isErrno } from '../../core/errors.ts';
import { type MountEntry, parseMountinfo } from '../mountinfo.ts';
import { mustRun } from '../run/run.ts';

/** The mount that is visible at exactly this path: the last one in the table covers the others. */
export async function mountAt(path: string): Promise<MountEntry | undefined> {
  const real = await realPath(path);
  if (real === undefined) return undefined;
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')).findLast((mount) => mount.mountPoint === real);
}

/** The table knows paths without symbolic links only. */
async function realPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Device and inode of a path, to tell whether two paths are the same directory; undefined when there is none. */
export async function identityOf(path: string): Promise<string | undefined> {
  try {
    const at = await stat(path, { bigint: true });
    return `${at.dev}:${at.ino}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export interface MountRequest {
  readonly source: string;
  readonly point: string;
  /** Undefined: a bind mount. */
  readonly fsType?: string;
  readonly options?: string;
}

const MOUNT_TIMEOUT_MS = 60_000;

export async function mount(request: MountRequest, signal: AbortSignal): Promise<void> {
  const how = request.fsType === undefined ? ['--bind'] : ['-t', request.fsType];
  const options = request.options === undefined ? [] : ['-o', request.options];
  await mustRun(['mount', ...how, ...options, '--', request.source, request.point], { signal, timeoutMs: MOUNT_TIMEOUT_MS });
}

/** Not mounted is fine. Busy is POOL_IN_USE. */
export async function unmount(point: string, signal: AbortSignal): Promise<void> {
  // The same place may be mounted more than once after a crash between mount and record.
  for (let round = 0; round < 10; round++) {
    if ((await mountAt(point)) === undefined) return;
    try {
      await mustRun(['umount', '--', point], { signal, timeoutMs: MOUNT_TIMEOUT_MS });
    } catch (cause) {
      if ((await mountAt(point)) === undefined) return;
      throw new AppError(
        'POOL_IN_USE',
        { point },
        { message: `"${point}" cannot be unmounted.`, hint: `See what uses it: fuser -vm ${point}`, cause },
      );
    }
  }
}
