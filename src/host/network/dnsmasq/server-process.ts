// One dnsmasq process: is it ours, when does it end, how is it told things. Always through a pidfd, so that a reused pid is never hit.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../core/errors.ts';
import type { NativeProcess } from '../../lxc/binding.ts';
import { openProcess } from '../../lxc/open-process.ts';
import { readOfProcess, readStartTicks } from '../../run/spawn-detached.ts';

const SIGHUP = 1;
const SIGKILL = 9;
const SIGTERM = 15;
const TERM_MS = 5000;

/** The process `pid`, if it is alive, has exactly this command line and, when given, was started then. */
export async function findServer(
  pid: number,
  argv: readonly string[],
  startTicks: number | undefined,
  onExit: () => void,
): Promise<ServerProcess | undefined> {
  const handle = openProcess(pid);
  if (handle === undefined) return undefined;
  let server: ServerProcess | undefined;
  try {
    // Read after the pidfd was opened: if that process had ended, its pid may be another's, and these would say so.
    const ticks = readOfProcess(pid, 'cmdline') === `${argv.join('\0')}\0` ? readStartTicks(pid) : undefined;
    const isOurs = ticks !== undefined && (startTicks === undefined || ticks === startTicks);
    if (isOurs && handle.alive()) server = new ServerProcess(handle, pid, ticks, onExit);
  } finally {
    if (server === undefined) handle.close();
  }
  return server;
}

/** Ends every process with exactly one of these command lines. They name files of one state directory, so nobody else's is hit. */
export async function endServers(commandLines: readonly (readonly string[])[]): Promise<void> {
  const wanted = new Map(commandLines.map((argv) => [`${argv.join('\0')}\0`, argv]));
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  await Promise.all(
    pids.map(async (pid) => {
      const argv = wanted.get(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
      if (argv === undefined) return;
      const server = await findServer(Number(pid), argv, undefined, () => {});
      await server?.stop();
    }),
  );
}

export class ServerProcess {
  readonly pid: number;
  readonly startTicks: number;
  readonly exited: Promise<void>;
  readonly #handle: NativeProcess;
  #ended = false;

  constructor(handle: NativeProcess, pid: number, startTicks: number, onExit: () => void) {
    this.#handle = handle;
    this.pid = pid;
    this.startTicks = startTicks;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exited = promise;
    handle.onExit(() => {
      this.#ended = true;
      handle.close();
      resolve();
      onExit();
    });
  }

  alive(): boolean {
    return !this.#ended && this.#handle.alive();
  }

  /** Its program file was replaced (an upgrade): it still runs the old one. */
  async isOutdated(): Promise<boolean> {
    return (await readlink(`/proc/${this.pid}/exe`).catch(() => '')).endsWith(' (deleted)');
  }

  /** Makes it read its files again. */
  reload(): void {
    if (!this.#ended) this.#handle.signal(SIGHUP);
  }

  /** SIGTERM, then SIGKILL; resolves when it is gone. */
  async stop(): Promise<void> {
    for (const signal of [SIGTERM, SIGKILL]) {
      if (this.#ended || !this.#handle.signal(signal)) return await this.exited;
      const late = new AbortController();
      const ended = await Promise.race([this.exited.then(() => true), sleep(TERM_MS, false, { signal: late.signal }).catch(() => false)]);
      late.abort();
      if (ended) return;
    }
    throw new AppError('NETWORK_FAILED', { pid: this.pid }, { message: `The DHCP server with pid ${this.pid} cannot be ended.` });
  }

  /** Lets go of it without ending it. */
  release(): void {
    if (!this.#ended) this.#handle.close();
  }
}
