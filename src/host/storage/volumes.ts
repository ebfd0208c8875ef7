// Volumes in active pools: list, make from an image, resize, delete, bury and bring back. Each step may be repeated after a crash.
import { chmod, lchown, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError, isErrno, toAppError } from '../../core/errors.ts';
import type { ContainerVolume, TombstoneReading, VolumeId, VolumeReading } from '../ports/storage.ts';
import { forgetFacts, ImageVolumes, pathExists, type UnpackImage } from './image-volume.ts';
import { type OpenPool, openPool } from './open-pool.ts';
import type { PoolRecords } from './pool-records.ts';
import { readFacts, writeFacts } from './volume-facts.ts';
import { isTombstoneName, tombstonePath, TOMBSTONES_DIR, VOLUME_DIRS, VOLUME_TYPES, volumeKey, volumePath } from './volume-layout.ts';

/** Synchronous reads between two turns of the event loop: about 2 ms. */
const READS_PER_TURN = 200;

export class Volumes {
  readonly #records: PoolRecords;
  readonly #images: ImageVolumes;

  constructor(records: PoolRecords, unpack: UnpackImage) {
    this.#records = records;
    this.#images = new ImageVolumes(unpack);
  }

  async list(poolName: string): Promise<ReadonlyMap<string, VolumeReading>> {
    const { target } = await openPool(this.#records, poolName);
    const volumes = new Map<string, VolumeReading>();
    let reads = 0;
    try {
      for (const type of VOLUME_TYPES) {
        const directory = join(target.path, VOLUME_DIRS[type]);
        for (const name of await readdir(directory)) {
          if (name.startsWith('.')) continue;
          const path = join(directory, name);
          const facts = readFacts(path);
          const complete = facts?.type === type && facts.name === name;
          volumes.set(volumeKey({ type, name }), {
            path,
            complete,
            sizeBytes: complete ? facts.sizeBytes : undefined,
            image: complete ? facts.image : undefined,
          });
          if (++reads % READS_PER_TURN === 0) await nextTurn();
        }
      }
    } catch (cause) {
      throw new AppError(
        'HOST_UNREADABLE',
        { pool: poolName },
        { message: `The volumes of the pool "${poolName}" cannot be listed.`, cause },
      );
    }
    return volumes;
  }

  async tombstones(poolName: string): Promise<readonly TombstoneReading[]> {
    const { target } = await openPool(this.#records, poolName);
    const names = await readdir(join(target.path, TOMBSTONES_DIR));
    return names.filter(isTombstoneName).map((name) => ({ name }));
  }

  async createContainer(poolName: string, volume: ContainerVolume, signal: AbortSignal): Promise<void> {
    const pool = await openPool(this.#records, poolName);
    const path = volumePath(pool.target.path, { type: 'container', name: volume.name });
    if (volume.sizeBytes !== undefined) requireQuotas(pool);
    const facts = readFacts(path);
    if (facts?.type === 'container' && facts.name === volume.name) {
      if (facts.image !== volume.fingerprint) {
        throw new AppError(
          'VOLUME_IN_USE',
          { pool: poolName, volume: volume.name },
          { message: `The pool "${poolName}" already holds a volume "${volume.name}", made from another image.` },
        );
      }
      await this.#own(path, volume.ownerId);
      await this.#limit(pool, path, facts.sizeBytes, volume.sizeBytes, signal);
      return;
    }
    const source = await this.#images.ensure(pool, volume.fingerprint, signal);
    try {
      if (await pathExists(path)) await pool.driver.deleteVolume(path, signal);
      await pool.driver.cloneVolume(source, path, signal);
      await this.#own(path, volume.ownerId);
      if (volume.sizeBytes !== undefined) await pool.driver.limitVolume(path, volume.sizeBytes, signal);
      await writeFacts(path, { type: 'container', name: volume.name, image: volume.fingerprint, sizeBytes: volume.sizeBytes });
    } catch (error) {
      throw volumeError(error, poolName, volume.name, 'cannot be made');
    }
  }

  /** Only the container's root may pass, to what lies below; set-uid files in it are out of reach for users of the host. */
  async #own(path: string, ownerId: number): Promise<void> {
    await lchown(path, ownerId, ownerId);
    await chmod(path, 0o100);
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
    if (!(await pathExists(path))) return;
    try {
      await forgetFacts(path);
      await pool.driver.deleteVolume(path, signal);
    } catch (error) {
      throw volumeError(error, poolName, id.name, 'cannot be deleted');
    }
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

  async unbury(poolName: string, tombstone: string, id: VolumeId): Promise<void> {
    const { target } = await openPool(this.#records, poolName);
    const from = tombstonePath(target.path, tombstone);
    const to = volumePath(target.path, id);
    const back = await pathExists(to);
    if (!(await pathExists(from))) {
      if (back) return;
      throw missing(poolName, tombstone);
    }
    if (back) throw taken(poolName, id.name);
    const facts = readFacts(from);
    // Before the rename: a volume whose facts name another one counts as half-made.
    if (facts !== undefined && facts.name !== id.name) await writeFacts(from, { ...facts, name: id.name });
    await rename(from, to);
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
