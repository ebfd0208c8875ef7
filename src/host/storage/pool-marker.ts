// The marker file in the root of a pool: proof that what lies there was made by this state directory for this pool.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { PoolDriverName } from '../ports/storage.ts';
import type { PoolIdentity } from './pool-driver.ts';
import { MARKER_FILE } from './volume-layout.ts';

export interface PoolMarker extends PoolIdentity {
  readonly version: 1;
  readonly driver: PoolDriverName;
  /** For people: where the daemon that made it kept its state. */
  readonly stateDir: string;
}

function isMarker(value: unknown): value is PoolMarker {
  if (typeof value !== 'object' || value === null) return false;
  const marker = value as Record<string, unknown>;
  return marker['version'] === 1 && [marker['pool'], marker['owner'], marker['driver']].every((text) => typeof text === 'string');
}

/** Undefined when there is none. One that cannot be understood is POOL_FOREIGN. */
export async function readMarker(root: string): Promise<PoolMarker | undefined> {
  try {
    return parseMarker(root, await readFile(markerPath(root), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

export function markerPath(root: string): string {
  return join(root, MARKER_FILE);
}

/** The marker behind the text of its file; POOL_FOREIGN when it cannot be understood. */
export function parseMarker(root: string, text: string): PoolMarker {
  const path = markerPath(root);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isMarker(value)) return value;
  throw new AppError(
    'POOL_FOREIGN',
    { path },
    {
      message: `"${path}" is damaged, so it is not certain whose pool this is.`,
      hint: 'Restore the file from a backup, or move the data away.',
    },
  );
}

export function marksPool(marker: PoolMarker | undefined, identity: PoolIdentity): boolean {
  return marker?.pool === identity.pool && marker.owner === identity.owner;
}

export async function writeMarker(root: string, marker: PoolMarker): Promise<void> {
  const fresh = join(root, `${MARKER_FILE}.new`);
  await writeFile(fresh, `${JSON.stringify(marker)}\n`, { mode: 0o600, flush: true });
  await rename(fresh, join(root, MARKER_FILE));
}
