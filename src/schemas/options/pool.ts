// Config of storage pools, one table per driver. Applied: dir and btrfs.
import { applied, type OptionTable, planned } from '../option.ts';
import { absolutePathValue, booleanValue, integerValue, linesValue, patternValue, sizeValue, textValue } from '../value-type.ts';

const user = applied(linesValue, 'live', 'Free-form text for people and tools.', { example: 'team-a' });
const wipe = planned(booleanValue, 'immutable', 'Overwrite what the source holds.', { default: 'false', origin: 'Incus' });
const volumeDefault = planned(textValue, 'live', 'Default of a volume option for new volumes.');
const rsync = {
  'rsync.bwlimit': planned(sizeValue, 'live', 'Limit of transfers.', { unit: 'bytes/s' }),
  'rsync.compression': planned(booleanValue, 'live', 'Compress transfers.', { default: 'true' }),
} as const satisfies OptionTable;

const mountOptions = patternValue(
  'mount options',
  'mount options separated by commas',
  /^[A-Za-z0-9_=.:%/-]+(?:,[A-Za-z0-9_=.:%/-]+)*$/,
  'mount options separated by commas, such as compress=zstd,noatime',
);

export const dirPoolOptions = {
  source: applied(absolutePathValue, 'immutable', 'An existing directory. Default: one below the state directory.', {
    example: '/srv/lockstep',
  }),
  'source.wipe': wipe,
  'volume.*': volumeDefault,
  ...rsync,
  'user.*': user,
} as const satisfies OptionTable;

export const btrfsPoolOptions = {
  source: applied(
    absolutePathValue,
    'immutable',
    'An existing directory on btrfs, or a block device. Default: a loop file below the state directory.',
    { example: '/dev/vdb' },
  ),
  size: applied(sizeValue, 'live', 'Size of the loop file. It can grow, not shrink. Default: a fifth of the free space, 5 to 30 GiB.', {
    unit: 'bytes',
    example: '20GiB',
  }),
  'btrfs.mount_options': applied(mountOptions, 'live', 'Mount options of the pool, taken at its next activation.', {
    default: 'user_subvol_rm_allowed',
    example: 'compress=zstd',
  }),
  'source.wipe': wipe,
  'volume.*': volumeDefault,
  ...rsync,
  'user.*': user,
} as const satisfies OptionTable;

export const lvmPoolOptions = {
  source: planned(textValue, 'immutable', 'A block device, volume group, or loop file.'),
  size: planned(sizeValue, 'live', 'Size of the loop file.', { unit: 'bytes' }),
  'lvm.vg_name': planned(textValue, 'immutable', 'Name of the volume group.'),
  'lvm.thinpool_name': planned(textValue, 'immutable', 'Name of the thin pool.', { default: 'LXDThinPool' }),
  'lvm.use_thinpool': planned(booleanValue, 'immutable', 'Use a thin pool.', { default: 'true' }),
  'lvm.thinpool_metadata_size': planned(sizeValue, 'immutable', 'Size of its metadata.', { unit: 'bytes' }),
  'lvm.metadata_size': planned(sizeValue, 'immutable', "Size of the physical volume's metadata.", { unit: 'bytes' }),
  'lvm.vg.force_reuse': planned(booleanValue, 'live', 'Use a volume group that is not empty.', { default: 'false' }),
  'source.wipe': wipe,
  'volume.*': volumeDefault,
  ...rsync,
} as const satisfies OptionTable;

export const zfsPoolOptions = {
  source: planned(textValue, 'immutable', 'A block device, dataset, or loop file.'),
  size: planned(sizeValue, 'live', 'Size of the loop file.', { unit: 'bytes' }),
  'zfs.pool_name': planned(textValue, 'immutable', 'Name of the zpool.'),
  'zfs.clone_copy': planned(textValue, 'live', 'Clone instead of copying: `true`, `false`, `rebase`.', { default: 'true' }),
  'zfs.export': planned(booleanValue, 'live', 'Export the zpool when it is not used.', { default: 'true' }),
  'source.wipe': wipe,
  'volume.*': volumeDefault,
  ...rsync,
} as const satisfies OptionTable;

export const cephPoolOptions = {
  source: planned(textValue, 'immutable', 'An existing OSD pool.'),
  'ceph.cluster_name': planned(textValue, 'immutable', 'Name of the cluster.', { default: 'ceph' }),
  'ceph.user.name': planned(textValue, 'immutable', 'User.', { default: 'admin' }),
  'ceph.osd.pool_name': planned(textValue, 'immutable', 'Name of the OSD pool.'),
  'ceph.osd.data_pool_name': planned(textValue, 'immutable', 'Name of the data pool.'),
  'ceph.osd.pg_num': planned(integerValue({ min: 1 }), 'immutable', 'Number of placement groups.', { default: '32' }),
  'ceph.osd.force_reuse': planned(booleanValue, 'immutable', 'Use a pool of another LXD.', { default: 'false' }),
  'ceph.rbd.features': planned(textValue, 'live', 'RBD features.', { default: 'layering' }),
  'ceph.rbd.du': planned(booleanValue, 'live', 'Ask rbd for disk usage.', { default: 'true' }),
  'ceph.rbd.clone_copy': planned(booleanValue, 'live', 'Clone instead of copying.', { default: 'true' }),
  'volume.*': volumeDefault,
} as const satisfies OptionTable;

export const cephfsPoolOptions = {
  source: planned(textValue, 'immutable', 'An existing CephFS or a path in it.'),
  'cephfs.cluster_name': planned(textValue, 'immutable', 'Name of the cluster.', { default: 'ceph' }),
  'cephfs.user.name': planned(textValue, 'immutable', 'User.', { default: 'admin' }),
  'cephfs.path': planned(textValue, 'immutable', 'Path in the file system.', { default: '/' }),
  'cephfs.fscache': planned(booleanValue, 'live', 'Use fscache.', { default: 'false' }),
  'volume.*': volumeDefault,
} as const satisfies OptionTable;
