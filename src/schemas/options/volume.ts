// Config of storage volumes (planned as a whole).
import { type OptionTable, planned } from '../option.ts';
import { booleanValue, choiceValue, integerValue, linesValue, modeValue, sizeValue, textValue } from '../value-type.ts';

export const volumeOptions = {
  size: planned(sizeValue, 'live', 'Size limit.', { unit: 'bytes', example: '5GiB' }),
  'snapshots.schedule': planned(textValue, 'live', 'When to make snapshots.'),
  'snapshots.expiry': planned(textValue, 'live', 'How long snapshots are kept.'),
  'snapshots.expiry.manual': planned(textValue, 'live', 'How long snapshots made by hand are kept.', { origin: 'Incus' }),
  'snapshots.pattern': planned(textValue, 'live', 'Name of scheduled snapshots.', { default: 'snap%d' }),
  'security.shifted': planned(booleanValue, 'live', 'Let instances with different id ranges share it.', { default: 'false' }),
  'security.unmapped': planned(booleanValue, 'live', 'Do not map ids.', { default: 'false' }),
  'security.shared': planned(booleanValue, 'live', 'Let several instances use a block volume.', { default: 'false', origin: 'Incus' }),
  'initial.uid': planned(integerValue({ min: 0 }), 'immutable', 'Owner of its root directory.', { default: '0', origin: 'Incus' }),
  'initial.gid': planned(integerValue({ min: 0 }), 'immutable', 'Group of its root directory.', { default: '0', origin: 'Incus' }),
  'initial.mode': planned(modeValue, 'immutable', 'Mode of its root directory.', { default: '0711', origin: 'Incus' }),
  'block.filesystem': planned(choiceValue('ext4', 'btrfs', 'xfs'), 'immutable', 'File system on a block device.', { default: 'ext4' }),
  'block.mount_options': planned(textValue, 'live', 'Mount options of that file system.', { default: 'discard' }),
  'lvm.stripes': planned(integerValue({ min: 1 }), 'immutable', 'Number of stripes.'),
  'lvm.stripes.size': planned(sizeValue, 'immutable', 'Size of a stripe.', { unit: 'bytes' }),
  'zfs.blocksize': planned(sizeValue, 'live', 'Size of a block.', { unit: 'bytes' }),
  'zfs.block_mode': planned(booleanValue, 'immutable', 'A file system on a zvol instead of a dataset.', { default: 'false' }),
  'zfs.use_refquota': planned(booleanValue, 'live', 'Do not count snapshots in the size.', { default: 'false' }),
  'zfs.reserve_space': planned(booleanValue, 'live', 'Reserve the size.', { default: 'false' }),
  'zfs.remove_snapshots': planned(booleanValue, 'live', 'Remove newer snapshots when restoring.', { default: 'false' }),
  'zfs.delegate': planned(booleanValue, 'live', 'Let the instance manage its dataset.', { default: 'false' }),
  'user.*': planned(linesValue, 'live', 'Free-form text for people and tools.'),
} as const satisfies OptionTable;
