// One small record per pool, `<state-dir>/pools/NAME.json`, written before anything of the pool is made and removed after everything
// is gone. So a pool is known and found again without the ledger, mounted or not, and half-made ones too. Beside them lies the
// identity of this state directory, which marks what is ours.
import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { Paths } from '../../core/paths.ts';
import { pathExists } from '../path-exists.ts';
import type { PoolTarget } from '../ports/storage.ts';

const RECORD_SUFFIX = '.json';
const OWNER_FILE = '.owner';

export interface PoolRecord {
  readonly target: PoolTarget;
  /** It was whole once. */
  readonly made: boolean;
}

export class PoolRecords {
  readonly #paths: Paths;
  #owner: Promise<string> | undefined;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Identity of this state directory, made at first use. */
  async owner(): Promise<string> {
    // One reading for all: pools made side by side ask at the same time, and each would make one.
    this.#owner ??= this.#findOwner().catch((error: unknown) => {
      this.#owner = undefined;
      throw error;
    });
    return await this.#owner;
  }

  async #findOwner(): Promise<string> {
    const path = join(this.#paths.pools, OWNER_FILE);
    const known = await readText(path);
    return known?.trim() ?? (await this.#makeOwner(path));
  }

  async #makeOwner(path: string): Promise<string> {
    await this.#makeDirectory();
    const fresh = `${path}.${process.pid}.new`;
    await writeFile(fresh, `${randomUUID()}\n`, { mode: 0o600, flush: true });
    try {
      // link(2) fails when the name is taken: whoever is first wins, and the file is never seen half-written.
      await link(fresh, path);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    } finally {
      await rm(fresh, { force: true });
    }
    return (await readFile(path, 'utf8')).trim();
  }

  /** Removes what a daemon that was killed while it wrote here has left. Before anything is written: for the one daemon of a state directory. */
  async sweep(): Promise<void> {
    const names = await readdir(this.#paths.pools).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    });
    for (const name of names) if (/^\..+\.new$/.test(name)) await rm(join(this.#paths.pools, name), { force: true });
  }

  async #makeDirectory(): Promise<void> {
    await mkdir(this.#paths.pools, { recursive: true, mode: 0o711 });
    // The umask may have taken bits; a container's root passes through here to its volume.
    await chmod(this.#paths.pools, 0o711);
  }

  async read(pool: string): Promise<PoolTarget | undefined> {
    return (await this.readRecord(pool))?.target;
  }

  /** Undefined when there is no such pool. A record that cannot be read or understood throws HOST_UNREADABLE. */
  async readRecord(pool: string): Promise<PoolRecord | undefined> {
    const text = await readText(this.path(pool));
    return text === undefined ? undefined : this.parse(pool, text);
  }

  /** The record behind the text of its file. */
  parse(pool: string, text: string): PoolRecord {
    const path = this.path(pool);
    try {
      const value = JSON.parse(text) as Partial<PoolRecord>;
      if (value.target?.name === pool && typeof value.target.path === 'string') {
        return { target: this.#here(value.target), made: value.made === true };
      }
    } catch {
      // falls through to the same error as a record that is valid JSON but not a record
    }
    throw new AppError(
      'HOST_UNREADABLE',
      { path },
      { message: `The record of the pool "${pool}" cannot be understood.`, hint: `Restore "${path}" from a backup.` },
    );
  }

  /** Where the pool itself lies, active or not. */
  place(pool: string): string {
    return this.#paths.pool(pool);
  }

  /** With the paths of today: the whole state directory may have been moved. */
  #here(target: PoolTarget): PoolTarget {
    const path = this.#paths.pool(target.name);
    const { source } = target;
    if (source.type === 'loop') return { ...target, path, source: { ...source, file: this.#paths.disk(target.name) } };
    return source.type === 'path' && source.path === target.path
      ? { ...target, path, source: { type: 'path', path } }
      : { ...target, path };
  }

  async names(): Promise<string[]> {
    try {
      const names = await readdir(this.#paths.pools);
      // What was there once is there now: else another directory lies in its place (its file system is not mounted any more).
      if (this.#owner !== undefined) await this.#owner;
      if (this.#owner !== undefined && !names.includes(OWNER_FILE)) throw new Error(`"${OWNER_FILE}" is missing in it`);
      return names
        .filter((name) => name.endsWith(RECORD_SUFFIX) && !name.startsWith('.'))
        .map((name) => name.slice(0, -RECORD_SUFFIX.length));
    } catch (error) {
      // Before the first pool there may be no directory.
      if (isErrno(error, 'ENOENT') && this.#owner === undefined) return [];
      throw new AppError('HOST_UNREADABLE', { path: this.#paths.pools }, { message: 'The list of pools cannot be read.', cause: error });
    }
  }

  /** Those whose record is there, readable or not. */
  async present(pools: readonly string[]): Promise<ReadonlySet<string>> {
    const there = await Promise.all(pools.map((pool) => pathExists(this.path(pool))));
    return new Set(pools.filter((_, at) => there[at]));
  }

  async write(target: PoolTarget, { made }: Pick<PoolRecord, 'made'>): Promise<void> {
    await this.#makeDirectory();
    const path = this.path(target.name);
    const fresh = join(this.#paths.pools, `.${target.name}.new`);
    await writeFile(fresh, `${JSON.stringify({ version: 1, target, made })}\n`, { mode: 0o600, flush: true });
    await rename(fresh, path);
  }

  async remove(pool: string): Promise<void> {
    await rm(this.path(pool), { force: true });
  }

  /** Where its record lies. */
  path(pool: string): string {
    return `${this.#paths.pool(pool)}${RECORD_SUFFIX}`;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw new AppError('HOST_UNREADABLE', { path }, { message: `"${path}" cannot be read.`, cause: error });
  }
}
