// Pools as a whole: read, list, make, activate, grow, remove. What differs between backends is behind PoolDriver.
import { chmod, mkdir, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, toAppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Paths } from '../../core/paths.ts';
import type { ListedPool, PoolReading, PoolTarget, UnreadablePool } from '../ports/storage.ts';
import { forgetFacts } from './image-volume.ts';
import { takesIdmappedMounts } from './idmap-probe.ts';
import { driverOf, isActive } from './open-pool.ts';
import type { PoolIdentity } from './pool-driver.ts';
import { writeMarker } from './pool-marker.ts';
import type { Reclaimer } from './reclaim.ts';
import type { PoolRecords } from './pool-records.ts';
import { POOL_DIRS, TEMPORARY_PREFIX, TOMBSTONES_DIR, VOLUME_DIRS } from './volume-layout.ts';

const GIB = 1024 ** 3;
/** A file system that answers at all does so in milliseconds. */
const PATIENCE_MS = 5000;

export class Pools {
  readonly #paths: Paths;
  readonly #records: PoolRecords;
  readonly #log: Log;
  readonly #reclaimer: Reclaimer;
  readonly #reading = new Map<string, Promise<PoolReading>>();
  readonly #next = new Map<string, Promise<PoolReading>>();

  constructor(paths: Paths, records: PoolRecords, log: Log, reclaimer: Reclaimer) {
    this.#paths = paths;
    this.#records = records;
    this.#log = log;
    this.#reclaimer = reclaimer;
  }

  async #identity(pool: string): Promise<PoolIdentity> {
    return { pool, owner: await this.#records.owner() };
  }

  /**
   * One reading of a pool at a time, and at most one more that waits for it: each that hangs, because its file system does, keeps one of the few
   * threads that all file access shares.
   */
  async read(target: PoolTarget): Promise<PoolReading> {
    const { name } = target;
    const next = this.#next.get(name) ?? this.#readAfter(this.#reading.get(name), target);
    return await withinPatience(next, name);
  }

