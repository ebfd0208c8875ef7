// What a daemon leaves on the host, found by its prefix and its directories alone: for tests (before and after) and for cleaning up after
// daemons that were killed. Nothing here asks the daemon or its ledger.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cgroupParent, isOurBridge, isOurVeth, nftTable } from '../src/core/names.ts';
import { SHARED_DIR } from '../src/host/lock.ts';
import { parseMountinfo } from '../src/host/mountinfo.ts';
import { run } from '../src/host/run/run.ts';

export interface TraceScope {
  readonly prefix: string;
  /** Absolute paths; everything at or below them belongs to the daemon: state, run and test directories. */
  readonly roots: readonly string[];
}

export interface Traces {
  readonly processes: readonly { readonly pid: number; readonly what: string }[];
  readonly links: readonly string[];
  /** Innermost first: the order to unmount in. */
  readonly mounts: readonly string[];
  /** Loop devices, `/dev/loopN`. */
  readonly loops: readonly string[];
  /** Every hierarchy's directory of this prefix, and all below, deepest first. */
  readonly cgroups: readonly string[];
  readonly tables: readonly string[];
  /** Files of claimed id ranges and of the prefix lock. */
  readonly claims: readonly string[];
  /** Other programs that work below the roots: what a killed daemon had started, or somebody's editor. Shown, never ended. */
  readonly strays: readonly string[];
}

export async function findTraces(scope: TraceScope): Promise<Traces> {
  const { known, strays } = processes(scope);
  return {
    processes: known,
    strays,
    links: readdirSync('/sys/class/net').filter((name) => isOurBridge(scope.prefix, name) || isOurVeth(scope.prefix, name)),
    mounts: mounts(scope),
    loops: loops(scope),
    cgroups: cgroups(scope.prefix),
    tables: await tables(scope.prefix),
    claims: claims(scope),
  };
}

/** One line per trace, sorted; pids are left out because they differ from run to run. */
export async function hostDump(scope: TraceScope): Promise<string[]> {
  const traces = await findTraces(scope);
  return [
    ...traces.processes.map(({ what }) => `process ${what}`),
    ...traces.links.map((name) => `link ${name}`),
    ...traces.mounts.map((path) => `mount ${path}`),
    ...traces.loops.map((device) => `loop ${device}`),
    ...traces.cgroups.map((path) => `cgroup ${path}`),
    ...traces.tables.map((name) => `table ${name}`),
    ...traces.claims.map((path) => `claim ${path}`),
    ...traces.strays.map((what) => `stray ${what}`),
  ].toSorted((a, b) => (a < b ? -1 : 1));
}

export function isBelow(roots: readonly string[], path: string): boolean {
  return roots.some((root) => path === root || path.startsWith(`${root}/`));
}

interface Processes {
  readonly known: { pid: number; what: string }[];
  readonly strays: string[];
}

function processes(scope: TraceScope): Processes {
  const known: { pid: number; what: string }[] = [];
  const strays: string[] = [];
  const ownFamily = ancestors(process.pid);
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || ownFamily.has(pid)) continue;
    const what = role(pid, scope);
    if (what !== undefined) known.push({ pid, what });
    // What a living daemon has at work ends with its work.
    else if (isStray(pid, scope) && ![...ancestors(pid)].some((above) => role(above, scope) === 'daemon')) {
      strays.push(commandLine(pid).join(' '));
    }
  }
  return { known, strays };
}

/** This process and those it was started by: their arguments may name the roots. */
function ancestors(pid: number): Set<number> {
  const found = new Set<number>();
  for (let at = pid; at > 0 && !found.has(at); at = parentOf(at)) found.add(at);
  return found;
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses can hold anything: fields count from the last one.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .filter((argument) => argument !== '');
  } catch {
    return [];
  }
}

/** A path of ours among its arguments, or it works in a directory of ours. */
function isStray(pid: number, { roots }: TraceScope): boolean {
  if (commandLine(pid).some((argument) => isBelow(roots, argument.replace(/^[^/]*=/, '')))) return true;
  try {
    return isBelow(roots, readlinkSync(`/proc/${pid}/cwd`));
  } catch {
    return false;
  }
}

