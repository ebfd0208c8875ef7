// How much room a tombstone takes: measured once, in the background, after it was buried, and kept as the text of a link in it. A look at
// the pool then reads one link per tombstone.
import { readlinkSync } from 'node:fs';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, isErrno } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { mustRun } from '../run/run.ts';

const SIZE_LINK = '.lockstep.bytes';
const MEASURE_TIMEOUT_MS = 10 * 60_000;

/** Bytes; undefined before it was measured. */
export function readSize(tombstone: string): number | undefined {
  try {
    const text = readlinkSync(join(tombstone, SIZE_LINK));
    return /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EINVAL') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** It is a volume again. */
export async function forgetSize(tombstone: string): Promise<void> {
  await rm(join(tombstone, SIZE_LINK), { force: true });
}

export class Measurer {
  readonly #log: Log;
  #stop = new AbortController();
  #closed = false;
  /** Paths that wait, and what each shares its data with. */
  readonly #waiting = new Map<string, string | undefined>();
  #running: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** `base`: the volume it was a snapshot of; what they share is not its own. One after the other. */
  measure(tombstone: string, base: string | undefined): void {
    if (this.#closed) return;
    this.#waiting.set(tombstone, base);
    this.#running ??= this.#work().finally(() => (this.#running = undefined));
  }

  /** Gives up for now: the next look asks again. */
  async halt(): Promise<void> {
    this.#waiting.clear();
    this.#stop.abort();
    await this.#running;
    this.#stop = new AbortController();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.halt();
  }

  async #work(): Promise<void> {
    for (const [path, base] of this.#waiting) {
      try {
        const used = await this.#usage(path);
        const shared = base === undefined ? 0 : await this.#usage(base);
        await symlink(String(Math.max(0, used - shared)), join(path, SIZE_LINK));
      } catch (error) {
        // It was brought back or removed meanwhile, or it is measured by the next look.
        this.#log.debug({ path, error: errorText(error) }, 'a tombstone was not measured');
      }
      this.#waiting.delete(path);
    }
  }

  /** du(1) walks relative to directories it holds open, at any depth; what it reads is not in anybody's way. */
  async #usage(path: string): Promise<number> {
    const argv = ['nice', '-n', '19', 'du', '-s', '-x', '--block-size=1', '--', path];
    const { stdout } = await mustRun(argv, { signal: this.#stop.signal, timeoutMs: MEASURE_TIMEOUT_MS });
    return Number(stdout.split('\t')[0]);
  }
}
