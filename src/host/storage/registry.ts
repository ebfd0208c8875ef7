// Every storage backend, by the name manifests use.
import type { PoolDriverName } from '../ports/storage.ts';
import { btrfsDriver } from './btrfs/driver.ts';
import { dirDriver } from './dir/driver.ts';
import type { PoolDriver } from './pool-driver.ts';

export const poolDrivers: Readonly<Record<PoolDriverName, PoolDriver>> = { dir: dirDriver, btrfs: btrfsDriver };
