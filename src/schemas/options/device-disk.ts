// Devices of type disk: the root volume, directories and files of the host, tmpfs.
import { applied, type OptionTable, planned } from '../option.ts';
import { absolutePathValue, booleanValue, choiceValue, objectNameValue, patternValue, sizeValue, textValue } from '../value-type.ts';
import { attached, bootPriority } from './device-common.ts';

const source = patternValue(
  'source',
  'an absolute path on the host, or `tmpfs:`',
  /^(?:tmpfs:|\/(?!.*(?:\/\/|\/\.\.?(?:\/|$)))[^\n]{0,4000})$/,
  'an absolute path on the host such as /srv/data (without ".." or "//"), or "tmpfs:"',
);

export const diskOptions = {
  path: applied(absolutePathValue, 'replug', 'Where it is mounted in the instance. `/` makes it the root disk.', { example: '/srv/data' }),
  source: applied(
    source,
    'replug',
    'What is mounted: a directory, file or block device of the host, or `tmpfs:`. Not set for the root disk.',
    {
      example: '/srv/shared',
    },
  ),
  pool: applied(objectNameValue, 'recreate', 'The storage pool of the root disk.', { example: 'fast' }),
  size: applied(sizeValue, 'live', 'Size limit of the root disk or of a tmpfs, which is replugged. Default: none.', {
    unit: 'bytes',
    example: '10GiB',
  }),
  readonly: applied(booleanValue, 'replug', 'Mount read-only.', { default: 'false', example: 'true' }),
  required: applied(booleanValue, 'live', 'Whether the instance must not start while the source is missing.', {
    default: 'true',
    example: 'false',
  }),
  recursive: applied(booleanValue, 'replug', 'Whether mounts below the source are passed in as well.', {
    default: 'false',
    example: 'true',
  }),
  shift: planned(booleanValue, 'replug', 'Map ids, so that files of the host belong to the same ids inside.', { default: 'false' }),
  propagation: planned(
    choiceValue('private', 'shared', 'slave', 'unbindable', 'rprivate', 'rshared', 'rslave', 'runbindable'),
    'replug',
    'How later mounts below it spread.',
    { default: 'private' },
  ),
  'raw.mount.options': planned(textValue, 'replug', 'Mount options of the file system.'),
  'limits.read': planned(textValue, 'live', 'Read limit in bytes a second or `iops`.', { example: '30MB' }),
  'limits.write': planned(textValue, 'live', 'Write limit in bytes a second or `iops`.', { example: '100iops' }),
  'limits.max': planned(textValue, 'live', 'Both limits at once.'),
  'size.state': planned(sizeValue, 'live', 'Size of the volume for the running state of virtual machines.', { unit: 'bytes' }),
  'ceph.cluster_name': planned(textValue, 'replug', 'Ceph cluster of the source.', { default: 'ceph' }),
  'ceph.user_name': planned(textValue, 'replug', 'Ceph user for the source.', { default: 'admin' }),
  'boot.priority': bootPriority,
  'initial.*': planned(textValue, 'immutable', 'Volume options for the first creation of the root volume.', { origin: 'Incus' }),
  attached,
} as const satisfies OptionTable;
