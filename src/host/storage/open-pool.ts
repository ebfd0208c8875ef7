// Finds a pool by its name: its record, its driver, and whether it is active. Active means that our marker can be read at the pool's
// place, which is so only while the backing is mounted there.
import { AppError } from '../../core/errors.ts';
import type { PoolTarget } from '../ports/storage.ts';
import type { PoolDriver, PoolIdentity } from './pool-driver.ts';
import { storageAddon } from './native.ts';
import { markerPath, marksPool, parseMarker, readMarker } from './pool-marker.ts';
import type { PoolRecords } from './pool-records.ts';
import { poolDrivers } from './registry.ts';

export interface OpenPool {
  readonly target: PoolTarget;
  readonly driver: PoolDriver;
  readonly identity: PoolIdentity;
}

export function driverOf(target: PoolTarget): PoolDriver {
  const driver = Object.hasOwn(poolDrivers, target.driver) ? poolDrivers[target.driver] : undefined;
  if (driver !== undefined) return driver;
  throw new AppError(
    'NOT_SUPPORTED_YET',
    { pool: target.name, driver: target.driver },
    { message: `The storage driver "${target.driver}" of the pool "${target.name}" is not supported yet.` },
  );
}

export async function isActive(target: PoolTarget, identity: PoolIdentity): Promise<boolean> {
  return marksPool(await readMarker(target.path), identity);
}

/** The pool's record as an active pool. POOL_MISSING when it was never made here or is not active now. */
export async function openPool(records: PoolRecords, name: string): Promise<OpenPool> {
  const place = records.place(name);
  // Both in one call: this is asked before every single volume is touched.
  const [record, marker] = await readBoth(records.path(name), markerPath(place));
  const target = record === undefined ? undefined : records.parse(name, record).target;
  if (target === undefined) throw new AppError('POOL_MISSING', { pool: name }, { message: `There is no pool "${name}" on this host.` });
  const identity = { pool: name, owner: await records.owner() };
  if (!marksPool(marker === undefined ? undefined : parseMarker(place, marker), identity)) {
    throw new AppError('POOL_MISSING', { pool: name, path: target.path }, { message: `The pool "${name}" is not active.` });
  }
  return { target, driver: driverOf(target), identity };
}

async function readBoth(record: string, marker: string): Promise<(string | undefined)[]> {
  try {
    return await storageAddon().readMany([record, marker]);
  } catch (cause) {
    throw new AppError('HOST_UNREADABLE', { record, marker }, { message: `"${record}" or "${marker}" cannot be read.`, cause });
  }
}
