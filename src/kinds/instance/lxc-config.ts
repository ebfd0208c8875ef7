// An instance's complete liblxc configuration, as ordered settings: without the distribution's includes (their hooks cost execs at
// every start and half a second at every stop), nothing inherited. Pure.
import { cgroupDir, lxcName } from '../../core/names.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { HostCapabilities } from '../../host/ports/capabilities.ts';
import { limitKnobs } from '../../host/cgroup/knobs.ts';
import type { ConfigItem } from '../../host/devices/device-spec.ts';
import { formatLimitValue } from './process-limits.ts';
import type { InstanceSpec } from './spec.ts';

/** Ids an instance has: 0 to 65535, as LXD's isolated instances. */
export const IDS_PER_INSTANCE = 65_536;

export interface ConfigInput {
  readonly uid: string;
  readonly ref: ResourceRef;
  readonly prefix: string;
  readonly spec: InstanceSpec;
  readonly host: HostCapabilities;
  /** Directory of the instance. */
  readonly dir: string;
  readonly rootfs: string;
  readonly seccomp: string;
  /** First host id; undefined for a privileged instance. */
  readonly idBase: number | undefined;
  /** As the image asks for; undefined: liblxc's defaults. */
  readonly haltSignal: string | undefined;
  readonly rebootSignal: string | undefined;
}

export function lxcConfig(input: ConfigInput, deviceItems: readonly ConfigItem[]): ConfigItem[] {
  return [
    ...basics(input),
    ...identity(input),
    ...confinement(input),
    ...mounts(input),
    ...cgroups(input),
    ...processes(input),
    ...network(deviceItems),
    ...deviceItems,
  ];
}

/** Without any `lxc.net` setting liblxc makes no network namespace: the container would be in the host's. */
function network(deviceItems: readonly ConfigItem[]): ConfigItem[] {
  return deviceItems.some(([key]) => key.startsWith('lxc.net.')) ? [] : [['lxc.net.0.type', 'empty']];
}

function basics({ ref, host, dir, haltSignal, rebootSignal }: ConfigInput): ConfigItem[] {
  return [
    ['lxc.uts.name', ref.name],
    ['lxc.arch', host.architecture],
    ['lxc.log.file', `${dir}/log`],
    ['lxc.log.level', 'WARN'],
    // Each terminal is a pty of the host, of which there are 3,072; the console alone is kept.
    ['lxc.tty.max', '0'],
    ['lxc.pty.max', '1024'],
    ['lxc.console.buffer.size', 'auto'],
    ['lxc.autodev', '1'],
    ...(haltSignal === undefined ? [] : ([['lxc.signal.halt', haltSignal]] as const)),
    ...(rebootSignal === undefined ? [] : ([['lxc.signal.reboot', rebootSignal]] as const)),
  ];
}

function identity({ rootfs, idBase }: ConfigInput): ConfigItem[] {
  if (idBase === undefined) return [['lxc.rootfs.path', `dir:${rootfs}`]];
  const range = `0 ${idBase} ${IDS_PER_INSTANCE}`;
  return [
    ['lxc.rootfs.path', `dir:${rootfs}`],
    // Files on disk belong to 0 and up; the mount maps them to the instance's range (mount_setattr(2), MOUNT_ATTR_IDMAP).
    ['lxc.rootfs.options', 'idmap=container'],
    ['lxc.idmap', `u ${range}`],
    ['lxc.idmap', `g ${range}`],
  ];
}

/** LXD drops these for privileged instances; in a user namespace they reach nothing of the host. */
const DROPPED_CAPABILITIES = 'sys_time sys_module sys_rawio mac_admin mac_override';

/** Nodes a privileged instance may use, as in LXD: making any node, null zero full random urandom, tty console ptmx, pts, fuse, tun. */
export const PRIVILEGED_NODES: readonly string[] = [
  'b *:* m',
  'c *:* m',
  'c 136:* rwm',
  'c 1:3 rwm',
  'c 1:5 rwm',
  'c 1:7 rwm',
  'c 1:8 rwm',
  'c 1:9 rwm',
  'c 5:0 rwm',
  'c 5:1 rwm',
  'c 5:2 rwm',
  'c 10:229 rwm',
  'c 10:200 rwm',
];

