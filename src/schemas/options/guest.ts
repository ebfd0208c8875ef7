// linux.*, nvidia.*, migration.*, snapshots.*, systemd.*, cluster.*, and the keys that LXD writes itself.
import { applied, internal, type OptionTable, planned } from '../option.ts';
import { booleanValue, choiceValue, integerValue, linesValue, listValue, textValue } from '../value-type.ts';

export const linuxOptions = {
  'linux.sysctl.*': applied(textValue, 'restart', 'A sysctl that belongs to a namespace of the instance, such as net.ipv4.ip_forward.', {
    example: '1',
    star: /^[a-z0-9_]+(?:[./-][A-Za-z0-9_-]+)+$/,
  }),
  'linux.kernel_modules': planned(listValue(textValue), 'live', 'Kernel modules to load on the host before the start.'),
} as const satisfies OptionTable;

export const nvidiaOptions = {
  'nvidia.runtime': planned(booleanValue, 'restart', "Pass the host's NVIDIA libraries and tools in.", { default: 'false' }),
  'nvidia.driver.capabilities': planned(textValue, 'restart', 'What of the driver is needed.', { default: 'compute,utility' }),
  'nvidia.require.cuda': planned(textValue, 'restart', 'Version expression for CUDA.'),
  'nvidia.require.driver': planned(textValue, 'restart', 'Version expression for the driver.'),
} as const satisfies OptionTable;

export const migrationOptions = {
  'migration.incremental.memory': planned(booleanValue, 'live', 'Copy memory in rounds while the instance still runs.', {
    default: 'false',
  }),
  'migration.incremental.memory.goal': planned(integerValue({ min: 0 }), 'live', 'Share of memory to have copied before stopping.', {
    default: '70',
    unit: 'percent',
  }),
  'migration.incremental.memory.iterations': planned(integerValue({ min: 0 }), 'live', 'Most rounds of copying.', { default: '10' }),
  'migration.stateful': planned(booleanValue, 'restart', 'Allow stopping, snapshots and moves with the running state.', {
    default: 'false',
  }),
} as const satisfies OptionTable;

export const snapshotOptions = {
  'snapshots.schedule': planned(textValue, 'live', 'When to make snapshots: cron, `@daily`, a list of these, or `@never`.'),
  'snapshots.schedule.stopped': planned(booleanValue, 'live', 'Also while the instance is stopped.', { default: 'false' }),
  'snapshots.pattern': planned(textValue, 'live', 'Name of scheduled snapshots.', { default: 'snap%d' }),
  'snapshots.expiry': planned(textValue, 'live', 'How long snapshots are kept: `1M 2H 3d 4w 5m 6y`.'),
  'snapshots.expiry.manual': planned(textValue, 'live', 'How long snapshots made by hand are kept.', { origin: 'Incus' }),
} as const satisfies OptionTable;

export const systemdOptions = {
  'systemd.credential.*': planned(linesValue, 'live', 'A credential for systemd in the guest.', { secret: true, origin: 'Incus' }),
  'systemd.credential-binary.*': planned(linesValue, 'live', 'A credential in base64 for systemd in the guest.', {
    secret: true,
    origin: 'Incus',
  }),
} as const satisfies OptionTable;

export const clusterOptions = {
  'cluster.evacuate': planned(choiceValue('auto', 'migrate', 'live-migrate', 'stop'), 'live', 'What is done when its host is evacuated.', {
    default: 'auto',
  }),
} as const satisfies OptionTable;

export const internalOptions = {
  'volatile.*': internal(textValue, 'State that LXD keeps for itself.'),
  'image.*': internal(textValue, 'Properties of the image the instance was made from, copied by LXD.'),
} as const satisfies OptionTable;
