// What a storage pool should be, typed, and the target a driver works with, which needs the host's paths and is made while planning.
import type { Paths } from '../../core/paths.ts';
import type { PoolDriverName, PoolTarget } from '../../host/ports/storage.ts';

export interface StoragePoolSpec {
  readonly driver: PoolDriverName;
  /** `config.source`; undefined: a directory or loop file below the state directory. */
  readonly source: string | undefined;
  /** `config.size` in bytes, of a loop file. Undefined: chosen when it is made, and any size is right. */
  readonly sizeBytes: number | undefined;
  readonly mountOptions: string | undefined;
}

/** A loop file's size of 0 in a target means: to be chosen from the free space when it is made. */
export const CHOSEN_AT_CREATION = 0;

export function targetOf(spec: StoragePoolSpec, name: string, paths: Paths): PoolTarget {
  const { driver, source, sizeBytes, mountOptions } = spec;
  const path = paths.pool(name);
  return {
    name,
    driver,
    path,
    source: sourceOf(driver, source, sizeBytes, path, paths.disk(name)),
    ...(mountOptions === undefined ? {} : { mountOptions }),
  };
}

function sourceOf(
  driver: PoolDriverName,
  source: string | undefined,
  sizeBytes: number | undefined,
  path: string,
  disk: string,
): PoolTarget['source'] {
  if (source === undefined) {
    return driver === 'dir' ? { type: 'path', path } : { type: 'loop', file: disk, sizeBytes: sizeBytes ?? CHOSEN_AT_CREATION };
  }
  // Whether a path leads to a device is not asked of the host here: plans are made offline, and devices live in /dev.
  return source.startsWith('/dev/') ? { type: 'device', path: source } : { type: 'path', path: source };
}

/** The source as `config.source` would name it, for comparing and for people. */
export function sourceName(target: PoolTarget): string {
  const { source } = target;
  if (source.type === 'loop') return 'a loop file';
  return source.type === 'path' && source.path === target.path ? 'its own directory' : source.path;
}