function confinement({ spec, host, seccomp }: ConfigInput): ConfigItem[] {
  const items: ConfigItem[] = [];
  if (spec.privileged) items.push(['lxc.cap.drop', DROPPED_CAPABILITIES]);
  if (host.seccomp) items.push(['lxc.seccomp.profile', seccomp]);
  if (host.apparmor) {
    items.push(['lxc.apparmor.profile', 'generated']);
    if (spec.nesting) items.push(['lxc.apparmor.allow_nesting', '1']);
  }
  return items;
}

/** File systems of the host that systemd in a guest wants to find mounted; in a user namespace it could not mount them. As in LXD. */
const HOST_MOUNTS = [
  ['/sys/fs/fuse/connections', 'bind'],
  ['/sys/fs/pstore', 'rbind'],
  ['/sys/kernel/config', 'rbind'],
  ['/sys/kernel/debug', 'rbind'],
  ['/sys/kernel/security', 'rbind'],
  ['/sys/kernel/tracing', 'rbind'],
  ['/sys/firmware/efi/efivars', 'bind'],
  ['/proc/sys/fs/binfmt_misc', 'rbind'],
] as const;

const LXCFS_FILES = [
  'proc/cpuinfo',
  'proc/diskstats',
  'proc/loadavg',
  'proc/meminfo',
  'proc/slabinfo',
  'proc/stat',
  'proc/swaps',
  'proc/uptime',
  'sys/devices/system/cpu/online',
] as const;

function mounts({ spec, host }: ConfigInput): ConfigItem[] {
  const proc = spec.privileged ? 'proc:mixed sys:mixed' : 'proc:rw sys:rw';
  const cgroup = host.cgroup === 'v2' ? 'cgroup:rw:force' : 'cgroup:mixed';
  const items: ConfigItem[] = [
    ['lxc.mount.auto', `${proc} ${cgroup}`],
    ['lxc.mount.entry', 'mqueue dev/mqueue mqueue rw,relatime,create=dir,optional 0 0'],
  ];
  for (const [path, bind] of HOST_MOUNTS) items.push(['lxc.mount.entry', `${path} ${path.slice(1)} none ${bind},optional 0 0`]);
  if (host.lxcfs !== undefined) {
    for (const file of LXCFS_FILES) items.push(['lxc.mount.entry', `${host.lxcfs}/${file} ${file} none bind,optional 0 0`]);
  }
  if (spec.nesting) {
    // The kernel mounts a new proc or sysfs in a user namespace only where it sees one without anything mounted over it.
    items.push(['lxc.mount.entry', 'proc dev/.lxc/proc proc create=dir,optional 0 0']);
    items.push(['lxc.mount.entry', 'sys dev/.lxc/sys sysfs create=dir,optional 0 0']);
  }
  return items;
}

function cgroups({ uid, ref, prefix, spec, host }: ConfigInput): ConfigItem[] {
  const dir = cgroupDir(prefix, lxcName(ref));
  const key = host.cgroup === 'v2' ? 'lxc.cgroup2' : 'lxc.cgroup';
  const items: ConfigItem[] = [
    ['lxc.cgroup.dir.container', `${dir}/payload`],
    ['lxc.cgroup.dir.monitor', `${dir}/monitor`],
    // At the end the monitor moves itself here, so that it can remove its own cgroup.
    ['lxc.cgroup.dir.monitor.pivot', `${dir}/pivot`],
  ];
  if (spec.privileged && host.controllers.has('devices')) {
    items.push([`${key}.devices.deny`, 'a']);
    for (const rule of PRIVILEGED_NODES) items.push([`${key}.devices.allow`, rule]);
  }
  for (const { file, value } of limitKnobs(spec.limits, host, uid)) items.push([`${key}.${file}`, value]);
  return items;
}

function processes({ spec }: ConfigInput): ConfigItem[] {
  const items: ConfigItem[] = [];
  for (const [name, { soft, hard }] of sorted(spec.processLimits)) {
    items.push([`lxc.prlimit.${name}`, `${formatLimitValue(soft)}:${formatLimitValue(hard)}`]);
  }
  for (const [name, value] of sorted(spec.sysctls)) items.push([`lxc.sysctl.${name}`, value]);
  // Always NAME=VALUE: without "=" liblxc would take the value from the daemon's own environment.
  for (const [name, value] of sorted(spec.environment)) items.push(['lxc.environment', `${name}=${value}`]);
  return items;
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
