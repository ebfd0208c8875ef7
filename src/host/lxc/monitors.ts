// Containers that have a monitor, watched by two pidfds each: init's ("something happened, look") and the monitor's ("it is over").
//
//   adopted / started -> Starting --monitor answers--> Running --init ends--> Stopping --monitor ends--> gone
//                                                         ^------ new init (guest's reboot) ---'
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../../core/errors.ts';
import { loadNative, type NativeProcess } from './binding.ts';
import { commandSocket } from './monitor-sockets.ts';
import { openProcess } from './open-process.ts';

export interface Monitored {
  readonly name: string;
  readonly monitorPid: number;
  readonly phase: 'Starting' | 'Running' | 'Stopping';
  readonly initPid: number | undefined;
}

/** Most monitors end this soon after their init: then nobody needs to be asked. */
const ENDS_MS = 50;

interface Entry {
  readonly name: string;
  readonly monitorPid: number;
  readonly monitor: NativeProcess;
  phase: Monitored['phase'];
  initPid: number | undefined;
  init: NativeProcess | undefined;
  gone: boolean;
  /** Asking the monitor, which can hang: at most one call at a time. */
  asking: Promise<void> | undefined;
  /** Its end was seen. */
  over: boolean;
  readonly ended: Promise<void>;
  readonly end: () => void;
}

export class Monitors {
  readonly #lxcpath: string;
  readonly #changed: (name: string, what: 'init' | 'monitor' | 'running') => void;
  readonly #entries = new Map<string, Entry>();
  /** Looking for the monitor behind a socket: one question per name, which can hang. */
  readonly #finding = new Map<string, Promise<void>>();
  #closed = false;

  constructor(lxcpath: string, changed: (name: string, what: 'init' | 'monitor' | 'running') => void) {
    this.#lxcpath = lxcpath;
    this.#changed = changed;
  }

  get(name: string): Monitored | undefined {
    return this.#entries.get(name);
  }

