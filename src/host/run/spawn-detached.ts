// Starts a service that outlives the daemon (dnsmasq, a proxy): its own session, no pipes to us, output to a file. It is a child only
// until the daemon ends; whoever starts it records pid and start time, and adopts it later by these.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { AppError, isErrno } from '../../core/errors.ts';
import { MINIMAL_ENVIRONMENT, startError } from './run.ts';

export interface DetachedOptions {
  /** Appended to; made 0600. Never a symlink. */
  readonly outputFile: string;
  /** Added to the minimal environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Detached {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names this process and no later one. */
  readonly startTicks: number;
  /** Its exit code, or 128 + signal; told only while this daemon lives. Never rejects. */
  readonly exited: Promise<number>;
}

/** Rejects with TOOL_MISSING or TOOL_FAILED when it cannot be started. That it works is for the caller to see. */
export async function spawnDetached(argv: readonly string[], options: DetachedOptions): Promise<Detached> {
  const program = argv[0];
  if (program === undefined || program === '' || argv.some((argument) => argument.includes('\0'))) {
    throw new AppError('VALUE_INVALID', {}, { message: 'A service to start has no name or an argument with a NUL character.' });
  }
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const output = openSync(options.outputFile, flags, 0o600);
  try {
    const child = start(program, argv, output, options);
    // While it is our child it stays a zombie until reaped, so the pid cannot be taken by another process before 'exit'.
    const { promise: exited, resolve } = Promise.withResolvers<number>();
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : os.signals[signal])));
    const { promise: spawned, resolve: isUp, reject } = Promise.withResolvers<void>();
    child.once('spawn', isUp);
    child.once('error', (error) => reject(startError(program, options.cwd, error)));
    await spawned;
    child.unref();
    const pid = child.pid!;
    return { pid, startTicks: readStartTicks(pid) ?? 0, exited };
  } finally {
    closeSync(output);
  }
}

function start(program: string, argv: readonly string[], output: number, options: DetachedOptions): ChildProcess {
  try {
    return spawn(program, argv.slice(1), {
      shell: false,
      detached: true, // setsid(2)
      stdio: ['ignore', output, output],
      env: { ...MINIMAL_ENVIRONMENT, ...options.env },
      cwd: options.cwd ?? '/',
    });
  } catch (error) {
    throw startError(program, options.cwd, error);
  }
}

/** When process `pid` was started, in clock ticks since boot; undefined when there is none (a zombie counts as none). */
export function readStartTicks(pid: number): number | undefined {
  const stat = readOfProcess(pid, 'stat');
  if (stat === undefined) return undefined;
  // The command name, field 2, may hold spaces and parentheses: fields are counted after the last ")". proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const ticks = Number(fields[19]);
  return Number.isFinite(ticks) ? ticks : undefined;
}

/** A file below /proc/PID; undefined when there is no such process. That it cannot be read (no descriptor left) says nothing of the process. */
export function readOfProcess(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}
