// Volumes in active pools: list, make from an image, resize, delete, bury and bring back. Each step may be repeated after a crash.
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno, toAppError } from '../../core/errors.ts';
import type { ContainerVolume, TombstoneReading, VolumeId, VolumeReading } from '../ports/storage.ts';
import { pathExists } from '../path-exists.ts';
import { forgetFacts, ImageVolumes, type UnpackImage } from './image-volume.ts';
import { storageAddon } from './native.ts';
import { type OpenPool, openPool } from './open-pool.ts';
import type { PoolRecords } from './pool-records.ts';
import { forgetSize, type Measurer, parseSize, SIZE_LINK } from './tombstone-size.ts';
import { FACTS_LINK, formatFacts, parseFacts, readFacts, writeFacts } from './volume-facts.ts';
import { isTombstoneName, tombstonePath, TOMBSTONES_DIR, VOLUME_DIRS, VOLUME_TYPES, volumeKey, volumePath } from './volume-layout.ts';

export class Volumes {
  readonly #records: PoolRecords;
  readonly #images: ImageVolumes;
  readonly #measurer: Measurer;

  constructor(records: PoolRecords, unpack: UnpackImage, measurer: Measurer) {
    this.#records = records;
    this.#images = new ImageVolumes(unpack);
    this.#measurer = measurer;
  }

