// StoragePool: where root file systems live.
import { type Static, Type } from 'typebox';
import { closed, configMap, drift } from './common.ts';

export const POOL_DRIVERS = ['dir', 'btrfs', 'lvm', 'zfs', 'ceph', 'cephfs'] as const;

export const storagePoolSpecSchema = closed(
  {
    driver: Type.Enum([...POOL_DRIVERS], { description: '`dir` or `btrfs` in this release. It cannot be changed.' }),
    config: Type.Optional(configMap),
    drift,
  },
  'What the pool should be.',
);

/** `spec` of a valid StoragePool document. */
export type StoragePoolManifest = Static<typeof storagePoolSpecSchema>;
