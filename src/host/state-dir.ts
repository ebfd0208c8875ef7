// Makes the state and run directories with the modes that containers and secrets need, and `pools` a shared mount, so that pools
// mounted by a later daemon are seen in namespaces that were made by an earlier one.
import { chmodSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError, toAppError } from '../core/errors.ts';
import type { Paths } from '../core/paths.ts';
import { parseMountinfo } from './mountinfo.ts';
import { mustRun } from './run/run.ts';

/**
 * Creates what is missing, sets modes, checks that containers can get to their files. Calling it again changes nothing.
 * Throws STATE_DIR_UNREACHABLE (naming the directory that others may not search), DISK_FULL or FILE_FAILED.
 */
export function makeStateDir(paths: Paths): void {
  // liblxc checks as the container's root, a host user without any rights here, that it can get to its root file system: the way
  // there must be searchable for all (x), and need not be readable.
  const searchable = [paths.stateDir, paths.instances, paths.pools, paths.networks, paths.runDir];
  const secret = [paths.disks, paths.images];
  for (const path of searchable) makeDirectory(path, 0o711);
  for (const path of secret) makeDirectory(path, 0o700);
  checkReachable(paths.stateDir);
}

/** Mounts `<state-dir>/pools` on itself and makes it shared; idempotent, also after a crash in between. */
export async function sharePools(paths: Pick<Paths, 'pools'>, signal: AbortSignal): Promise<void> {
  const pools = realpathSync(paths.pools);
  const top = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).findLast((mount) => mount.mountPoint === pools);
  if (top === undefined) await mustRun(['mount', '--bind', '--', pools, pools], { signal, timeoutMs: 10_000 });
  if (top?.shared !== true) await mustRun(['mount', '--make-shared', '--', pools], { signal, timeoutMs: 10_000 });
}

/** Throws STATE_DIR_UNREACHABLE when others may not search the directory or one above it. */
export function checkReachable(directory: string): void {
  for (let at = realpathSync(directory); ; at = dirname(at)) {
    const { mode } = statSync(at);
    if ((mode & 0o001) === 0) {
      throw new AppError(
        'STATE_DIR_UNREACHABLE',
        { directory: at, stateDir: directory },
        {
          message: `Containers cannot reach the state directory "${directory}": others may not search "${at}".`,
          hint: `Allow it (chmod o+x ${at}), or choose another --state-dir.`,
        },
      );
    }
    if (at === '/') return;
  }
}

function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o711 });
    // mkdir's mode is cut by the umask, and an existing directory keeps its own.
    if ((statSync(path).mode & 0o7777) !== mode) chmodSync(path, mode);
  } catch (error) {
    throw toAppError(error, 'FILE_FAILED', { path });
  }
}