/** What a process is to this daemon; undefined when it is none of its own. */
function role(pid: number, { prefix, roots }: TraceScope): string | undefined {
  try {
    const argv = commandLine(pid);
    const title = argv.join(' ');
    const monitor = /^\[lxc monitor\] (\/\S+) (\S+)/.exec(title);
    if (monitor) return isBelow(roots, monitor[1] ?? '') ? `monitor ${monitor[2]}` : undefined;
    if (basename(argv[0] ?? '') === 'dnsmasq' && argv.some((argument) => isBelow(roots, argument.replace(/^[^=]*=/, '')))) return 'dnsmasq';
    if (argv.some((argument) => argument.endsWith('/src/main.ts')) && isDaemonOf(roots, pid, argv)) return 'daemon';
    // Nothing of it names the daemon but its parent.
    if (basename(argv[0] ?? '') === 'lockstep-helper' && role(parentOf(pid), { prefix, roots }) === 'daemon')
      return 'helper lockstep-helper';
    if (isBelow(roots, readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''))) return `helper ${basename(argv[0] ?? '')}`;
    // A container's processes: in one of our cgroups, whichever the hierarchy.
    const inside = new RegExp(`/${prefix}\\.lockstep/([^/\\n]+)/payload`).exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    return inside ? `guest of ${inside[1]}` : undefined;
  } catch {
    return undefined; // a kernel thread, or ended meanwhile
  }
}

function isDaemonOf(roots: readonly string[], pid: number, argv: readonly string[]): boolean {
  const at = argv.indexOf('--state-dir');
  if (at >= 0) return isBelow(roots, argv[at + 1] ?? '');
  // With the default directory it is not on the command line; the lock says who holds it.
  return roots.some((root) => lockHolder(join(root, 'lock')) === pid);
}

function lockHolder(file: string): number | undefined {
  try {
    const said: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof said === 'object' && said !== null && 'pid' in said && typeof said.pid === 'number' ? said.pid : undefined;
  } catch {
    return undefined;
  }
}

function mounts({ roots }: TraceScope): string[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .map((mount) => mount.mountPoint)
    .filter((path) => isBelow(roots, path))
    .toReversed();
}

function loops({ roots }: TraceScope): string[] {
  return readdirSync('/sys/block')
    .filter((name) => /^loop\d+$/.test(name))
    .filter((name) => {
      try {
        const file = readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trimEnd();
        return isBelow(roots, file.replace(/ \(deleted\)$/, ''));
      } catch {
        return false; // not attached
      }
    })
    .map((name) => `/dev/${name}`);
}

function cgroups(prefix: string): string[] {
  const found: string[] = [];
  const hierarchies = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter((mount) => mount.type.startsWith('cgroup'));
  for (const path of new Set(hierarchies.map((mount) => mount.mountPoint))) {
    // At the root, or below PID 1's own cgroup when the host is itself a container.
    for (const top of directoriesNamed(path, cgroupParent(prefix), 3)) found.push(...treeOf(top));
  }
  return found;
}

function directoriesNamed(path: string, name: string, depth: number): string[] {
  return subdirectories(path).flatMap((entry) => {
    const full = join(path, entry);
    return entry === name ? [full] : depth > 0 ? directoriesNamed(full, name, depth - 1) : [];
  });
}

function treeOf(path: string): string[] {
  return [...subdirectories(path).flatMap((entry) => treeOf(join(path, entry))), path];
}

function subdirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

async function tables(prefix: string): Promise<string[]> {
  const { stdout } = await run(['nft', 'list', 'tables']);
  const wanted = `table inet ${nftTable(prefix)}`;
  return stdout.split('\n').filter((line) => line === wanted);
}

function claims({ prefix, roots }: TraceScope): string[] {
  let names: string[];
  try {
    names = readdirSync(SHARED_DIR);
  } catch {
    return [];
  }
  return names
    .map((name) => join(SHARED_DIR, name))
    .filter((path) => {
      if (basename(path).startsWith(`prefix-${prefix}-`)) return true;
      try {
        const said: unknown = JSON.parse(readFileSync(path, 'utf8'));
        return typeof said === 'object' && said !== null && 'stateDir' in said && isBelow(roots, String(said.stateDir));
      } catch {
        return false;
      }
    });
}