  names(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Resolves when the monitor that is known now is gone; at once when there is none. */
  ended(name: string): Promise<void> {
    return this.#entries.get(name)?.ended ?? Promise.resolve();
  }

  signalMonitor(name: string, number: number): void {
    const entry = this.#entries.get(name);
    if (entry && !entry.gone) entry.monitor.signal(number);
  }

  signalInit(name: string, number: number): void {
    const entry = this.#entries.get(name);
    if (entry?.init && entry.phase === 'Running') entry.init.signal(number);
  }

  /** Looks at both processes again, whether or not their events have come. */
  check(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    if (!entry.monitor.alive()) this.#monitorEnded(entry);
    else if (entry.init?.alive() === false) this.#initEnded(entry, entry.init);
  }

  /** A monitor seen listening. Resolves when its phase is known, at the latest after `patienceMs`: it then still says Starting. */
  async adopt(name: string, patienceMs: number): Promise<void> {
    if (!this.#entries.has(name)) {
      const listener = loadNative().listenerOf(`@${commandSocket(this.#lxcpath, name)}`);
      if (!listener || listener.pid <= 0 || this.#entries.has(name)) return;
      // Whose pid the socket tells is who called listen(2): the monitor itself, if it is the helper's. lxc-start listens, forks the monitor
      // and ends, and its pid is anybody's then.
      if (isMonitor(listener.pid, this.#lxcpath, name)) {
        const entry = this.#watch(name, listener.pid);
        if (!entry) return;
        entry.asking = this.#ask(entry);
      } else {
        let finding = this.#finding.get(name);
        if (finding === undefined) {
          finding = this.#find(name).finally(() => this.#finding.delete(name));
          this.#finding.set(name, finding);
        }
        await Promise.race([finding, sleep(patienceMs, undefined, { ref: false })]);
      }
    }
    const asking = this.#entries.get(name)?.asking;
    if (asking) await Promise.race([asking, sleep(patienceMs, undefined, { ref: false })]);
  }

  /** Somebody listens who is still alive: not what a monitor that was killed has left open in a child of its. */
  isListenedTo(name: string): boolean {
    const listener = loadNative().listenerOf(`@${commandSocket(this.#lxcpath, name)}`);
    const process = listener === undefined || listener.pid <= 0 ? undefined : openProcess(listener.pid);
    const alive = process?.alive() === true;
    process?.close();
    return alive;
  }

  /** Started by hand just now: its monitor has not answered yet. */
  isComing(name: string): boolean {
    return this.#finding.has(name) && this.isListenedTo(name);
  }

  /** False only when it surely has none: nothing of it is init of a pid namespace and has been executed. */
  mayHaveInit(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    try {
      const own = readlinkSync(`/proc/${entry.monitorPid}/exe`);
      const children = readFileSync(`/proc/${entry.monitorPid}/task/${entry.monitorPid}/children`, 'latin1');
      return children
        .split(' ')
        .filter(Boolean)
        .some((pid) => {
          const status = readFileSync(`/proc/${pid}/status`, 'latin1');
          if (/^State:\s+[ZX]/m.test(status) || !/^NSpid:\t\d+\t(?:\d+\t)*1$/m.test(status)) return false;
          return readlinkSync(`/proc/${pid}/exe`) !== own;
        });
    } catch {
      return entry.monitor.alive();
    }
  }

  /** A monitor of our own that said RUNNING. False when it is over already. */
  started(name: string, monitorPid: number, initPid: number): boolean {
    const known = this.#entries.get(name);
    const entry = known?.monitorPid === monitorPid ? known : this.#watch(name, monitorPid);
    if (!entry || entry.gone) return false;
    if (entry.phase !== 'Running' && !this.#attach(entry, initPid)) entry.asking ??= this.#ask(entry);
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) {
      entry.monitor.close();
      entry.init?.close();
    }
    this.#entries.clear();
  }

  /** The monitor that answers on the command socket is the parent of the init it tells. What does not answer is left by a dead one. */
  async #find(name: string): Promise<void> {
    const initPid = await this.#initOf(name).catch(() => undefined);
    const monitorPid = initPid === undefined ? undefined : parentOf(initPid);
    if (initPid === undefined || monitorPid === undefined || this.#closed || this.#entries.has(name)) return;
    const entry = this.#watch(name, monitorPid);
    if (entry && !this.#attach(entry, initPid)) entry.asking ??= this.#ask(entry);
  }

  async #initOf(name: string): Promise<number | undefined> {
    const container = await loadNative().openContainer(this.#lxcpath, name);
    try {
      return (await container.state()).initPid;
    } finally {
      container.close();
    }
  }

  #watch(name: string, monitorPid: number): Entry | undefined {
    const monitor = openProcess(monitorPid);
    if (monitor === undefined) return undefined; // Ended in between.
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const entry: Entry = {
      name,
      monitorPid,
      monitor,
      phase: 'Starting',
      initPid: undefined,
      init: undefined,
      gone: false,
      asking: undefined,
      over: false,
      ended,
      end: resolve,
    };
    const old = this.#entries.get(name);
    this.#entries.set(name, entry);
    if (old) this.#forget(old);
    monitor.onExit(() => this.#monitorEnded(entry));
    return entry;
  }

  #monitorEnded(entry: Entry): void {
    if (entry.over) return;
    entry.over = true;
    this.#forget(entry);
    entry.monitor.close();
    entry.end();
    // Of one that another has taken the place of, nothing is to be cleaned up.
    if (this.#entries.get(entry.name) !== entry) return;
    this.#entries.delete(entry.name);
    if (!this.#closed) this.#changed(entry.name, 'monitor');
  }

  #initEnded(entry: Entry, init: NativeProcess): void {
    if (entry.init !== init || entry.phase === 'Stopping') return;
    entry.phase = 'Stopping';
    entry.initPid = undefined;
    if (this.#closed) return;
    this.#changed(entry.name, 'init');
    // It is either the end or a reboot: the monitor's exit or a new init will tell.
    entry.asking ??= this.#ask(entry);
  }

  #forget(entry: Entry): void {
    entry.gone = true;
    entry.init?.close();
    entry.init = undefined;
    entry.initPid = undefined;
  }

  /** Watches init. False when it is not, or no longer, this monitor's. */
  #attach(entry: Entry, initPid: number): boolean {
    let init: NativeProcess | undefined;
    try {
      init = openProcess(initPid);
    } catch {
      // Not now: it is asked again.
    }
    if (init === undefined) return false;
    // The pidfd is open; if the pid now is the monitor's child, it was it all the time (a reused pid would have another parent).
    if (parentOf(initPid) !== entry.monitorPid || !init.alive() || entry.gone) {
      init.close();
      return false;
    }
    entry.init?.close();
    entry.init = init;
    entry.initPid = initPid;
    entry.phase = 'Running';
    init.onExit(() => this.#initEnded(entry, init));
    return true;
  }

  /** Until the monitor answers RUNNING with an init of its own, or ends. */
  async #ask(entry: Entry): Promise<void> {
    try {
      for (let attempt = 0; !entry.gone && !this.#closed; attempt++) {
        const firstMs = entry.phase === 'Stopping' ? ENDS_MS : 20;
        if (attempt > 0 || entry.phase === 'Stopping') await sleep(Math.min(firstMs * 2 ** attempt, 1000), undefined, { ref: false });
        // Asked only when there is something to be told: it has a living child.
        if (entry.gone || childrenOf(entry.monitorPid).length === 0) continue;
        const answer = await this.#stateOf(entry);
        if (entry.gone || !answer?.initPid || !['RUNNING', 'FROZEN', 'FREEZING', 'THAWED'].includes(answer.state)) continue;
        if (this.#attach(entry, answer.initPid)) {
          if (!this.#closed) this.#changed(entry.name, 'running');
          return;
        }
      }
    } finally {
      entry.asking = undefined;
    }
  }

  async #stateOf(entry: Entry): Promise<{ state: string; initPid: number | undefined } | undefined> {
    try {
      const container = await loadNative().openContainer(this.#lxcpath, entry.name);
      try {
        return await container.state();
      } finally {
        container.close();
      }
    } catch {
      // Its config does not parse or is gone. It runs all the same; its one child is its init.
      const [initPid] = childrenOf(entry.monitorPid);
      return { state: 'RUNNING', initPid };
    }
  }
}

/** By the title that liblxc and the helper give a monitor; or it is the helper's program, where a title cannot be set. */
function isMonitor(pid: number, lxcpath: string, name: string): boolean {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '') === `[lxc monitor] ${lxcpath} ${name}`) return true;
    return /^\/memfd:lockstep-helper|\/lockstep-helper(?: \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses can hold anything, so count from the last one: state, ppid.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
