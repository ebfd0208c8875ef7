// A container port in memory that models facts: directories with files, device nodes, monitors and inits, control groups, root file
// systems. It knows nothing of specs; what a container's config says about control groups is in force from its start on, as with liblxc.
// Tests change facts behind the port's back (crash, poweroff, a changed cgroup) or make any of its calls fail or hang.
import { PassThrough } from 'node:stream';
import { AppError } from '../../src/core/errors.ts';
import { checkConfig, checkName } from '../../src/host/lxc/files.ts';
import type {
  ContainerReading,
  DeviceNode,
  ExecProcess,
  ExecRequest,
  ExitRecord,
  InterfaceReading,
  LxcPort,
  Plugged,
  RootfsFile,
  StartReply,
} from '../../src/host/ports/lxc.ts';
import { MemoryDevices } from './memory-devices.ts';
import type { MemoryNetwork } from './memory-network.ts';

/** What a call does instead of its work. `unreadable`: HOST_UNREADABLE, as a listing that is not complete. */
export type LxcFault = AppError | 'fail' | 'hang' | 'unreadable';

type Method = keyof LxcPort;

interface MemoryDirectory {
  config?: string;
  record?: string;
  started?: string;
  exit?: ExitRecord;
  readonly devices: Map<string, DeviceNode>;
}

interface MemoryMonitor {
  readonly monitorPid: number;
  initPid: number | undefined;
  frozen: boolean;
  cgroup: Map<string, string>;
  devices: MemoryDevices;
}

/** What the kernel puts in a fresh control group; the names of v1 and v2 side by side. */
const FRESH_CGROUP: Readonly<Record<string, string>> = {
  'memory.max': 'max',
  'memory.high': 'max',
  'memory.low': '0',
  'memory.swap.max': 'max',
  'memory.limit_in_bytes': '9223372036854771712',
  'memory.soft_limit_in_bytes': '9223372036854771712',
  'memory.memsw.limit_in_bytes': '9223372036854771712',
  'memory.swappiness': '60',
  'pids.max': 'max',
  'cpu.max': 'max 100000',
  'cpu.weight': '100',
  'cpu.shares': '1024',
  'cpu.cfs_quota_us': '-1',
  'cpu.cfs_period_us': '100000',
  'cpuset.cpus': '0-3',
};

export class MemoryLxc implements LxcPort {
  readonly facts = {
    /** By LXC name: what is below instances/. */
    directories: new Map<string, MemoryDirectory>(),
    /** By LXC name: containers that run. */
    monitors: new Map<string, MemoryMonitor>(),
    /** By root file system, then path. */
    rootfs: new Map<string, Map<string, RootfsFile>>(),
    interfaces: new Map<string, readonly InterfaceReading[]>(),
  };
  readonly faults = new Map<Method, LxcFault>();
  /** Starts that fail, by name, with liblxc's reason. */
  readonly failingStarts = new Map<string, string>();
  /** All calls so far, oldest first. */
  readonly calls: { readonly method: Method; readonly name: string | undefined }[] = [];
  /** Guests that ignore a shutdown request. */
  readonly stubborn = new Set<string>();
  /** What a command prints and ends with. */
  onExec: (name: string, request: ExecRequest) => { readonly output: string; readonly code: number } = () => ({ output: '', code: 0 });
  readonly #listeners = new Set<(name: string) => void>();
  readonly #now: () => number;
  /** Where the host sides of its veths are. */
  readonly #network: MemoryNetwork | undefined;
  #nextPid = 1000;

  constructor(now: () => number = () => Date.now(), network?: MemoryNetwork) {
    this.#now = now;
    this.#network = network;
  }

  // --- what a test does behind the port's back ---

  /** Init dies by a signal (default SIGKILL). */
  crash(name: string, signal = 9): void {
    this.#end(name, { at: this.#now(), signal });
  }

  /** A clean end from inside: the kernel reports reboot(2) as SIGINT. */
  poweroff(name: string): void {
    this.#end(name, { at: this.#now(), signal: 2 });
  }

