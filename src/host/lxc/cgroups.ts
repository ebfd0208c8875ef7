// A container's control groups on v1, hybrid and v2 hosts: values by file name, and the directories liblxc leaves behind.
// Names follow from src/core/names.ts: `<base>/PREFIX.lockstep/NAME/{payload,monitor}` in every hierarchy.
import { open, readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isErrno } from '../../core/errors.ts';
import { cgroupDir, cgroupParent } from '../../core/names.ts';
import { loadNative } from './binding.ts';
import { ReadBatch } from './read-batch.ts';

/** The freezer takes milliseconds. */
const INSIST_MS = 100;

interface Hierarchy {
  /** Mount point and the base liblxc uses below it: PID 1's own cgroup, without systemd's init.scope. */
  readonly root: string;
  readonly controllers: readonly string[];
  readonly unified: boolean;
}

/** The hierarchies of this host from `/proc/self/mountinfo` and `/proc/1/cgroup`. Pure. */
export function parseHierarchies(mountinfo: string, initCgroup: string): Hierarchy[] {
  const bases = new Map<string, string>();
  for (const line of initCgroup.split('\n')) {
    const [id, controllers, path] = [line.split(':', 1)[0], line.split(':')[1], line.split(':').slice(2).join(':')];
    if (!id || controllers === undefined || path === undefined) continue;
    const base = path.replace(/\/init\.scope$/, '');
    if (id === '0' && controllers === '') bases.set('', base);
    else for (const one of controllers.split(',')) bases.set(one, base);
  }
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    if (!left || !right) continue;
    const mountPoint = left.split(' ')[4];
    const [type, , options = ''] = right.split(' ');
    if (!mountPoint || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    const controllers = type === 'cgroup2' ? [] : options.split(',').filter((option) => bases.has(option));
    const base = bases.get(type === 'cgroup2' ? '' : (controllers[0] ?? '-'));
    if (base === undefined) continue;
    const root = join(mountPoint, base).replace(/\/$/, '');
    if (!found.some((other) => other.root === root)) found.push({ root, controllers, unified: type === 'cgroup2' });
  }
  return found;
}

export class Cgroups {
  readonly #prefix: string;
  readonly #hierarchies: readonly Hierarchy[];
  readonly #reads = new ReadBatch();
  /** By file name: the directory of the hierarchy it is in. A few dozen names. */
  readonly #roots = new Map<string, string>();

  constructor(prefix: string, hierarchies: readonly Hierarchy[]) {
    this.#prefix = prefix;
    this.#hierarchies = hierarchies;
  }

