// What this host lacks, as a list for people: each check says whether it is met, what was found, and how to get it. Reads and tries
// nothing that changes the host.
import { readFile, stat, statfs } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { probeCapabilities } from './capabilities.ts';
import type { HostCapabilities } from './ports/capabilities.ts';
import { packageOf } from './run/tool-packages.ts';
import { takesIdmappedMounts } from './storage/idmap-probe.ts';

export interface DoctorCheck {
  /** Short and stable: `tool nft`, `kernel veth`. */
  readonly name: string;
  readonly ok: boolean;
  /** Without it nothing works; else only what `detail` names. */
  readonly required: boolean;
  /** What was found, or what does not work without it. */
  readonly detail: string;
  /** How to get it; undefined when it is met. */
  readonly hint?: string;
}

interface Tool {
  readonly program: string;
  readonly required: boolean;
  readonly use: string;
}

const TOOLS: readonly Tool[] = [
  { program: 'nft', required: true, use: 'networks' },
  { program: 'dnsmasq', required: true, use: 'DHCP and DNS on networks' },
  { program: 'git', required: false, use: 'manifests from git repositories' },
  { program: 'ssh', required: false, use: 'git over ssh' },
  { program: 'ssh-keygen', required: false, use: 'commits signed with ssh keys' },
  { program: 'gpg', required: false, use: 'commits signed with OpenPGP keys' },
  { program: 'mkfs.btrfs', required: true, use: 'btrfs pools' },
  { program: 'btrfs', required: true, use: 'btrfs pools' },
  { program: 'losetup', required: true, use: 'pools in a loop file' },
  { program: 'tar', required: true, use: 'images' },
  { program: 'xz', required: true, use: 'images packed with xz' },
  { program: 'zstd', required: false, use: 'images packed with zstd' },
  { program: 'unsquashfs', required: false, use: 'images with a squashfs root' },
  { program: 'busybox', required: false, use: 'images built from busybox' },
  { program: 'mmdebstrap', required: false, use: 'images built from Debian' },
];

/** All checks, those not met first. `stateDir`: where pools and instances are to lie. */
export async function doctor(stateDir: string): Promise<readonly DoctorCheck[]> {
  const capabilities = await probeCapabilities();
  const checks = [
    rootCheck(),
    ...(await Promise.all(TOOLS.map(toolCheck))),
    ...missingForLockstep(capabilities),
    await userNamespaces(),
    ...(await Promise.all(KERNEL.map(kernelCheck))),
    await loopDevices(),
    await ptyCheck(),
    ...(await stateDirCheck(stateDir)),
  ];
  return checks.toSorted((a, b) => Number(a.ok) - Number(b.ok));
}

/** Checks that follow from the probed capabilities alone. Pure. */
export function missingForLockstep(host: HostCapabilities): DoctorCheck[] {
  const io = host.cgroup === 'v2' ? 'io' : 'blkio';
  const lacking = ['cpu', 'cpuset', 'memory', 'pids', io].filter((controller) => !host.controllers.has(controller));
  const swapHint = 'Boot with the kernel parameter "swapaccount=1".';
  return [
    check(
      'cgroups',
      true,
      lacking.length === 0,
      `${host.cgroup}; ${lacking.length === 0 ? 'all controllers' : `without ${lacking.join(', ')}`}`,
      {
        hint: 'Enable them with the kernel parameters "cgroup_enable=memory cpuset", or delegate them to this container or unit (Delegate=yes).',
      },
    ),
    check('swap accounting', false, host.swapAccounting, 'memory limits that count swap', { hint: swapHint }),
    check('seccomp', true, host.seccomp, 'the system call policy of instances', { hint: 'Use a kernel with CONFIG_SECCOMP_FILTER.' }),
    check('AppArmor', false, host.apparmor, 'a second wall around instances; they run without', {
      hint: 'Install the package "apparmor" and boot a kernel with AppArmor.',
    }),
    check('lxcfs', false, host.lxcfs !== undefined, host.lxcfs ?? 'instances see the memory and CPUs of the host', {
      hint: 'Install the package "lxcfs".',
    }),
    check(
      'user ids',
      true,
      host.ids.count >= 65_536,
      `${host.ids.first}:${host.ids.count}, room for ${Math.floor(host.ids.count / 65_536)} instances`,
      {
        hint: 'Give root at least 65536 ids from the same start in /etc/subuid and /etc/subgid: "root:1000000:1000000000".',
      },
    ),
  ];
}

function check(name: string, required: boolean, ok: boolean, detail: string, { hint }: { hint: string }): DoctorCheck {
  return { name, ok, required, detail, ...(ok ? {} : { hint }) };
}

function rootCheck(): DoctorCheck {
  return check('root', true, process.getuid?.() === 0, `uid ${process.getuid?.()}`, { hint: 'Run lockstepd as root.' });
}

async function toolCheck({ program, required, use }: Tool): Promise<DoctorCheck> {
  const found = await findProgram(program);
  const name = packageOf(program);
  return check(`tool ${program}`, required, found !== undefined, found ?? `needed for ${use}`, {
    hint: name === undefined ? `Install "${program}".` : `Install the package "${name}": apt-get install ${name}.`,
  });
}