  /** `only`: of these; one that is then missing is not there. */
  async list(poolName: string, only?: readonly VolumeId[]): Promise<ReadonlyMap<string, VolumeReading>> {
    const { target } = await openPool(this.#records, poolName);
    try {
      return await readVolumes(target.path, only === undefined ? await allVolumes(target.path) : await presentVolumes(target.path, only));
    } catch (cause) {
      throw new AppError(
        'HOST_UNREADABLE',
        { pool: poolName },
        { message: `The volumes of the pool "${poolName}" cannot be listed.`, cause },
      );
    }
  }

  async present(poolName: string, containers: readonly string[]): Promise<ReadonlySet<string>> {
    const { target } = await openPool(this.#records, poolName);
    const there = await Promise.all(containers.map((name) => pathExists(volumePath(target.path, { type: 'container', name }))));
    return new Set(containers.filter((_, at) => there[at]));
  }

  async tombstones(poolName: string): Promise<readonly TombstoneReading[]> {
    const { target, driver } = await openPool(this.#records, poolName);
    const names = await readdir(join(target.path, TOMBSTONES_DIR)).catch((cause: unknown) => {
      const message = `The tombstones of the pool "${poolName}" cannot be listed.`;
      throw new AppError('HOST_UNREADABLE', { pool: poolName }, { message, cause });
    });
    const found = names.filter(isTombstoneName).map((name) => ({ name, path: tombstonePath(target.path, name) }));
    const links = await storageAddon().readLinks(found.flatMap(({ path }) => [join(path, FACTS_LINK), join(path, SIZE_LINK)]));
    return found.map(({ name, path }, at) => {
      const [link, size] = links.slice(2 * at);
      const facts = link === undefined ? undefined : parseFacts(link);
      const shared = driver.capabilities.snapshots ? facts?.image : undefined;
      const known = {
        name,
        ...(facts?.type === 'container' ? { of: facts.name } : {}),
        ...(shared === undefined ? {} : { shares: shared }),
      };
      const bytes = parseSize(size);
      if (bytes !== undefined) return { ...known, bytes };
      // What a snapshot has in common with its image takes no room of its own.
      this.#measurer.measure(path, shared === undefined ? undefined : volumePath(target.path, { type: 'image', name: shared }));
      return known;
    });
  }

  async createContainer(poolName: string, volume: ContainerVolume, signal: AbortSignal): Promise<void> {
    const pool = await openPool(this.#records, poolName);
    const path = volumePath(pool.target.path, { type: 'container', name: volume.name });
    if (volume.sizeBytes !== undefined) requireQuotas(pool);
    const [link] = await storageAddon().readLinks([join(path, FACTS_LINK)]);
    const facts = link === undefined ? undefined : parseFacts(link);
    if (facts?.type === 'container' && facts.name === volume.name) {
      if (facts.image !== volume.fingerprint) {
        throw new AppError(
          'VOLUME_IN_USE',
          { pool: poolName, volume: volume.name },
          { message: `The pool "${poolName}" already holds a volume "${volume.name}", made from another image.` },
        );
      }
      await this.#furnish(path, volume, facts.sizeBytes);
      await this.#limit(pool, path, facts.sizeBytes, volume.sizeBytes, signal);
      return;
    }
    const source = await this.#images.ensure(pool, volume.fingerprint, signal);
    try {
      await pool.driver.cloneVolume(source, path, signal);
      if (volume.sizeBytes !== undefined) await pool.driver.limitVolume(path, volume.sizeBytes, signal);
      // Last: its own facts are what makes a volume count as whole.
      await this.#furnish(path, volume, volume.sizeBytes);
    } catch (error) {
      throw volumeError(error, poolName, volume.name, 'cannot be made');
    }
  }

  /** Only the container's root may pass, to what lies below; set-uid files in it are out of reach for users of the host. */
  async #furnish(path: string, { name, fingerprint, ownerId }: ContainerVolume, sizeBytes: number | undefined): Promise<void> {
    await storageAddon().ownVolume(
      path,
      ownerId,
      0o100,
      FACTS_LINK,
      formatFacts({ type: 'container', name, image: fingerprint, sizeBytes }),
    );
  }

  async #limit(pool: OpenPool, path: string, from: number | undefined, to: number | undefined, signal: AbortSignal): Promise<void> {
    if (from === to) return;
    requireQuotas(pool);
    const facts = readFacts(path);
    await pool.driver.limitVolume(path, to, signal);
    if (facts !== undefined) await writeFacts(path, { ...facts, sizeBytes: to });
  }

  async setSize(poolName: string, id: VolumeId, sizeBytes: number | undefined, signal: AbortSignal): Promise<void> {
    const pool = await openPool(this.#records, poolName);
    const path = volumePath(pool.target.path, id);
    const facts = readFacts(path);
    if (facts === undefined) throw missing(poolName, id.name);
    await this.#limit(pool, path, facts.sizeBytes, sizeBytes, signal);
  }

  async delete(poolName: string, id: VolumeId, signal: AbortSignal): Promise<void> {
    const pool = await openPool(this.#records, poolName);
    const path = volumePath(pool.target.path, id);
    try {
      await forgetFacts(path);
      await pool.driver.deleteVolume(path, signal);
    } catch (error) {
      throw volumeError(error, poolName, id.name, 'cannot be deleted');
    }
  }

  async rename(poolName: string, id: VolumeId, to: string): Promise<void> {
    const { target } = await openPool(this.#records, poolName);
    const path = volumePath(target.path, id);
    const newPath = volumePath(target.path, { ...id, name: to });
    const there = await pathExists(newPath);
    if (!(await pathExists(path))) {
      if (there) return;
      throw missing(poolName, id.name);
    }
    if (there) throw taken(poolName, to);
    const facts = readFacts(path);
    // Before the rename, as when it is brought back: the name in the facts is what tells a whole volume.
    if (facts !== undefined) await writeFacts(path, { ...facts, name: to });
    await rename(path, newPath);
  }

  async bury(poolName: string, id: VolumeId, tombstone: string): Promise<void> {
    const { target } = await openPool(this.#records, poolName);
    const from = volumePath(target.path, id);
    const to = tombstonePath(target.path, tombstone);
    const buried = await pathExists(to);
    if (!(await pathExists(from))) {
      if (buried) return;
      throw missing(poolName, id.name);
    }
    if (buried) throw taken(poolName, tombstone);
    await rename(from, to);
  }

  async unbury(poolName: string, tombstone: string, id: VolumeId): Promise<string | undefined> {
    const { target } = await openPool(this.#records, poolName);
    const from = tombstonePath(target.path, tombstone);
    const to = volumePath(target.path, id);
    const back = await pathExists(to);
    if (!(await pathExists(from))) {
      if (back) return readFacts(to)?.image;
      throw missing(poolName, tombstone);
    }
    if (back) throw taken(poolName, id.name);
    await forgetSize(from);
    const facts = readFacts(from);
    // Before the rename: a volume whose facts name another one counts as half-made.
    if (facts !== undefined && facts.name !== id.name) await writeFacts(from, { ...facts, name: id.name });
    await rename(from, to);
    return facts?.image;
  }

  async purge(poolName: string, tombstone: string, signal: AbortSignal): Promise<void> {
    const pool = await openPool(this.#records, poolName);
    const path = tombstonePath(pool.target.path, tombstone);
    try {
      await pool.driver.deleteVolume(path, signal);
    } catch (error) {
      throw volumeError(error, poolName, tombstone, 'cannot be purged');
    }
  }
}

async function allVolumes(poolPath: string): Promise<VolumeId[]> {
  const found: VolumeId[] = [];
  for (const type of VOLUME_TYPES) {
    for (const name of await readdir(join(poolPath, VOLUME_DIRS[type]))) if (!name.startsWith('.')) found.push({ type, name });
  }
  return found;
}

/** Where the directory that holds them all is missing, nothing can be said of any. */
async function presentVolumes(poolPath: string, ids: readonly VolumeId[]): Promise<VolumeId[]> {
  const directories = VOLUME_TYPES.map((type) => join(poolPath, VOLUME_DIRS[type]));
  const stamps = await storageAddon().statMany([...directories, ...ids.map((id) => volumePath(poolPath, id))]);
  const lost = directories.find((_, at) => stamps[at] === undefined);
  if (lost !== undefined) throw new Error(`"${lost}" is not there`);
  return ids.filter((_, at) => stamps[directories.length + at] !== undefined);
}

async function readVolumes(poolPath: string, ids: readonly VolumeId[]): Promise<ReadonlyMap<string, VolumeReading>> {
  const paths = ids.map(({ type, name }) => `${poolPath}/${VOLUME_DIRS[type]}/${name}`);
  // On a thread of the addon: while btrfs commits, even this short call waits.
  const links = await storageAddon().readLinks(paths.map((path) => `${path}/${FACTS_LINK}`));
  return new Map(
    ids.map((id, at): [string, VolumeReading] => {
      const link = links[at];
      const facts = link === undefined ? undefined : parseFacts(link);
      const complete = facts?.type === id.type && facts.name === id.name;
      const known = complete ? { sizeBytes: facts.sizeBytes, image: facts.image } : { sizeBytes: undefined, image: undefined };
      return [volumeKey(id), { path: paths[at]!, complete, ...known }];
    }),
  );
}

function requireQuotas(pool: OpenPool): void {
  if (pool.driver.capabilities.quotas) return;
  const { name, driver } = pool.target;
  throw new AppError(
    'FEATURE_MISSING',
    { pool: name, driver },
    {
      message: `The pool "${name}" cannot limit the size of a volume: its driver "${driver}" has no quotas.`,
      hint: 'Take "size" away from the disk device, or put the volume in a btrfs pool.',
    },
  );
}

function missing(pool: string, volume: string): AppError {
  return new AppError('VOLUME_MISSING', { pool, volume }, { message: `There is no volume "${volume}" in the pool "${pool}".` });
}

function taken(pool: string, volume: string): AppError {
  return new AppError('VOLUME_IN_USE', { pool, volume }, { message: `The pool "${pool}" already holds "${volume}".` });
}

function volumeError(error: unknown, pool: string, volume: string, what: string): AppError {
  if (error instanceof AppError && error.code !== 'TOOL_FAILED') return error;
  const full = isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT');
  if (full) return toAppError(error, 'DISK_FULL', { pool, volume });
  return new AppError(
    'VOLUME_FAILED',
    { pool, volume },
    { message: `The volume "${volume}" in the pool "${pool}" ${what}.`, cause: error },
  );
}