  static async open(prefix: string): Promise<Cgroups> {
    return new Cgroups(prefix, parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'), await readFile('/proc/1/cgroup', 'utf8')));
  }

  /** No v1 controller is mounted: devices are then a BPF program that only the monitor can change. */
  get unifiedOnly(): boolean {
    return this.#hierarchies.every((one) => one.unified);
  }

  /** The file behind a name such as `memory.max` or `pids.max`: in its v1 controller's hierarchy if that is mounted, else in the unified one. */
  path(name: string, file: string): string | undefined {
    let root = this.#roots.get(file);
    if (root === undefined) {
      root = this.#rootOf(file);
      if (root === undefined) return undefined;
      this.#roots.set(file, root);
    }
    return `${root}/${cgroupDir(this.#prefix, name)}/payload/${file}`;
  }

  #rootOf(file: string): string | undefined {
    if (!/^[a-z0-9_]+(?:\.[a-zA-Z0-9_-]+)+$/.test(file)) return undefined;
    const controller = file.split('.', 1)[0] ?? '';
    return (this.#hierarchies.find((one) => one.controllers.includes(controller)) ?? this.#hierarchies.find((one) => one.unified))?.root;
  }

  /** Where to read whether a container is frozen. */
  freezerFile(name: string): string | undefined {
    const v1 = this.#hierarchies.some((one) => one.controllers.includes('freezer'));
    return this.path(name, v1 ? 'freezer.state' : 'cgroup.events');
  }

  /** What freezes and thaws it when it is written to. */
  freezerControl(name: string): string | undefined {
    const v1 = this.#hierarchies.some((one) => one.controllers.includes('freezer'));
    return this.path(name, v1 ? 'freezer.state' : 'cgroup.freeze');
  }

  /** From the content of `freezerFile`. */
  static isFrozen(content: string | undefined): boolean {
    return content !== undefined && (content.startsWith('FROZEN') || /^frozen 1$/m.test(content));
  }

  async values(name: string, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const known = files.map((file) => ({ file, path: this.path(name, file) })).filter((one) => one.path !== undefined);
    const texts = await this.#reads.read(known.map((one) => one.path ?? ''));
    const found = new Map<string, string>();
    for (const [i, { file }] of known.entries()) {
      const text = texts[i];
      if (text !== undefined) found.set(file, text.replace(/\n$/, ''));
    }
    return found;
  }

  /** Throws LXC_NOT_RUNNING, FEATURE_MISSING when this host has no such file, LXC_FAILED when the kernel refuses the value. */
  async write(name: string, file: string, value: string): Promise<void> {
    const path = this.path(name, file);
    try {
      // Never made: a file that is missing in a cgroup is a feature that is missing.
      await using handle = await open(path ?? '/dev/null/none', 'r+');
      await handle.write(value);
    } catch (cause) {
      const missing = isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR');
      if (missing && path !== undefined && !(await exists(dirname(path)))) {
        // It ended since it was looked at: not a file this kernel lacks.
        throw new AppError('LXC_NOT_RUNNING', { name, file }, { message: `Container "${name}" is not running any more.`, cause });
      }
      throw new AppError(
        missing ? 'FEATURE_MISSING' : 'LXC_FAILED',
        { name, file, value },
        { message: `"${file}" of container "${name}" could not be set to "${value}".`, cause },
      );
    }
  }

  /**
   * Asks the v1 freezer again, until the signal aborts, while it is still at it. What vfork(2)s just then is missed: the child is frozen,
   * and its parent goes to sleep until that is done, which it never is (cgroup-v1/freezer-subsystem.rst: "FREEZING"; seen with Linux 6.18).
   * Asked again, the freezer takes the parent as it sleeps. liblxc asks once, and then reads the state every second for ever.
   */
  async insistOnFreeze(name: string, signal: AbortSignal): Promise<void> {
    const path = this.path(name, 'freezer.state');
    if (path === undefined) return;
    for (;;) {
      await sleep(INSIST_MS, undefined, { ref: false });
      if (signal.aborted) return;
      try {
        await using handle = await open(path, 'r+');
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
        if (buffer.toString('latin1', 0, bytesRead).startsWith('FREEZING') && !signal.aborted) await handle.write('FROZEN', 0);
      } catch {
        // It ended; or there is no such freezer here, and that of cgroup v2 has no such trouble.
        return;
      }
    }
  }

  /** Ends a freeze from outside, for a container whose monitor does not. */
  async thaw(name: string): Promise<void> {
    const v1 = this.path(name, 'freezer.state');
    const v2 = this.#hierarchies.find((one) => one.unified);
    for (const [path, value] of [
      [v1?.endsWith('freezer.state') ? v1 : undefined, 'THAWED'],
      [v2 && join(v2.root, cgroupDir(this.#prefix, name), 'payload/cgroup.freeze'), '0'],
    ] as const) {
      if (path === undefined) continue;
      try {
        await using handle = await open(path, 'r+');
        await handle.write(value);
      } catch {
        // Not there: not frozen by it.
      }
    }
  }

  /**
   * Ends what is left in a container without a monitor. A monitor that was killed takes its init with it (PR_SET_PDEATHSIG), but not while
   * that is frozen: there SIGKILL waits for the thaw, and the groups stay busy for ever.
   */
  async endRest(name: string, isTaken: () => boolean): Promise<void> {
    const freezer = this.freezerFile(name);
    if (freezer !== undefined) await this.#end(name, [dirname(freezer)], isTaken);
  }

  /**
   * As `endRest`, of all its groups: a process that liblxc forks for a start has not asked to die with the monitor yet when that is killed
   * right then, and stays in the monitor's groups, with its command socket.
   */
  async endAll(name: string, isTaken: () => boolean): Promise<void> {
    const groups = this.#hierarchies.map(({ root }) => join(root, cgroupDir(this.#prefix, name)));
    await this.#end(
      name,
      groups.flatMap((group) => [group, join(group, 'monitor'), join(group, 'payload')]),
      isTaken,
    );
  }

  async #end(name: string, groups: readonly string[], isTaken: () => boolean): Promise<void> {
    const files = await this.#reads.read(groups.map((group) => join(group, 'cgroup.procs'))).catch(() => []);
    // 0 is a process of a foreign pid namespace, and to kill(2) the own process group.
    const pids = new Set(files.flatMap((text) => (text ?? '').split('\n').map(Number)).filter((pid) => pid > 0));
    // Asked after the reading: a monitor listens before anything of its container is in these groups.
    if (pids.size === 0 || isTaken()) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error;
      }
    }
    await this.thaw(name);
  }

  /** Names that have a directory in any hierarchy. */
  async names(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const { root } of this.#hierarchies) {
      for (const entry of await directories(join(root, cgroupParent(this.#prefix)))) found.add(entry);
    }
    return found;
  }

  /** Removes what a stopped container left. Processes that still end there are waited for; what stays is reported as LXC_FAILED. */
  async remove(name: string, patienceMs = 2000): Promise<void> {
    const left = await loadNative().removeCgroups(
      this.#hierarchies.map(({ root }) => join(root, cgroupDir(this.#prefix, name))),
      patienceMs,
    );
    if (left === undefined) return;
    throw new AppError(
      'LXC_FAILED',
      { name, left },
      { message: `The control groups of container "${name}" could not be removed: ${left}.` },
    );
  }

  /** Removes the directory above all instances, in every hierarchy where it is empty. */
  async removeParents(): Promise<void> {
    for (const { root } of this.#hierarchies) await rmdir(join(root, cgroupParent(this.#prefix))).catch(() => undefined);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function directories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
