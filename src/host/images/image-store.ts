// Images on disk: `<state-dir>/images/FINGERPRINT/` holds image.json and the image's files as they came. A new one is made beside
// under a name that starts with a dot, written to disk, and renamed: what has the final name is whole.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import { sha256Hex } from '../../core/hash.ts';
import type { ImageReading } from '../ports/images.ts';
import { pathExists } from '../path-exists.ts';
import { mustRun } from '../run/run.ts';
import { type ImageRecord, readRecord, RECORD_FILE, removeUnfinishedRecord, toReading, writeRecord } from './image-record.ts';

const SYNC_TIMEOUT_MS = 5 * 60_000;
const FINGERPRINT = /^[0-9a-f]{64}$/;

const UNFINISHED = /^\.(?:new|gone)-/;

/** What a builder or importer left in the directory it was given. */
export type NewImage = Omit<ImageRecord, 'version' | 'sourceHash' | 'createdAt' | 'holders'>;

export class ImageStore {
  readonly #root: string;
  #seen = false;
  /** Writes of records, one after the other: each reads, changes and writes. */
  #writes: Promise<unknown> = Promise.resolve();

  constructor(root: string) {
    this.#root = root;
  }

  directory(fingerprint: string): string {
    if (FINGERPRINT.test(fingerprint)) return join(this.#root, fingerprint);
    throw new AppError('NAME_INVALID', { fingerprint }, { message: `${JSON.stringify(fingerprint)} is not an image's fingerprint.` });
  }

  /** Removes what a crash left half-made or half-removed. To be called before anything is made. */
  async sweep(): Promise<void> {
    for (const name of await this.#names()) {
      if (UNFINISHED.test(name)) await rm(join(this.#root, name), { recursive: true, force: true });
      else if (FINGERPRINT.test(name)) await removeUnfinishedRecord(join(this.#root, name));
    }
  }

  async list(): Promise<ReadonlyMap<string, ImageReading>> {
    const images = new Map<string, ImageReading>();
    for (const name of await this.#names()) {
      if (!FINGERPRINT.test(name)) continue;
      const record = await readRecord(join(this.#root, name));
      if (record?.fingerprint === name) images.set(name, toReading(record));
    }
    return images;
  }

  /** Those whose record is there, readable or not. */
  async present(fingerprints: readonly string[]): Promise<ReadonlySet<string>> {
    const there = await Promise.all(fingerprints.map((fingerprint) => pathExists(join(this.directory(fingerprint), RECORD_FILE))));
    return new Set(fingerprints.filter((_, at) => there[at]));
  }

  async #names(): Promise<string[]> {
    try {
      const names = await readdir(this.#root);
      this.#seen = true;
      return names;
    } catch (cause) {
      // Before the first image there may be no directory; later its absence says that its file system is not mounted any more.
      if (isErrno(cause, 'ENOENT') && !this.#seen) return [];
      throw new AppError('HOST_UNREADABLE', { path: this.#root }, { message: 'The list of images cannot be read.', cause });
    }
  }

  /**
   * Calls `make` with an empty directory and keeps what it left there, held by `holder` from the first moment on: what nobody holds would
   * never be removed. The same content that is already stored is not stored twice. Nothing stays behind when `make` fails.
   */
  async add(
    sourceHash: string,
    createdAt: number,
    holder: string,
    make: (directory: string) => Promise<NewImage>,
    signal: AbortSignal,
  ): Promise<ImageReading> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    // One name per source: what a crash left is found and removed by the next try.
    const fresh = join(this.#root, `.new-${sha256Hex(sourceHash).slice(0, 16)}`);
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    try {
      const record: ImageRecord = {
        ...(await make(fresh)),
        version: 1,
        sourceHash,
        createdAt,
        holders: { [holder]: { sourceHash, since: createdAt } },
      };
      const known = await readRecord(this.directory(record.fingerprint));
      if (known !== undefined) return toReading(known);
      await writeRecord(fresh, record);
      await mustRun(['sync', '--file-system', '--', fresh], { signal, timeoutMs: SYNC_TIMEOUT_MS });
      await rename(fresh, this.directory(record.fingerprint));
      return toReading(record);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }

  /** Makes `holder` hold the image, as the newest of those it holds, whatever the clock says. */
  async hold(fingerprint: string, holder: string, sourceHash: string, now: number): Promise<ImageReading> {
    return await this.#exclusively(async () => {
      const directory = this.directory(fingerprint);
      const record = await readRecord(directory);
      if (record === undefined) throw imageMissing(fingerprint);
      const others = [...(await this.list()).values()].filter((image) => image.fingerprint !== fingerprint);
      const newest = Math.max(0, ...others.map((image) => image.holders[holder]?.since ?? 0));
      const since = Math.max(now, newest + 1);
      const held: ImageRecord = { ...record, holders: { ...record.holders, [holder]: { sourceHash, since } } };
      await writeRecord(directory, held);
      return toReading(held);
    });
  }

  /** Ends a hold; the last one takes the image with it. */
  async release(fingerprint: string, holder: string): Promise<void> {
    await this.#exclusively(async () => {
      const directory = this.directory(fingerprint);
      const record = await readRecord(directory);
      if (record === undefined) return;
      const { [holder]: _ended, ...holders } = record.holders;
      if (Object.keys(holders).length > 0) return await writeRecord(directory, { ...record, holders });
      const gone = join(this.#root, `.gone-${fingerprint}`);
      await rm(gone, { recursive: true, force: true });
      await rename(directory, gone);
      await rm(gone, { recursive: true, force: true });
    });
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#writes.then(work, work);
    this.#writes = result.catch(() => undefined);
    return await result;
  }
}

export function imageMissing(fingerprint: string): AppError {
  return new AppError(
    'IMAGE_MISSING',
    { fingerprint },
    { message: `The image ${fingerprint.slice(0, 12)} is not stored on this host.`, hint: 'Declare it as an Image object.' },
  );
}
