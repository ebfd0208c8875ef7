// Big directory trees are removed in two steps: renamed aside at once, so that they are gone for everyone, and then taken away file by
// file, in small batches with as long a pause after each as it took. Nobody waits for that, no slot of a queue is held, and a daemon that
// is killed or stopped meanwhile goes on with what it finds aside when it looks at the pool again.
import { randomUUID } from 'node:crypto';
import { lstat, mkdir, opendir, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorText, isErrno } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { REMOVING_DIR } from './volume-layout.ts';

/** Files between two pauses: about 10 ms. */
const BATCH = 200;
/** Deeper directories are moved up first: a path has at most 4096 bytes (PATH_MAX), and a guest can nest as deep as it likes. */
const LONGEST_PATH = 2000;

/** Renames a volume (`POOL/DIRECTORY/NAME`) aside in its pool. Missing is fine. */
export async function setAside(path: string): Promise<void> {
  const aside = join(dirname(dirname(path)), REMOVING_DIR);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  try {
    await rename(path, join(aside, randomUUID()));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

export class Reclaimer {
  readonly #log: Log;
  #closed = false;
  /** By pool path. */
  readonly #running = new Map<string, { readonly work: Promise<void>; readonly stop: AbortController }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Removes what lies aside in the pool, in the background. */
  look(pool: string): void {
    if (this.#running.has(pool) || this.#closed) return;
    const stop = new AbortController();
    const work = clear(pool, stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) this.#log.warn({ pool, error: errorText(error) }, 'deleted data could not be removed');
      })
      .finally(() => this.#running.delete(pool));
    this.#running.set(pool, { work, stop });
  }

  /** Ends that, for now: before the pool is unmounted. */
  async halt(pool: string): Promise<void> {
    const running = this.#running.get(pool);
    running?.stop.abort();
    await running?.work;
  }

  /** Resolves when nothing lies aside any more: before the pool itself is removed. */
  async drain(pool: string, signal: AbortSignal): Promise<void> {
    await this.halt(pool);
    await clear(pool, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running.keys()].map((pool) => this.halt(pool)));
  }
}

async function clear(pool: string, signal: AbortSignal): Promise<void> {
  const aside = join(pool, REMOVING_DIR);
  for (;;) {
    const [name] = await namesIn(aside);
    if (name === undefined) return;
    await new Removal(aside, signal).remove(join(aside, name));
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

class Removal {
  readonly #aside: string;
  readonly #signal: AbortSignal;
  #device: number | undefined;
  #count = 0;
  #batchBegan = performance.now();

  constructor(aside: string, signal: AbortSignal) {
    this.#aside = aside;
    this.#signal = signal;
  }

  /** Links are removed, not followed. Another file system mounted in it is left alone, and is an error. */
  async remove(path: string): Promise<void> {
    const { dev, ...found } = await lstat(path);
    this.#device ??= dev;
    if (dev !== this.#device) {
      throw new AppError('VOLUME_IN_USE', { path }, { message: `Another file system is mounted at "${path}".`, hint: `umount '${path}'` });
    }
    if ((found.mode & S_IFMT) !== S_IFDIR) return await unlink(path);
    // What was moved up, or was missed because the directory changed under the reading, is found by another one.
    do await this.#empty(path);
    while (!(await isRemoved(path)));
  }

  async #empty(directory: string): Promise<void> {
    for await (const entry of await opendir(directory, { bufferSize: BATCH })) {
      await this.#breathe();
      const path = join(directory, entry.name);
      if (!entry.isDirectory()) await unlink(path);
      else if (path.length > LONGEST_PATH) await rename(path, join(this.#aside, randomUUID()));
      else await this.remove(path);
    }
  }

  async #breathe(): Promise<void> {
    this.#signal.throwIfAborted();
    if (++this.#count % BATCH !== 0) return;
    await sleep(performance.now() - this.#batchBegan, undefined, { signal: this.#signal });
    this.#batchBegan = performance.now();
  }
}

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

async function isRemoved(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY')) return false;
    throw error;
  }
}