  /** A reboot from inside: a new init under the same monitor, which reads the config again and marks with what it starts. */
  guestReboot(name: string): void {
    const monitor = this.#running(name);
    const directory = this.#defined(name);
    monitor.devices.end();
    monitor.initPid = this.#nextPid++;
    Object.assign(monitor, this.#fresh(directory));
    if (directory.record !== undefined) directory.started = directory.record;
    this.#notify(name);
  }

  /** The host restarts: everything that ran is gone without an exit record. */
  hostReboot(): void {
    const names = [...this.facts.monitors.keys()];
    for (const { devices } of this.facts.monitors.values()) devices.end();
    this.facts.monitors.clear();
    for (const name of names) this.#notify(name);
  }

  /** Somebody writes to a control file. */
  changeCgroup(name: string, file: string, value: string): void {
    this.#running(name).cgroup.set(file, value);
  }

  // --- the port ---

  async list(only?: readonly string[]): Promise<ReadonlyMap<string, ContainerReading>> {
    await this.#called('list');
    const all = new Set([...this.facts.directories.keys(), ...this.facts.monitors.keys()]);
    const names = only === undefined ? all : only.filter((name) => all.has(name));
    const readings = new Map<string, ContainerReading>();
    for (const name of names) {
      const directory = this.facts.directories.get(name);
      const monitor = this.facts.monitors.get(name);
      readings.set(name, {
        name,
        config: directory?.config,
        record: directory?.record,
        started: directory?.started,
        exit: directory?.exit,
        power: monitor === undefined ? 'Stopped' : monitor.initPid === undefined ? 'Stopping' : monitor.frozen ? 'Frozen' : 'Running',
        initPid: monitor?.initPid,
        monitorPid: monitor?.monitorPid,
      });
    }
    return readings;
  }

  async traces(names: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#called('traces');
    return new Set(names.filter((name) => this.facts.directories.has(name) || this.facts.monitors.has(name)));
  }

  async cgroupValues(name: string, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
    await this.#called('cgroupValues', name);
    const cgroup = this.facts.monitors.get(name)?.cgroup;
    const found = new Map<string, string>();
    for (const file of files) {
      const value = cgroup?.get(file);
      if (value !== undefined) found.set(file, value);
    }
    return found;
  }

  async define(name: string, files: { readonly config: string; readonly record: string }): Promise<void> {
    await this.#called('define', name);
    checkName(name);
    checkConfig(name, files.config);
    const directory = this.facts.directories.get(name) ?? { devices: new Map<string, DeviceNode>() };
    this.facts.directories.set(name, Object.assign(directory, files));
  }

  async setDeviceNodes(name: string, nodes: readonly DeviceNode[]): Promise<void> {
    await this.#called('setDeviceNodes', name);
    const { devices } = this.#defined(name);
    devices.clear();
    for (const node of nodes) devices.set(node.file, node);
  }

  async undefine(name: string): Promise<void> {
    await this.#called('undefine', name);
    if (this.facts.monitors.has(name)) {
      throw new AppError('LXC_FAILED', { name }, { message: `Container "${name}" still runs, so it cannot be removed.` });
    }
    this.facts.directories.delete(name);
  }

  async rename(name: string, to: string): Promise<void> {
    await this.#called('rename', name);
    checkName(to);
    if (this.facts.monitors.has(name)) throw new AppError('LXC_FAILED', { name }, { message: `Container "${name}" still runs.` });
    const directory = this.facts.directories.get(name);
    if (directory === undefined && this.facts.directories.has(to)) return;
    if (directory === undefined || this.facts.directories.has(to)) throw new AppError('FILE_FAILED', { name, to });
    this.facts.directories.delete(name);
    this.facts.directories.set(to, directory);
    this.#notify(to);
  }

  async start(name: string, signal: AbortSignal): Promise<StartReply> {
    await this.#called('start', name, signal);
    const running = this.facts.monitors.get(name);
    if (running?.initPid !== undefined) return { initPid: running.initPid, monitorPid: running.monitorPid };
    const directory = this.#defined(name);
    if (directory.config === undefined || directory.record === undefined) {
      throw new AppError('NOT_FOUND', { name }, { message: `There is no container "${name}".` });
    }
    directory.started = directory.record;
    delete directory.exit;
    const reason = this.failingStarts.get(name);
    if (reason !== undefined) {
      throw new AppError('LXC_START_FAILED', { name }, { message: `Container "${name}" did not start: ${reason}.` });
    }
    const monitor = {
      monitorPid: this.#nextPid++,
      initPid: this.#nextPid++,
      frozen: false,
      ...this.#fresh(directory),
    };
    this.facts.monitors.set(name, monitor);
    this.#notify(name);
    return { initPid: monitor.initPid, monitorPid: monitor.monitorPid };
  }

  async kill(name: string, signal: AbortSignal): Promise<void> {
    await this.#called('kill', name, signal);
    if (this.facts.monitors.has(name)) this.crash(name);
  }

  async shutdown(name: string): Promise<void> {
    await this.#called('shutdown', name);
    this.#running(name);
    if (!this.stubborn.has(name)) this.poweroff(name);
  }

  async reboot(name: string): Promise<void> {
    await this.#called('reboot', name);
    this.guestReboot(name);
  }

  async forgetExit(name: string): Promise<void> {
    await this.#called('forgetExit', name);
    delete this.facts.directories.get(name)?.exit;
  }

  async freeze(name: string, signal: AbortSignal): Promise<void> {
    await this.#called('freeze', name, signal);
    this.#running(name).frozen = true;
    this.#notify(name);
  }

  async unfreeze(name: string, signal: AbortSignal): Promise<void> {
    await this.#called('unfreeze', name, signal);
    this.#running(name).frozen = false;
    this.#notify(name);
  }

  async setCgroup(name: string, file: string, value: string): Promise<void> {
    await this.#called('setCgroup', name);
    const { cgroup } = this.#running(name);
    if (!cgroup.has(file)) {
      throw new AppError(
        'FEATURE_MISSING',
        { name, file },
        { message: `"${file}" of container "${name}" could not be set to "${value}".` },
      );
    }
    cgroup.set(file, value);
  }

  async plug(name: string, device: Plugged, signal: AbortSignal): Promise<void> {
    await this.#called('plug', name, signal);
    this.#running(name).devices.plug(device);
  }

  async unplug(name: string, device: Plugged, signal: AbortSignal): Promise<void> {
    await this.#called('unplug', name, signal);
    this.#running(name).devices.unplug(device);
  }

  async markPlugged(name: string, started: string): Promise<void> {
    await this.#called('markPlugged', name);
    this.#defined(name).started = started;
  }

  async exec(name: string, request: ExecRequest): Promise<ExecProcess> {
    await this.#called('exec', name);
    if (this.#running(name).frozen) {
      throw new AppError('LXC_NOT_RUNNING', { name }, { message: `Container "${name}" is frozen, so no command can run in it.` });
    }
    const { output, code } = this.onExec(name, request);
    const stdout = new PassThrough();
    stdout.end(output);
    const stderr = new PassThrough();
    stderr.end();
    return {
      stdin: new PassThrough().resume(),
      stdout,
      stderr: request.terminal ? undefined : stderr,
      resize: () => undefined,
      signal: () => undefined,
      exited: Promise.resolve(code),
    };
  }

  async writeInRootfs(rootfs: string, files: readonly RootfsFile[]): Promise<void> {
    await this.#called('writeInRootfs', rootfs);
    const tree = this.facts.rootfs.get(rootfs) ?? new Map<string, RootfsFile>();
    this.facts.rootfs.set(rootfs, tree);
    for (const file of files) tree.set(file.path, file);
  }

  async interfaces(name: string): Promise<readonly InterfaceReading[]> {
    await this.#called('interfaces', name);
    this.#running(name);
    return this.facts.interfaces.get(name) ?? [];
  }

  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onCgroupChange(): () => void {
    return () => {};
  }

  async #called(method: Method, name?: string, signal?: AbortSignal): Promise<void> {
    this.calls.push({ method, name });
    signal?.throwIfAborted();
    const fault = this.faults.get(method);
    if (fault === undefined) return;
    if (fault === 'unreadable') throw new AppError('HOST_UNREADABLE', { name }, { message: 'The containers could not be listed.' });
    if (fault === 'fail') throw new AppError('LXC_FAILED', { name }, { message: `liblxc refused ${method} of "${name ?? ''}".` });
    if (fault !== 'hang') throw fault;
    await new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        reject(signal.reason instanceof Error ? signal.reason : new AppError('CANCELLED'));
      });
    });
  }

  #defined(name: string): MemoryDirectory {
    const directory = this.facts.directories.get(name);
    if (!directory) throw new AppError('NOT_FOUND', { name }, { message: `There is no container "${name}".` });
    return directory;
  }

  /** What the kernel and liblxc give a container at its start. */
  #fresh({ config = '' }: MemoryDirectory): Pick<MemoryMonitor, 'cgroup' | 'devices'> {
    const cgroup = new Map([...Object.entries(FRESH_CGROUP), ...configuredCgroup(config)]);
    return { cgroup, devices: new MemoryDevices(config, this.#network) };
  }

  #running(name: string): MemoryMonitor {
    const monitor = this.facts.monitors.get(name);
    if (!monitor || monitor.initPid === undefined) {
      throw new AppError('LXC_NOT_RUNNING', { name }, { message: `Container "${name}" is not running.` });
    }
    return monitor;
  }

  #end(name: string, exit: ExitRecord): void {
    const monitor = this.facts.monitors.get(name);
    if (monitor === undefined) return;
    this.facts.monitors.delete(name);
    monitor.devices.end();
    const directory = this.facts.directories.get(name);
    if (directory) directory.exit = exit;
    this.#notify(name);
  }

  /** Not at once: the real port's events come from the event loop, too. */
  #notify(name: string): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        listener(name);
      });
    }
  }
}

/** `lxc.cgroup2.FILE = VALUE` and `lxc.cgroup.FILE = VALUE` lines. */
function configuredCgroup(config: string): [string, string][] {
  const found: [string, string][] = [];
  for (const line of config.split('\n')) {
    const match = /^\s*lxc\.cgroup2?\.((?!dir\b|relative\b|pattern\b)[a-z0-9_.]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (match) found.push([match[1] ?? '', match[2] ?? '']);
  }
  return found;
}