  #readAfter(running: Promise<unknown> | undefined, target: PoolTarget): Promise<PoolReading> {
    const { name } = target;
    const begin = async (): Promise<PoolReading> => {
      this.#next.delete(name);
      this.#reading.set(name, next);
      return await this.#readNow(target);
    };
    const next: Promise<PoolReading> = (running ?? Promise.resolve()).then(begin, begin);
    this.#next.set(name, next);
    return next;
  }

  async #readNow(target: PoolTarget): Promise<PoolReading> {
    const identity = await this.#identity(target.name);
    const backing = await driverOf(target).readBacking(target, identity);
    if (!(await isActive(target, identity))) return { backing: backing.exists, ours: backing.ours, active: false };
    const space = await statfs(target.path, { bigint: true });
    return {
      backing: backing.exists,
      ours: true,
      active: true,
      sizeBytes: Number(space.blocks * space.bsize),
      usedBytes: Number((space.blocks - space.bfree) * space.bsize),
      idmapped: await takesIdmappedMounts(target.path),
    };
  }

  async list(): Promise<ReadonlyMap<string, ListedPool | UnreadablePool>> {
    const names = await this.#records.names();
    const listed = await Promise.all(names.map(async (name) => [name, await this.#listed(name)] as const));
    // Removed between the listing and the reading.
    return new Map(listed.flatMap(([name, pool]) => (pool === undefined ? [] : [[name, pool]])));
  }

  async #listed(name: string): Promise<ListedPool | UnreadablePool | undefined> {
    try {
      const record = await this.#records.readRecord(name);
      return record === undefined ? undefined : { ...(await this.read(record.target)), ...record };
    } catch (error) {
      return { unreadable: toAppError(error, 'HOST_UNREADABLE', { pool: name }) };
    }
  }

  async create(wanted: PoolTarget, signal: AbortSignal): Promise<void> {
    const record = await this.#records.readRecord(wanted.name);
    const known = record?.target;
    const target = await this.#sized(wanted, known);
    if (known !== undefined && (known.driver !== target.driver || sourceText(known) !== sourceText(target))) {
      throw new AppError(
        'POOL_IN_USE',
        { pool: target.name },
        {
          message: `The pool "${target.name}" exists already as ${known.driver} on ${sourceText(known)}.`,
          hint: 'Driver and source of a pool cannot be changed; delete the pool first, or use another name.',
        },
      );
    }
    const driver = driverOf(target);
    const probe = await driver.probe(signal);
    if (!probe.usable) {
      throw new AppError(
        'FEATURE_MISSING',
        { pool: target.name, driver: target.driver },
        { message: `The storage driver "${target.driver}" cannot be used on this host: ${probe.reason ?? 'the reason is not known'}` },
      );
    }
    const identity = await this.#identity(target.name);
    await this.#records.write(target, { made: record?.made === true });
    try {
      await driver.createBacking(target, identity, signal);
    } catch (error) {
      // Refused before anything was made: the place is not ours, and no record may claim that it is.
      if (known === undefined && error instanceof AppError && error.code === 'POOL_FOREIGN') await this.#records.remove(target.name);
      throw error;
    }
    await driver.activate(target, identity, signal);
    await this.#furnish(target, identity);
    await this.#records.write(target, { made: true });
  }

  /** A loop file without a size gets one from the free space, as LXD chooses it; what was chosen before stays. */
  async #sized(target: PoolTarget, known: PoolTarget | undefined): Promise<PoolTarget> {
    const { source } = target;
    if (source.type !== 'loop' || source.sizeBytes > 0) return target;
    const before = known?.source.type === 'loop' ? known.source.sizeBytes : 0;
    return { ...target, source: { ...source, sizeBytes: before > 0 ? before : await defaultLoopBytes(this.#paths.stateDir) } };
  }

  /** Directories and, last, the marker. Repeated at every activation: a crash may have come before them. */
  async #furnish(target: PoolTarget, identity: PoolIdentity): Promise<void> {
    await chmod(target.path, 0o711);
    for (const { name, mode } of POOL_DIRS) {
      await mkdir(join(target.path, name), { recursive: true, mode });
      await chmod(join(target.path, name), mode);
    }
    if (await isActive(target, identity)) return;
    await writeMarker(target.path, { version: 1, ...identity, driver: target.driver, stateDir: this.#paths.stateDir });
  }

  async activate(target: PoolTarget, signal: AbortSignal): Promise<void> {
    const driver = driverOf(target);
    const identity = await this.#identity(target.name);
    const backing = await driver.readBacking(target, identity);
    if (!backing.exists || !backing.ours) {
      throw new AppError(
        backing.exists ? 'POOL_FOREIGN' : 'POOL_MISSING',
        { pool: target.name },
        {
          message: `The pool "${target.name}" cannot be activated: ${sourceText(target)} ${backing.exists ? 'is not ours' : 'is not there'}.`,
          hint: 'Nothing is formatted or overwritten. Put back what was there, or delete the pool.',
        },
      );
    }
    await driver.activate(target, identity, signal);
    await this.#furnish(target, identity);
    await this.#records.write(target, { made: true });
    await this.#sweep(target, signal);
    this.#reclaimer.look(target.path);
  }

  /** Removes what a crash left half-made: temporary volumes. */
  async #sweep(target: PoolTarget, signal: AbortSignal): Promise<void> {
    for (const directory of Object.values(VOLUME_DIRS)) {
      for (const name of await readdir(join(target.path, directory))) {
        if (!name.startsWith(TEMPORARY_PREFIX)) continue;
        this.#log.info({ pool: target.name, volume: name }, 'removing a half-made volume');
        await driverOf(target).deleteVolume(join(target.path, directory, name), signal);
      }
    }
  }

  async deactivate(target: PoolTarget, signal: AbortSignal): Promise<void> {
    await driverOf(target).deactivate(target, signal);
  }

  async grow(target: PoolTarget, signal: AbortSignal): Promise<void> {
    await driverOf(target).grow(target, signal);
    await this.#records.write(target, { made: true });
  }

  async delete(target: PoolTarget, signal: AbortSignal): Promise<void> {
    const known = await this.#records.read(target.name);
    if (known === undefined) return;
    const driver = driverOf(known);
    const identity = await this.#identity(known.name);
    const backing = await driver.readBacking(known, identity);
    if (backing.exists && backing.ours) {
      await driver.activate(known, identity, signal);
      await this.#furnish(known, identity);
      await this.#refuseWhileUsed(known);
      const images = join(known.path, VOLUME_DIRS.image);
      for (const name of await readdir(images)) {
        await forgetFacts(join(images, name));
        await driver.deleteVolume(join(images, name), signal);
      }
      await this.#reclaimer.drain(known.path, signal);
      await driver.deactivate(known, signal);
    }
    await driver.removeBacking(known, identity, signal);
    await this.#records.remove(known.name);
  }

  async #refuseWhileUsed(target: PoolTarget): Promise<void> {
    const left: string[] = [];
    for (const directory of [VOLUME_DIRS.container, VOLUME_DIRS.custom, TOMBSTONES_DIR]) {
      const names = await readdir(join(target.path, directory));
      left.push(...names.map((name) => `${directory}/${name}`));
    }
    if (left.length === 0) return;
    const some = left.slice(0, 5).join(', ');
    throw new AppError(
      'POOL_IN_USE',
      { pool: target.name, volumes: left.length },
      {
        message: `The pool "${target.name}" still holds ${left.length === 1 ? '1 volume' : `${left.length} volumes`}: ${some}${left.length > 5 ? ', ...' : ''}.`,
        hint: 'Delete the instances and volumes in it; end tombstones with "lockstep purge", or wait until they expire.',
      },
    );
  }
}

/** A fifth of the free space, at least 5 GiB and at most 30 GiB (LXD's storage documentation, "size"). */
async function defaultLoopBytes(at: string): Promise<number> {
  const space = await statfs(at, { bigint: true });
  const fifth = Number((space.bavail * space.bsize) / 5n);
  const rounded = Math.floor(fifth / GIB) * GIB;
  return Math.min(Math.max(rounded, 5 * GIB), 30 * GIB);
}

/** Where a pool's data lies, in words. */
export function sourceText(target: PoolTarget): string {
  const { source } = target;
  if (source.type === 'loop') return `the loop file "${source.file}"`;
  return source.type === 'path' ? `the directory "${source.path}"` : `the device "${source.path}"`;
}

async function withinPatience<T>(work: Promise<T>, pool: string): Promise<T> {
  const enough = new AbortController();
  const message = `The file system of the pool "${pool}" did not answer within ${PATIENCE_MS / 1000} s.`;
  const late = sleep(PATIENCE_MS, undefined, { signal: enough.signal, ref: false }).then(
    () =>
      Promise.reject(
        new AppError('HOST_UNREADABLE', { pool }, { message, hint: 'Look at its disk or network mount; nothing is done to it meanwhile.' }),
      ),
    () => work,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    enough.abort();
  }
}
