// A state directory for a test of storage or images, with ports on it; whatever the test leaves mounted or attached is taken away.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/core/log.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { createImagePort } from '../../src/host/images/image-port.ts';
import type { ImagePort } from '../../src/host/ports/images.ts';
import type { PoolTarget, StoragePort } from '../../src/host/ports/storage.ts';
import { run } from '../../src/host/run/run.ts';
import { loopsOf } from '../../src/host/storage/loop.ts';
import { createStoragePort } from '../../src/host/storage/storage-port.ts';

export interface StateRoot {
  readonly paths: Paths;
  readonly storage: StoragePort;
  readonly images: ImagePort;
  /** A second daemon's view of the same state: nothing is remembered. */
  restarted(): StoragePort;
  cleanUp(): Promise<void>;
}

export function makeStateRoot(): StateRoot {
  const root = mkdtempSync('/var/tmp/lockstep-storage-');
  chmodSync(root, 0o711);
  const paths = makePaths(root, join(root, 'run'));
  const storage = (): StoragePort => createStoragePort({ paths, prefix: 'tt', log: silentLog });
  return {
    paths,
    storage: storage(),
    images: createImagePort({ paths, log: silentLog }),
    restarted: storage,
    cleanUp: async () => {
      for (const name of namesIn(paths.pools)) await run(['umount', '--', join(paths.pools, name)]);
      for (const name of namesIn(paths.disks)) {
        for (const device of await loopsOf(join(paths.disks, name))) await run(['losetup', '--detach', device]);
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

export function dirPool(paths: Paths, name: string): PoolTarget {
  return { name, driver: 'dir', path: paths.pool(name), source: { type: 'path', path: paths.pool(name) } };
}

export function loopPool(paths: Paths, name: string, sizeBytes: number = 512 * 1024 ** 2): PoolTarget {
  return { name, driver: 'btrfs', path: paths.pool(name), source: { type: 'loop', file: paths.disk(name), sizeBytes } };
}
