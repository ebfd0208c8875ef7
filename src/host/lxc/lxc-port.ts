// Containers through liblxc: joins the files, the helper, the monitors and the control groups into the port the kinds are written
// against. A deadline or a lost reply never means "failed": the caller looks again.
import { mkdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Paths } from '../../core/paths.ts';
import { pathExists } from '../path-exists.ts';
import type { ExecProcess, ExecRequest, LxcPort, Plugged, StartReply } from '../ports/lxc.ts';
import { loadNative, type NativeContainer } from './binding.ts';
import { CgroupWatch } from './cgroup-watch.ts';
import { Cgroups } from './cgroups.ts';
import { execInContainer } from './exec.ts';
import {
  checkName,
  markStarted,
  removeContainer,
  removeExitRecord,
  sweepRemoved,
  writeContainer,
  writeDeviceNodes,
  writeStarted,
} from './files.ts';
import { Helper } from './helper.ts';
import { Listing } from './listing.ts';
import { haltSignals, untilListening } from './listening.ts';
import { commandSocket } from './monitor-sockets.ts';
import { Monitors } from './monitors.ts';
import { fromNative } from './native-failure.ts';
import { renameContainer } from './rename.ts';
import { plugDevice, unplugDevice } from './plug.ts';

/** A stop that takes longer is helped along: thaw and SIGKILL by pidfd, and at twice this time the monitor is killed. */
const STOP_MS = 5_000;
/** A start that an earlier daemon began and that is not up by then never will be. Those of our own have the deadline of their change. */
const START_MS = 60_000;
/** An init listens some milliseconds after its start. */
const LISTENING_MS = 1000;
/** What just ends keeps its groups busy for a moment; what keeps them longer is ended. */
const BUSY_MS = 500;
/** Each request to a monitor that does not answer holds a thread, and there are 64 for everything. */
const MAX_UNANSWERED = 4;
/** liblxc's log of one run; a guest that reboots for ever must not fill the disk. */
const MAX_LOG_BYTES = 1024 * 1024;

export interface LxcPortOptions {
  readonly paths: Paths;
  readonly prefix: string;
  readonly log: Log;
  /** Milliseconds a start found at the daemon's start may take. Default one minute. */
  readonly adoptedStartMs?: number;
}

export async function createLxcPort(options: LxcPortOptions): Promise<LxcPort & { close(): Promise<void> }> {
  await mkdir(options.paths.instances, { recursive: true, mode: 0o711 });
  await loadNative().spreadDirectories(options.paths.instances);
  const port = new NativeLxcPort(options, await Cgroups.open(options.prefix));
  await port.recover();
  return port;
}

class NativeLxcPort implements LxcPort {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #adoptedStartMs: number;
  readonly #cgroups: Cgroups;
  readonly #helper: Helper;
  readonly #monitors: Monitors;
  readonly #listing: Listing;
  readonly #starting = new Set<string>();
  readonly #listeners = new Set<(name: string) => void>();
  #watch: CgroupWatch | undefined;
  /** Clean-up after a monitor's end, which a start and a kill wait for. */
  readonly #cleanups = new Map<string, Promise<void>>();
  /** Requests to monitors that run, by container. One that hangs costs a thread of the addon for as long. */
  readonly #unanswered = new Map<string, number>();

