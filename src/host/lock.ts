// One daemon per state directory, and one per prefix and network namespace. The kernel holds the locks (flock(2)), so that they end with
// the daemon however it ends; what the files hold only says to people who it was.
import { closeSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, toAppError } from '../core/errors.ts';

/** Where daemons of one host meet: locks of prefixes, claims of id ranges. */
export const SHARED_DIR = '/run/lockstep-ids';

/** The addon's `lockFile`: a descriptor that holds the exclusive lock until it is closed; undefined when another process holds it. */
export type LockFile = (path: string) => number | undefined;

export interface LockOptions {
  readonly stateDir: string;
  readonly prefix: string;
  readonly lockFile: LockFile;
  /** Default SHARED_DIR. */
  readonly sharedDir?: string;
}

export interface DaemonLock {
  /** Once more is fine. */
  release(): void;
}

/**
 * Takes both locks, or throws STATE_DIR_BUSY naming the holder. The state directory must be there. Without `release` they last as long
 * as the process; children do not inherit them.
 */
export function lockDaemon(options: LockOptions): DaemonLock {
  const { stateDir, prefix, lockFile, sharedDir = SHARED_DIR } = options;
  const holder = JSON.stringify({ pid: process.pid, stateDir, prefix });
  const held: number[] = [];
  const lock: DaemonLock = {
    release: () => {
      for (const fd of held.splice(0)) closeSync(fd);
    },
  };
  try {
    held.push(
      take(lockFile, join(stateDir, 'lock'), holder, (other) => ({
        detail: { stateDir, ...other },
        message: `The state directory "${stateDir}" is used by another daemon${whoText(other)}.`,
        hint: 'Stop that daemon, or give this one another --state-dir.',
      })),
    );
    mkdirSync(sharedDir, { recursive: true, mode: 0o700 });
    // Link, table and cgroup names begin with the prefix: they are unique only within one network namespace.
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? '0';
    held.push(
      take(lockFile, join(sharedDir, `prefix-${prefix}-${namespace}.lock`), holder, (other) => ({
        detail: { prefix, ...other },
        message: `The prefix "${prefix}" is used by another daemon in this network namespace${whoText(other)}.`,
        hint: 'Stop that daemon, or give this one another --prefix.',
      })),
    );
  } catch (error) {
    lock.release();
    throw toAppError(error, 'FILE_FAILED', { stateDir, prefix });
  }
  return lock;
}

interface Holder {
  readonly pid?: number;
  readonly stateDir?: string;
}

function take(
  lockFile: LockFile,
  path: string,
  holder: string,
  busy: (other: Holder) => { detail: Record<string, string | number>; message: string; hint: string },
): number {
  const fd = lockFile(path);
  if (fd === undefined) {
    const { detail, message, hint } = busy(readHolder(path));
    throw new AppError('STATE_DIR_BUSY', detail, { message, hint });
  }
  writeFileSync(path, holder, { mode: 0o600 });
  return fd;
}

function readHolder(path: string): Holder {
  try {
    const said: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof said !== 'object' || said === null) return {};
    return {
      ...('pid' in said && typeof said.pid === 'number' ? { pid: said.pid } : {}),
      ...('stateDir' in said && typeof said.stateDir === 'string' ? { stateDir: said.stateDir } : {}),
    };
  } catch {
    return {}; // it has the lock but has not written yet
  }
}

function whoText({ pid, stateDir }: Holder): string {
  if (pid === undefined) return '';
  return ` (process ${pid}${stateDir === undefined ? '' : ` on "${stateDir}"`})`;
}
