// Containers that have a monitor, watched by two pidfds each: init's ("something happened, look") and the monitor's ("it is over").
//
//   adopted / started -> Starting --monitor answers--> Running --init ends--> Stopping --monitor ends--> gone
//                                                         ^------ new init (guest's reboot) ---'
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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
      const entry = this.#watch(name, listener.pid);
      if (!entry) return;
      entry.asking = this.#ask(entry);
    }
    const asking = this.#entries.get(name)?.asking;
    if (asking) await Promise.race([asking, sleep(patienceMs, undefined, { ref: false })]);
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
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name);
    entry.end();
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
