// Config of projects (planned as a whole).
import { type Option, type OptionTable, planned } from '../option.ts';
import { booleanValue, choiceValue, integerValue, linesValue, sizeValue, textValue } from '../value-type.ts';

function feature(what: string): Option<boolean> {
  return planned(booleanValue, 'immutable', `Whether the project has its own ${what} instead of those of "default".`, { default: 'false' });
}

function count(what: string): Option<number> {
  return planned(integerValue({ min: 0 }), 'live', `Most ${what} in the project.`);
}

function guard(what: string): Option<string> {
  return planned(textValue, 'live', `Restriction in a restricted project: ${what}.`);
}

export const projectOptions = {
  'features.images': feature('images'),
  'features.profiles': feature('profiles'),
  'features.networks': feature('networks'),
  'features.networks.zones': feature('network zones'),
  'features.storage.volumes': feature('storage volumes'),
  'features.storage.buckets': feature('storage buckets'),
  'limits.instances': count('instances'),
  'limits.containers': count('containers'),
  'limits.cpu': count('CPUs'),
  'limits.memory': planned(sizeValue, 'live', 'Most memory of all instances together.', { unit: 'bytes' }),
  'limits.processes': count('processes'),
  'limits.disk': planned(sizeValue, 'live', 'Most disk space of all volumes together.', { unit: 'bytes' }),
  'limits.disk.pool.*': planned(sizeValue, 'live', 'Most disk space in one pool.', { unit: 'bytes' }),
  'limits.networks': count('networks'),
  restricted: planned(booleanValue, 'live', 'Forbid what could harm the host, except what is allowed.', { default: 'false' }),
  'restricted.backups': guard('backups'),
  'restricted.cluster.groups': guard('cluster groups'),
  'restricted.cluster.target': guard('choice of the host'),
  'restricted.containers.interception': guard('system call interception'),
  'restricted.containers.lowlevel': guard('raw.* and similar'),
  'restricted.containers.nesting': guard('nesting'),
  'restricted.containers.privilege': planned(
    choiceValue('allow', 'unprivileged', 'isolated'),
    'live',
    'How privileged containers may be.',
    {
      default: 'unprivileged',
    },
  ),
  'restricted.devices.disk': guard('disk devices'),
  'restricted.devices.disk.paths': guard('sources of disk devices'),
  'restricted.devices.gpu': guard('gpu devices'),
  'restricted.devices.infiniband': guard('infiniband devices'),
  'restricted.devices.nic': guard('NICs'),
  'restricted.devices.proxy': guard('proxy devices'),
  'restricted.devices.unix-block': guard('unix-block devices'),
  'restricted.devices.unix-char': guard('unix-char devices'),
  'restricted.devices.unix-hotplug': guard('unix-hotplug devices'),
  'restricted.devices.usb': guard('usb devices'),
  'restricted.idmap.uid': guard('ids in raw.idmap'),
  'restricted.idmap.gid': guard('ids in raw.idmap'),
  'restricted.networks.access': guard('networks'),
  'restricted.networks.subnets': guard('subnets'),
  'restricted.networks.uplinks': guard('uplinks'),
  'restricted.networks.zones': guard('zones'),
  'restricted.snapshots': guard('snapshots'),
  'backups.compression_algorithm': planned(textValue, 'live', 'Compression of backups.'),
  'images.auto_update_cached': planned(booleanValue, 'live', 'Update cached images.'),
  'images.auto_update_interval': planned(integerValue({ min: 0 }), 'live', 'How often images are updated.', { unit: 'hours' }),
  'images.compression_algorithm': planned(textValue, 'live', 'Compression of images.'),
  'images.default_architecture': planned(textValue, 'live', 'Architecture to prefer.'),
  'images.remote_cache_expiry': planned(integerValue({ min: 0 }), 'live', 'How long unused cached images are kept.', { unit: 'days' }),
  'user.*': planned(linesValue, 'live', 'Free-form text for people and tools.'),
} as const satisfies OptionTable;
