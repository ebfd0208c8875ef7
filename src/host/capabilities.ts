// Finds out, once at start, what this host can do for containers. Reads files only; what is missing is data, not an error.
import { readdir, readFile, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { parseCpuSet } from '../core/cpu.ts';
import { loadNative } from './lxc/binding.ts';
import { type MountEntry, parseMountinfo } from './mountinfo.ts';
import type { HostCapabilities, IdRange } from './ports/capabilities.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';
/** LXD's range when root has none in /etc/subuid. */
const DEFAULT_IDS: IdRange = { first: 1_000_000, count: 1_000_000_000 };
const IDS_PER_INSTANCE = 65_536;
const ALL_IDS = 4_294_967_295;

export async function probeCapabilities(): Promise<HostCapabilities> {
  const mounts = parseMountinfo(await readText('/proc/self/mountinfo'));
  const uidMap = parseIdMap(await readText('/proc/self/uid_map'));
  const nested = !uidMap.some(({ count }) => count >= ALL_IDS);
  const cgroup = await probeCgroups(mounts);
  return {
    ...cgroup,
    apparmor: await probeApparmor(),
    seccomp: (await readText('/proc/self/status')).includes('\nSeccomp:'),
    lxcfs: mounts.find((mount) => mount.type === 'fuse.lxcfs')?.mountPoint,
    architecture: architectureName(process.arch),
    liblxc: loadNative().lxcVersion(),
    memoryBytes: totalmem(),
    cpus: await onlineCpus(),
    ids: nested ? idsInside(uidMap) : subordinateIds(await readText('/etc/subuid'), await readText('/etc/subgid')),
    nested,
  };
}

type CgroupCapabilities = Pick<HostCapabilities, 'cgroup' | 'controllers' | 'swapAccounting'>;

async function probeCgroups(mounts: readonly MountEntry[]): Promise<CgroupCapabilities> {
  const unified = mounts.findLast((mount) => mount.mountPoint === CGROUP_ROOT)?.type === 'cgroup2';
  if (unified) {
    const listed = (await readText(join(CGROUP_ROOT, 'cgroup.controllers'))).trim().split(/\s+/);
    // These two have no controller of their own on v2: cgroup.freeze, and eBPF programs.
    const controllers = new Set([...listed.filter((name) => name !== ''), 'freezer', 'devices']);
    return { cgroup: 'v2', controllers, swapAccounting: await hasSwapMax() };
  }
  const controllers = new Set<string>();
  for (const { type, mountPoint } of mounts) {
    if (type !== 'cgroup') continue;
    // A mount's directory is named after its controllers (`cpu,cpuacct`); `systemd` is a hierarchy without any.
    const names = mountPoint.slice(mountPoint.lastIndexOf('/') + 1).split(',');
    for (const name of names) if (name !== 'systemd' && name !== '') controllers.add(name);
  }
  return { cgroup: 'hybrid', controllers, swapAccounting: await exists(join(CGROUP_ROOT, 'memory/memory.memsw.limit_in_bytes')) };
}

/** The root cgroup has no limits, so any of its children is asked. */
async function hasSwapMax(): Promise<boolean> {
  const children = await readdir(CGROUP_ROOT, { withFileTypes: true }).catch(() => []);
  for (const child of children) {
    if (child.isDirectory() && (await exists(join(CGROUP_ROOT, child.name, 'memory.swap.max')))) return true;
  }
  return false;
}

/** liblxc makes its profiles with apparmor_parser: without it, a start with a generated profile fails. */
async function probeApparmor(): Promise<boolean> {
  const enabled = (await readText('/sys/module/apparmor/parameters/enabled')).startsWith('Y');
  if (!enabled || !(await exists('/sys/kernel/security/apparmor'))) return false;
  const places = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser', '/usr/bin/apparmor_parser'];
  return (await Promise.all(places.map(exists))).includes(true);
}

async function onlineCpus(): Promise<readonly number[]> {
  const set = parseCpuSet((await readText('/sys/devices/system/cpu/online')).trim());
  return set.ok ? set.value : [0];
}

/** As `lxc.arch` and LXD's images write it. */
export function architectureName(arch: NodeJS.Architecture): string {
  const names: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l', ia32: 'i686' };
  return names[arch] ?? arch;
}

interface IdMapping {
  readonly inside: number;
  readonly count: number;
}

/** Lines of uid_map (user_namespaces(7)): first id inside, first id outside, how many. */
export function parseIdMap(text: string): IdMapping[] {
  const mappings: IdMapping[] = [];
  for (const line of text.split('\n')) {
    const [inside, , count] = line.trim().split(/\s+/).map(Number);
    if (inside !== undefined && count !== undefined && Number.isSafeInteger(inside) && Number.isSafeInteger(count))
      mappings.push({ inside, count });
  }
  return mappings;
}

/** In a container: the largest mapped stretch, but for the ids of the container's own users. */
export function idsInside(mappings: readonly IdMapping[]): IdRange {
  let best: IdRange = { first: IDS_PER_INSTANCE, count: 0 };
  for (const { inside, count } of mappings) {
    const first = Math.max(inside, IDS_PER_INSTANCE);
    const left = inside + count - first;
    if (left > best.count) best = { first, count: left };
  }
  return best;
}

/** Root's largest range that is in both files, subuid(5); LXD's default when root has none in either. */
export function subordinateIds(subuid: string, subgid: string): IdRange {
  const uids = rangesOfRoot(subuid);
  const gids = rangesOfRoot(subgid);
  if (uids.length === 0 && gids.length === 0) return DEFAULT_IDS;
  let best: IdRange = { first: DEFAULT_IDS.first, count: 0 };
  for (const uid of uids) {
    for (const gid of gids) {
      const first = Math.max(uid.first, gid.first);
      const count = Math.min(uid.first + uid.count, gid.first + gid.count) - first;
      if (count > best.count) best = { first, count };
    }
  }
  return best;
}

function rangesOfRoot(text: string): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split('\n')) {
    const match = /^(?:root|0):(\d{1,10}):(\d{1,10})\s*$/.exec(line);
    if (match) ranges.push({ first: Number(match[1]), count: Number(match[2]) });
  }
  return ranges;
}

/** Empty when it cannot be read: the feature it tells of is then taken as missing. */
async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