/** Where the daemon would find it; /usr/sbin is often not in a user's PATH. */
async function findProgram(program: string): Promise<string | undefined> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  for (const directory of directories) {
    if (directory === '') continue;
    const path = join(directory, program);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === true && (found.mode & 0o111) !== 0) return path;
  }
  return undefined;
}

async function userNamespaces(): Promise<DoctorCheck> {
  const most = Number((await readText('/proc/sys/user/max_user_namespaces')) ?? '0');
  return check('kernel user namespaces', true, most > 0, `at most ${most}`, { hint: 'Set the sysctl user.max_user_namespaces to 10000.' });
}

interface KernelFeature {
  readonly name: string;
  readonly required: boolean;
  readonly use: string;
  /** The name as /proc/filesystems or /sys/module has it. */
  readonly found: (module: string) => Promise<boolean>;
  readonly module: string;
}

const KERNEL: readonly KernelFeature[] = [
  { name: 'veth', required: true, use: 'network interfaces of instances', found: hasModule, module: 'veth' },
  { name: 'bridge', required: true, use: 'bridge networks', found: hasModule, module: 'bridge' },
  { name: 'nf_tables', required: true, use: 'NAT and firewall of networks', found: hasModule, module: 'nf_tables' },
  { name: 'btrfs', required: false, use: 'btrfs pools', found: hasFileSystem, module: 'btrfs' },
  { name: 'overlay', required: false, use: 'Docker and the like inside instances', found: hasFileSystem, module: 'overlay' },
  { name: 'fuse', required: false, use: 'lxcfs', found: hasFileSystem, module: 'fuse' },
];

async function kernelCheck({ name, required, use, found, module }: KernelFeature): Promise<DoctorCheck> {
  return check(`kernel ${name}`, required, await found(module), `needed for ${use}`, {
    hint: `Load the kernel module: modprobe ${module}.`,
  });
}

async function hasFileSystem(type: string): Promise<boolean> {
  const listed = ((await readText('/proc/filesystems')) ?? '').split('\n').some((line) => line.split('\t').at(-1) === type);
  return listed || hasModule(type);
}

/** Loaded, built in, or there to be loaded. A kernel that lists none of its modules says too little to complain. */
async function hasModule(module: string): Promise<boolean> {
  if ((await stat(`/sys/module/${module}`).catch(() => undefined)) !== undefined) return true;
  const directory = `/lib/modules/${(await readText('/proc/sys/kernel/osrelease'))?.trim()}`;
  const lists = await Promise.all([readText(join(directory, 'modules.builtin')), readText(join(directory, 'modules.dep'))]);
  if (lists.every((list) => list === undefined)) return true;
  const pattern = new RegExp(`/${module.replaceAll('_', '[_-]')}\\.ko`);
  return lists.some((list) => list !== undefined && pattern.test(list));
}

async function loopDevices(): Promise<DoctorCheck> {
  const control = await stat('/dev/loop-control').catch(() => undefined);
  const ok = control?.isCharacterDevice() === true;
  return check('loop devices', false, ok, 'pools in a loop file', {
    hint: 'Load the kernel module: modprobe loop. In a container, use pools in a directory.',
  });
}

/** Each instance holds one pty of the host for its console (pts(4)); 1,024 are kept for the host itself. */
async function ptyCheck(): Promise<DoctorCheck> {
  const [most, reserved, used] = await Promise.all(
    ['max', 'reserve', 'nr'].map(async (name) => Number((await readText(`/proc/sys/kernel/pty/${name}`)) ?? '0')),
  );
  const left = (most ?? 0) - (reserved ?? 0) - (used ?? 0);
  return check('ptys', true, left >= 16, `${left} left, one for each running instance`, { hint: 'Raise the sysctl kernel.pty.max.' });
}

async function stateDirCheck(stateDir: string): Promise<DoctorCheck[]> {
  const place = 'Put the state directory on a file system that is mounted without "nodev" and has room, with --state-dir.';
  const at = await nearestExisting(resolve(stateDir));
  const { bavail, bsize } = await statfs(at);
  const free = Math.floor((bavail * bsize) / 1024 ** 2);
  const nodev = await isNodev(at);
  const idmapped = await takesIdmappedMounts(at).catch(() => false);
  return [
    check('state directory', true, free > 512 && !nodev, `${at}: ${free} MiB free${nodev ? ', mounted with "nodev"' : ''}`, {
      hint: place,
    }),
    check('id-mapped mounts', false, idmapped, `of the file system of ${at}; pools in a directory need them, loop files do not`, {
      hint: 'Use a kernel from 5.12 on (btrfs: 5.15) and ext4, xfs or btrfs, or a pool in a loop file.',
    }),
  ];
}

async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if (at === '/' || (await stat(at).catch(() => undefined)) !== undefined) return at;
  }
}

/** Node's statfs leaves the flags out, so they are read from mountinfo: the longest mount point that holds the path. */
async function isNodev(path: string): Promise<boolean> {
  let best = { length: -1, nodev: false };
  for (const line of ((await readText('/proc/self/mountinfo')) ?? '').split('\n')) {
    const [, , , , mountPoint, options] = line.split(' ');
    if (mountPoint === undefined || options === undefined) continue;
    const inside = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (inside && mountPoint.length >= best.length) best = { length: mountPoint.length, nodev: options.split(',').includes('nodev') };
  }
  return best.nodev;
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
