// security.*: how far an instance is shut off from the host.
import { applied, type OptionTable, planned } from '../option.ts';
import { parsed, unexpected } from '../../core/units.ts';
import { booleanValue, integerValue, linesValue, listValue, textValue, type ValueType } from '../value-type.ts';

const syscalls: ValueType<string> = {
  name: 'system calls',
  syntax: 'one system call a line',
  parse: (text) => (/^[a-z0-9_]+(?:\n[a-z0-9_]+)*\n?$/.test(text) ? parsed(text) : unexpected('system call names, one a line')),
  multiline: true,
};

export const securityOptions = {
  'security.privileged': applied(booleanValue, 'restart', 'Run without a user namespace: root inside is root on the host. Avoid it.', {
    default: 'false',
    example: 'true',
  }),
  'security.nesting': applied(booleanValue, 'restart', 'Allow containers inside this one.', { default: 'false', example: 'true' }),
  'security.protection.delete': applied(booleanValue, 'live', 'Refuse to delete the instance, whoever asks.', {
    default: 'false',
    example: 'true',
  }),
  'security.protection.shift': planned(booleanValue, 'live', "Refuse to change the owners of the root file system's files.", {
    default: 'false',
  }),
  'security.idmap.isolated': planned(booleanValue, 'restart', 'Use an id range of its own. Every instance has one here.', {
    default: 'true',
  }),
  'security.idmap.base': planned(integerValue({ min: 1 }), 'restart', 'First host id of its range.'),
  'security.idmap.size': planned(integerValue({ min: 1 }), 'restart', 'Size of its id range.', { default: '65536', unit: 'ids' }),
  'security.devlxd': planned(booleanValue, 'live', 'Offer the guest API in /dev/lxd.', { default: 'true' }),
  'security.devlxd.images': planned(booleanValue, 'restart', 'Let the guest read images over the guest API.', { default: 'false' }),
  'security.guestapi': planned(booleanValue, 'restart', 'Name of `security.devlxd` in Incus.', { default: 'true', origin: 'Incus' }),
  'security.guestapi.images': planned(booleanValue, 'restart', 'Name of `security.devlxd.images` in Incus.', {
    default: 'false',
    origin: 'Incus',
  }),
  'security.bpffs.delegate_cmds': planned(textValue, 'restart', 'BPF commands the guest may use.', { origin: 'Incus' }),
  'security.bpffs.delegate_maps': planned(textValue, 'restart', 'BPF maps the guest may use.', { origin: 'Incus' }),
  'security.bpffs.delegate_progs': planned(textValue, 'restart', 'BPF program types the guest may use.', { origin: 'Incus' }),
  'security.bpffs.delegate_attachs': planned(textValue, 'restart', 'BPF attach types the guest may use.', { origin: 'Incus' }),
  'security.bpffs.path': planned(textValue, 'restart', 'Where the BPF file system is mounted in the guest.', { origin: 'Incus' }),
  'security.syscalls.allow': planned(syscalls, 'restart', 'System calls that are allowed; all others are refused.'),
  'security.syscalls.deny': planned(syscalls, 'restart', 'System calls that are refused.'),
  'security.syscalls.deny_default': planned(booleanValue, 'restart', 'Refuse the dangerous system calls LXD refuses.', { default: 'true' }),
  'security.syscalls.deny_compat': planned(booleanValue, 'restart', 'Refuse system calls of 32-bit programs.', { default: 'false' }),
  'security.syscalls.intercept.mknod': planned(booleanValue, 'restart', 'Make harmless device nodes on behalf of the guest.', {
    default: 'false',
  }),
  'security.syscalls.intercept.setxattr': planned(booleanValue, 'restart', 'Set harmless extended attributes on behalf of the guest.', {
    default: 'false',
  }),
  'security.syscalls.intercept.mount': planned(booleanValue, 'restart', 'Mount file systems on behalf of the guest.', { default: 'false' }),
  'security.syscalls.intercept.mount.allowed': planned(listValue(textValue), 'live', 'File systems that are mounted for the guest.'),
  'security.syscalls.intercept.mount.fuse': planned(textValue, 'live', 'FUSE programs that stand in for file systems, `ext4=fuse2fs`.'),
  'security.syscalls.intercept.mount.shift': planned(booleanValue, 'live', 'Map ids of the file systems mounted for the guest.', {
    default: 'false',
  }),
  'security.syscalls.intercept.bpf': planned(booleanValue, 'restart', 'Handle bpf() on behalf of the guest.', { default: 'false' }),
  'security.syscalls.intercept.bpf.devices': planned(booleanValue, 'restart', 'Allow device cgroup programs through bpf().', {
    default: 'false',
  }),
  'security.syscalls.intercept.sched_setscheduler': planned(booleanValue, 'restart', 'Let the guest raise scheduling priorities.', {
    default: 'false',
  }),
  'security.syscalls.intercept.sysinfo': planned(booleanValue, 'restart', 'Answer sysinfo() with what the cgroup allows.', {
    default: 'false',
    origin: 'Incus',
  }),
} as const satisfies OptionTable;

export const rawOptions = {
  'raw.lxc': planned(linesValue, 'restart', 'Lines added to the liblxc configuration.'),
  'raw.idmap': planned(linesValue, 'restart', 'Ids mapped one to one, such as `both 1000 1000`.'),
  'raw.apparmor': planned(linesValue, 'live', 'Lines added to the AppArmor profile.'),
  'raw.seccomp': planned(linesValue, 'restart', 'A seccomp policy instead of the generated one.'),
} as const satisfies OptionTable;
