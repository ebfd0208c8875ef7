// The mount table of this process, and mount and umount. mount(8) and umount(8) are run for a pool's activation only.
import { readFile, realpath, stat } from 'node:fs/promises';
import { AppError, isErrno } from '../../core/errors.ts';
import { mustRun } from '../run/run.ts';

export interface Mount {
  /** Where it is mounted. */
  readonly point: string;
  /** Path inside its file system that is mounted: `/` unless it is a bind mount or a subvolume. */
  readonly root: string;
  /** `MAJOR:MINOR`. */
  readonly device: string;
  readonly fsType: string;
  readonly source: string;
  readonly options: string;
}

/** Lines of /proc/PID/mountinfo (proc(5)); blanks and such in paths are octal escapes there. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ', 2);
    if (before === undefined || after === undefined) continue;
    const fields = before.split(' ');
    const [fsType, source] = after.split(' ');
    const [, , device, root, point, options] = fields;
    if (!device || !root || !point || !fsType) continue;
    mounts.push({
      point: unescapeOctal(point),
      root: unescapeOctal(root),
      device,
      fsType,
      source: unescapeOctal(source ?? ''),
      options: options ?? '',
    });
  }
  return mounts;
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export async function readMounts(): Promise<Mount[]> {
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The mount that is visible at exactly this path: the last one in the table covers the others. */
export async function mountAt(path: string): Promise<Mount | undefined> {
  const real = await realPath(path);
  return real === undefined ? undefined : (await readMounts()).findLast((mount) => mount.point === real);
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
