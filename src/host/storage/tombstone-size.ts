// How much room a tombstone takes: measured once, in the background, after it was buried, and kept as the text of a link in it. A look at
// the pool then reads one link per tombstone.
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { run } from '../run/run.ts';

export const SIZE_LINK = '.lockstep.bytes';
const MEASURE_TIMEOUT_MS = 10 * 60_000;
/** Deletions come together: they are measured together, when they are over. */
const GATHER_MS = 1000;
/** Of one du(1). */
const MOST_PATHS = 100;

/** Bytes from the link's text; undefined before it was measured. */
export function parseSize(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
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
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** `base`: the volume it was a snapshot of; what they share is not its own. */
  measure(tombstone: string, base: string | undefined): void {
    if (this.#closed) return;
    this.#waiting.set(tombstone, base);
    if (this.#running === undefined) this.#timer ??= setTimeout(() => this.#start(), GATHER_MS).unref();
  }

  /** Gives up for now: the next look asks again. */
  async halt(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    this.#stop.abort();
    await this.#running;
    this.#stop = new AbortController();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.halt();
  }

  #start(): void {
    this.#timer = undefined;
    this.#running = this.#work().finally(() => (this.#running = undefined));
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0) {
      const some = [...this.#waiting].slice(0, MOST_PATHS);
      try {
        const bases = new Set(some.flatMap(([, base]) => base ?? []));
        const used = await this.#usage([...bases, ...some.map(([path]) => path)]);
        for (const [path, base] of some) await this.#note(path, used.get(path), base === undefined ? 0 : used.get(base));
      } catch (error) {
        // They are measured by the next look.
        this.#log.debug({ paths: some.length, error: errorText(error) }, 'tombstones were not measured');
      }
      for (const [path] of some) this.#waiting.delete(path);
    }
  }

  async #note(path: string, used: number | undefined, shared: number | undefined): Promise<void> {
    if (used === undefined || shared === undefined) return;
    try {
      await symlink(String(Math.max(0, used - shared)), join(path, SIZE_LINK));
    } catch (error) {
      // It was brought back or removed meanwhile.
      this.#log.debug({ path, error: errorText(error) }, 'the size of a tombstone was not noted');
    }
  }

  /**
   * Bytes by path; what could not be read is missing. du(1) walks relative to directories it holds open, at any depth; what it reads is not
   * in anybody's way.
   */
  async #usage(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const argv = ['nice', '-n', '19', 'du', '-s', '-x', '--block-size=1', '--', ...paths];
    // One that is gone makes it fail after it has told of the others.
    const { stdout } = await run(argv, { signal: this.#stop.signal, timeoutMs: MEASURE_TIMEOUT_MS });
    const lines = stdout.split('\n').map((line) => line.split('\t'));
    return new Map(lines.flatMap(([bytes, path]) => (path === undefined ? [] : [[path, Number(bytes)] as const])));
  }
}