  constructor(options: LxcPortOptions, cgroups: Cgroups) {
    this.#paths = options.paths;
    this.#log = options.log;
    this.#adoptedStartMs = options.adoptedStartMs ?? START_MS;
    this.#cgroups = cgroups;
    this.#helper = new Helper(options.log);
    this.#monitors = new Monitors(options.paths.instances, (name, what) => {
      // A guest's reboot makes its control groups anew, too.
      this.#watch?.forget(name);
      if (what === 'monitor' && !this.#starting.has(name)) void this.#cleanUp(name).catch(() => undefined);
      if (what === 'running') void this.#boundLog(name);
      this.#notify(name);
    });
    this.#listing = new Listing(options.paths.instances, this.#monitors, cgroups, this.#starting);
  }

  /** After a start of the daemon: adopts what runs, ends what a crash interrupted. */
  async recover(): Promise<void> {
    await sweepRemoved(this.#paths);
    await this.list();
    for (const name of await this.#cgroups.names()) {
      // What is busy belongs to somebody alive, who will remove it.
      if (this.#monitors.get(name) === undefined && !this.#hasListener(name)) await this.#cgroups.remove(name, 0).catch(() => undefined);
    }
    for (const name of this.#monitors.names()) {
      const found = this.#monitors.get(name);
      if (found?.phase !== 'Starting') continue;
      const end = (): void => {
        this.#endStuck(name, found.monitorPid).catch((error: unknown) =>
          this.#log.warn({ err: error, name }, 'a start could not be looked at'),
        );
      };
      setTimeout(end, this.#adoptedStartMs).unref();
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#cleanups.values());
    if (this.#starting.size === 0 && [...this.#monitors.names()].length === 0) await this.#cgroups.removeParents();
    this.#monitors.close();
    this.#helper.close();
  }

  async list(names?: readonly string[]): ReturnType<LxcPort['list']> {
    const listed = await this.#listing.read(names);
    for (const { name, power } of this.#watch === undefined ? [] : listed.values()) {
      if (power === 'Running' || power === 'Frozen') this.#watch?.watch(name, [this.#cgroups.freezerControl(name)]);
    }
    return listed;
  }

  async traces(names: readonly string[]): Promise<ReadonlySet<string>> {
    const directories = await Promise.all(names.map((name) => pathExists(this.#paths.instance(name))));
    return new Set(names.filter((name, at) => directories[at] === true || this.#hasListener(name)));
  }

  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onCgroupChange(listener: (name: string | undefined) => void): () => void {
    const watch = new CgroupWatch({
      changed: listener,
      lost: () => listener(undefined),
      failed: (error) => this.#log.warn({ error: error.message, hint: error.hint }, 'cgroups are not watched'),
    });
    this.#watch = watch;
    return () => {
      watch.close();
      if (this.#watch === watch) this.#watch = undefined;
    };
  }

  cgroupValues(name: string, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#monitors.get(name) !== undefined) {
      this.#watch?.watch(
        name,
        files.map((file) => this.#cgroups.path(name, file)),
      );
    }
    return this.#cgroups.values(name, files);
  }

  async setCgroup(name: string, file: string, value: string): Promise<void> {
    if (file.startsWith('devices.') && this.#cgroups.unifiedOnly) {
      await this.#withContainer(name, `"${file}" of container "${name}" could not be set`, (container) =>
        container.setCgroupItem(file, value),
      );
      return;
    }
    await this.#cgroups.write(name, file, value);
  }

  define(name: string, files: { readonly config: string; readonly record: string }): Promise<void> {
    return writeContainer(this.#paths, name, files);
  }

  setDeviceNodes(name: string, nodes: Parameters<LxcPort['setDeviceNodes']>[1]): Promise<void> {
    return writeDeviceNodes(this.#paths, name, nodes);
  }

  async rename(name: string, to: string): Promise<void> {
    checkName(name);
    if (this.#monitors.get(name) !== undefined || this.#starting.has(name) || this.#hasListener(name)) {
      throw new AppError('LXC_FAILED', { name }, { message: `Container "${name}" still runs, so it cannot be renamed.` });
    }
    await this.#cleanUp(name);
    await renameContainer(this.#paths, name, to);
    this.#notify(to);
  }

  async undefine(name: string): Promise<void> {
    checkName(name);
    if (this.#monitors.get(name) !== undefined || this.#starting.has(name) || this.#hasListener(name)) {
      throw new AppError('LXC_FAILED', { name }, { message: `Container "${name}" still runs, so it cannot be removed.` });
    }
    await this.#cleanUp(name);
    await removeContainer(this.#paths, name, Date.now());
  }

  async start(name: string, signal: AbortSignal): Promise<StartReply> {
    checkName(name);
    signal.throwIfAborted();
    const seen = await this.#look(name);
    if (seen?.phase === 'Running' && seen.initPid !== undefined) return { initPid: seen.initPid, monitorPid: seen.monitorPid };
    if (seen || this.#starting.has(name)) {
      const what = seen?.phase === 'Stopping' ? 'still stopping' : 'already starting';
      throw new AppError('LXC_START_FAILED', { name }, { message: `Container "${name}" is ${what}.` });
    }
    this.#starting.add(name);
    try {
      await this.#cleanUp(name);
      await markStarted(this.#paths, name);
      const directory = this.#paths.instance(name);
      const fields = [this.#paths.instances, name, join(directory, 'log'), join(directory, 'exit.json')];
      const { fields: pids } = await untilAborted(this.#helper.request('start', fields).reply, signal, `the start of container "${name}"`);
      const [initPid = 0, monitorPid = 0] = pids.map(Number);
      if (!this.#monitors.started(name, monitorPid, initPid)) {
        throw new AppError('LXC_START_FAILED', { name }, { message: `Container "${name}" started and ended at once.` });
      }
      return { initPid, monitorPid };
    } catch (error) {
      if (error instanceof AppError && error.code === 'LXC_START_FAILED') {
        await this.#cleanUp(name).catch(() => undefined);
        throw new AppError(error.code, { ...error.detail, name }, { message: `Container "${name}" did not start: ${error.message}` });
      }
      // Out of time, and not only given up by us: what is still starting would stand in the way of every later try.
      if (signal.aborted && signal.reason instanceof Error && signal.reason.name === 'TimeoutError') await this.#endStuck(name);
      throw error;
    } finally {
      this.#starting.delete(name);
      this.#notify(name);
    }
  }

  /**
   * Ends a monitor that is still starting. liblxc can wait without end when the process that was to become init is killed at the wrong
   * moment; init, if there is one, has asked to die with its monitor.
   */
  async #endStuck(name: string, monitorPid?: number): Promise<void> {
    await this.#monitors.adopt(name, 1000);
    const stuck = this.#monitors.get(name);
    // Another start than the one that was to be looked at.
    if (monitorPid !== undefined && stuck?.monitorPid !== monitorPid) return;
    // One that does not answer, but has an init, is no start that is stuck: somebody has stopped it, or we could not ask.
    if (stuck?.phase !== 'Starting' || this.#monitors.mayHaveInit(name)) return;
    this.#log.warn({ name, monitor: stuck.monitorPid }, 'a container does not come up; its monitor is ended');
    this.#monitors.signalMonitor(name, 9);
    await Promise.race([this.#monitors.ended(name), sleep(STOP_MS, undefined, { ref: false })]);
    await this.#cleanUp(name).catch(() => undefined);
  }

  async kill(name: string, signal: AbortSignal): Promise<void> {
    checkName(name);
    const before = Date.now();
    let asked: Promise<void> | undefined;
    for (;;) {
      signal.throwIfAborted();
      if (!(await this.#look(name))) break;
      const ended = this.#monitors.ended(name);
      const late = Date.now() - before;
      if (late > STOP_MS) {
        this.#log.warn({ name, lateMs: late }, 'a container does not stop; it is killed from outside');
        await this.#cgroups.thaw(name);
        this.#monitors.signalInit(name, 9);
        // A monitor that was stopped (SIGSTOP) would never see its init's end.
        this.#monitors.signalMonitor(name, late > 2 * STOP_MS ? 9 : 18);
      } else {
        // Not awaited: the monitor's end is what counts, and the call itself can hang with it.
        asked ??= this.#stop(name).finally(() => {
          asked = undefined;
        });
      }
      await untilAborted(Promise.race([ended, sleep(late > STOP_MS ? 1000 : STOP_MS / 4)]), signal, `the stop of container "${name}"`);
    }
    await this.#cleanUp(name);
  }

  async shutdown(name: string): Promise<void> {
    const { initPid } = await this.#needRunning(name);
    const config = await readFile(join(this.#paths.instance(name), 'config'), 'utf8').catch(() => '');
    await untilListening(initPid, haltSignals(config), LISTENING_MS);
    await this.#withContainer(name, `Container "${name}" could not be told to shut down`, (container) => container.shutdown());
  }

  async reboot(name: string): Promise<void> {
    await this.#needRunning(name);
    await this.#withContainer(name, `Container "${name}" could not be told to reboot`, (container) => container.reboot());
  }

  async forgetExit(name: string): Promise<void> {
    checkName(name);
    // The monitor writes the record right before it ends.
    await this.#cleanups.get(name);
    await removeExitRecord(this.#paths, name);
  }

  async freeze(name: string, signal: AbortSignal): Promise<void> {
    await this.#needRunning(name);
    const what = `Container "${name}" could not be frozen`;
    const ended = new AbortController();
    void this.#cgroups.insistOnFreeze(name, AbortSignal.any([signal, ended.signal]));
    await untilAborted(
      this.#withContainer(name, what, (container) => container.freeze()).finally(() => ended.abort()),
      signal,
      `freezing container "${name}"`,
    );
    this.#notify(name);
  }

  async unfreeze(name: string, signal: AbortSignal): Promise<void> {
    await this.#needRunning(name);
    const what = `Container "${name}" could not be thawed`;
    await untilAborted(
      this.#withContainer(name, what, (container) => container.unfreeze()),
      signal,
      `thawing container "${name}"`,
    );
    // liblxc thaws by the means it froze with; somebody else may have used the other hierarchy's freezer.
    await this.#cgroups.thaw(name);
    this.#notify(name);
  }

  async plug(name: string, device: Plugged, signal: AbortSignal): Promise<void> {
    const { initPid, monitorPid } = await this.#needRunning(name);
    const stillRuns = (): boolean => this.#monitors.get(name)?.initPid === initPid;
    await plugDevice(this.#helper, { name, initPid, monitorPid }, device, stillRuns, signal);
  }

  async unplug(name: string, device: Plugged, signal: AbortSignal): Promise<void> {
    await unplugDevice(this.#helper, { name, ...(await this.#needRunning(name)) }, device, signal);
  }

  markPlugged(name: string, started: string): Promise<void> {
    return writeStarted(this.#paths, name, started);
  }

  async exec(name: string, request: ExecRequest): Promise<ExecProcess> {
    await this.#needRunning(name);
    const [frozen] = await loadNative().readMany([this.#cgroups.freezerFile(name) ?? '/dev/null']);
    if (Cgroups.isFrozen(frozen)) {
      throw new AppError('LXC_NOT_RUNNING', { name }, { message: `Container "${name}" is frozen, so no command can run in it.` });
    }
    return execInContainer(this.#helper, this.#paths.instances, name, request);
  }

  async writeInRootfs(rootfs: string, files: Parameters<LxcPort['writeInRootfs']>[1]): Promise<void> {
    const fields = [rootfs];
    for (const file of files) fields.push(file.path, file.mode.toString(8), file.content);
    if ([rootfs, ...files.map((file) => file.path)].some((path) => !path.startsWith('/') || path.includes('\0'))) {
      throw new AppError('VALUE_INVALID', { rootfs }, { message: `A path to write below ${rootfs} is not absolute.` });
    }
    await this.#helper.request('write', fields).reply;
  }

  async interfaces(name: string): ReturnType<LxcPort['interfaces']> {
    const { initPid } = await this.#needRunning(name);
    try {
      return await loadNative().interfacesOf(initPid);
    } catch (error) {
      throw fromNative(error, 'LXC_FAILED', `The interfaces of container "${name}" could not be read`, { name });
    }
  }

  #notify(name: string): void {
    for (const listener of this.#listeners) {
      try {
        listener(name);
      } catch (error) {
        this.#log.error({ err: error, name }, 'a listener for container changes failed');
      }
    }
  }

  #hasListener(name: string): boolean {
    return loadNative().listenerOf(`@${commandSocket(this.#paths.instances, name)}`) !== undefined;
  }

  /** The container's monitor, also when it was started by somebody else. */
  async #look(name: string): Promise<ReturnType<Monitors['get']>> {
    if (this.#monitors.get(name) === undefined && !this.#starting.has(name)) await this.#monitors.adopt(name, 1000);
    return this.#monitors.get(name);
  }

  async #needRunning(name: string): Promise<{ initPid: number; monitorPid: number }> {
    checkName(name);
    const seen = await this.#look(name);
    if (seen?.phase === 'Running' && seen.initPid !== undefined) return { initPid: seen.initPid, monitorPid: seen.monitorPid };
    throw new AppError('LXC_NOT_RUNNING', { name }, { message: `Container "${name}" is not running.` });
  }

  async #withContainer<T>(name: string, what: string, use: (container: NativeContainer) => Promise<T>): Promise<T> {
    const waiting = this.#unanswered.get(name) ?? 0;
    if (waiting >= MAX_UNANSWERED) {
      throw new AppError('LXC_FAILED', { name, waiting }, { message: `${what}: earlier requests to its monitor are still not answered.` });
    }
    this.#unanswered.set(name, waiting + 1);
    try {
      const container = await loadNative().openContainer(this.#paths.instances, name);
      try {
        return await use(container);
      } finally {
        container.close();
      }
    } catch (error) {
      throw fromNative(error, 'LXC_FAILED', what, { name });
    } finally {
      const left = (this.#unanswered.get(name) ?? 1) - 1;
      if (left === 0) this.#unanswered.delete(name);
      else this.#unanswered.set(name, left);
    }
  }

  async #stop(name: string): Promise<void> {
    try {
      await this.#withContainer(name, `Container "${name}" could not be stopped`, (container) => container.stop());
    } catch (error) {
      // Its config may be gone or broken; init ends all the same.
      this.#log.debug({ err: error, name }, 'liblxc did not stop a container');
      await this.#cgroups.thaw(name);
      this.#monitors.signalInit(name, 9);
    }
  }

  /** Removes the control groups of a container without a monitor. One at a time per container. */
  async #cleanUp(name: string): Promise<void> {
    const running = this.#cleanups.get(name);
    if (running) return running;
    const work = this.#removeGroups(name).finally(() => this.#cleanups.delete(name));
    this.#cleanups.set(name, work);
    return work;
  }

  async #removeGroups(name: string): Promise<void> {
    // Somebody may have started it by hand since.
    await this.#monitors.adopt(name, 1000);
    // Open without an owner, and nobody answers: what a monitor that was killed has left.
    const isLeft = this.#hasListener(name) && !this.#monitors.isListenedTo(name);
    const isTaken = (): boolean =>
      this.#monitors.get(name) !== undefined || (isLeft ? this.#monitors.isListenedTo(name) : this.#hasListener(name));
    if (isTaken()) return;
    await this.#cgroups.endRest(name, isTaken);
    try {
      await this.#cgroups.remove(name, BUSY_MS);
    } catch {
      if (isTaken()) return;
      await this.#cgroups.endAll(name, isTaken);
      await this.#cgroups.remove(name);
    }
  }

  async #boundLog(name: string): Promise<void> {
    const log = join(this.#paths.instance(name), 'log');
    // liblxc appends, so cutting the file under it is safe.
    const size = await stat(log).then(
      (found) => found.size,
      () => 0,
    );
    if (size > MAX_LOG_BYTES) await truncate(log, 0).catch(() => undefined);
  }
}

/** The work goes on when the signal aborts; only the waiting ends. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    const reason: unknown = signal.reason;
    reject(
      reason instanceof AppError ? reason : new AppError('CANCELLED', {}, { message: `The wait for ${what} was given up.`, cause: reason }),
    );
  };
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    aborted.catch(() => undefined);
  }
}
