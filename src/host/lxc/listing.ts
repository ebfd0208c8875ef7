// One complete listing of the containers below the LXC path: directories, their small files (content cached by inode, size and times, so
// that a thousand unchanged ones cost a stat each), monitors, freezer. Anything that cannot be read fails the whole listing: a container
// that is missing from it is really not there.
import { readdir, readFile } from 'node:fs/promises';
import { AppError } from '../../core/errors.ts';
import type { ContainerReading, ExitRecord, PowerState } from '../ports/lxc.ts';
import { loadNative } from './binding.ts';
import { Cgroups } from './cgroups.ts';
import { monitoredNames, parseListeners } from './monitor-sockets.ts';
import type { Monitored, Monitors } from './monitors.ts';

const FILES = ['config', 'instance.json', 'started.json', 'exit.json'] as const;

/** How long a listing waits for monitors it sees for the first time; then they are `Starting`. */
const PATIENCE_MS = 1000;

interface CachedFile {
  readonly stamp: string;
  readonly text: string;
}

export class Listing {
  readonly #instances: string;
  readonly #monitors: Monitors;
  readonly #cgroups: Cgroups;
  /** Starts under way, which may not have a monitor to be seen yet. */
  readonly #starting: ReadonlySet<string>;
  #files = new Map<string, CachedFile>();
  readonly #last = new Map<string, ContainerReading>();

  constructor(instances: string, monitors: Monitors, cgroups: Cgroups, starting: ReadonlySet<string>) {
    this.#instances = instances;
    this.#monitors = monitors;
    this.#cgroups = cgroups;
    this.#starting = starting;
  }

  /** `only`: of these; one that is then missing is not there. */
  async read(only?: readonly string[]): Promise<ReadonlyMap<string, ContainerReading>> {
    try {
      return await this.#read(only);
    } catch (cause) {
      throw new AppError(
        'HOST_UNREADABLE',
        { path: this.#instances },
        { message: `The containers below ${this.#instances} could not be listed.`, cause },
      );
    }
  }

  async #read(only: readonly string[] | undefined): Promise<ReadonlyMap<string, ContainerReading>> {
    const names = only === undefined ? await this.#directories() : await this.#present(only);
    const monitored = [...(only ?? this.#monitors.names())].filter((name) => this.#monitors.get(name) !== undefined);
    for (const name of monitored) this.#monitors.check(name);
    const texts = await this.#readFiles(names, only === undefined);
    await this.#adopt(only ?? [...names], only === undefined);
    // Also those whose directory is gone.
    for (const name of only ?? this.#monitors.names()) if (this.#monitors.get(name) !== undefined) names.add(name);

    // A monitor that ended since its files were read has left its exit record by now.
    const ended = monitored.filter((name) => names.has(name) && this.#monitors.get(name) === undefined);
    const exits = new Map(await Promise.all(ended.map(async (name) => [name, await this.#readExit(name)] as const)));

    const running = [...names].filter((name) => this.#monitors.get(name)?.phase === 'Running');
    const freezers = await loadNative().readMany(running.map((name) => this.#cgroups.freezerFile(name) ?? '/dev/null'));
    const frozen = new Set(running.filter((_, i) => Cgroups.isFrozen(freezers[i])));

    const readings = new Map<string, ContainerReading>();
    for (const name of names) {
      const seen = this.#monitors.get(name);
      const [config, record, started, exit] = FILES.map((file) => texts.get(`${name}/${file}`)?.text);
      const reading: ContainerReading = {
        name,
        config,
        record,
        started,
        exit: parseExit(exits.has(name) ? exits.get(name) : exit),
        power: this.#power(name, seen, frozen),
        initPid: seen?.initPid,
        monitorPid: seen?.monitorPid,
      };
      readings.set(name, this.#asBefore(reading));
    }
    for (const name of only ?? this.#last.keys()) if (!readings.has(name)) this.#last.delete(name);
    return readings;
  }

  /** The object of the last listing when nothing has changed. */
  #asBefore(reading: ContainerReading): ContainerReading {
    const last = this.#last.get(reading.name);
    if (last !== undefined && isSame(last, reading)) return last;
    this.#last.set(reading.name, reading);
    return reading;
  }

  async #directories(): Promise<Set<string>> {
    const names = new Set<string>();
    for (const entry of await readdir(this.#instances, { withFileTypes: true })) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) names.add(entry.name);
    }
    return names;
  }

  /** Those that have a directory. Where there is no directory of all of them, nothing can be said of any. */
  async #present(names: readonly string[]): Promise<Set<string>> {
    const [all, ...each] = await loadNative().statMany([this.#instances, ...names.map((name) => `${this.#instances}/${name}`)]);
    if (all === undefined) throw new Error(`"${this.#instances}" is not there`);
    return new Set(names.filter((_, at) => each[at] !== undefined));
  }

  /** Takes up monitors that run and are not known: started by another daemon, or by hand. `all`: also those without a directory. */
  async #adopt(names: readonly string[], all: boolean): Promise<void> {
    // Each is asked (10 us): the table of all sockets is read in parts, and one that closes in between hides another one's line.
    const unknown = new Set(names);
    if (all)
      for (const name of monitoredNames(this.#instances, parseListeners(await readFile('/proc/net/unix', 'utf8')), names))
        unknown.add(name);
    await Promise.all(
      [...unknown].filter((name) => this.#monitors.get(name) === undefined).map((name) => this.#monitors.adopt(name, PATIENCE_MS)),
    );
  }

  async #readExit(name: string): Promise<string | undefined> {
    const [text] = await loadNative().readMany([`${this.#instances}/${name}/exit.json`]);
    return text;
  }

  #power(name: string, monitored: Monitored | undefined, frozen: ReadonlySet<string>): PowerState {
    if (!monitored) return this.#starting.has(name) || this.#monitors.isComing(name) ? 'Starting' : 'Stopped';
    if (monitored.phase !== 'Running') return monitored.phase;
    return frozen.has(name) ? 'Frozen' : 'Running';
  }

  /** `all`: what is not among the names is gone. */
  async #readFiles(names: ReadonlySet<string>, all: boolean): Promise<ReadonlyMap<string, CachedFile>> {
    const keys: string[] = [];
    for (const name of names) for (const file of FILES) keys.push(`${name}/${file}`);
    const native = loadNative();
    const stamps = await native.statMany(keys.map((key) => `${this.#instances}/${key}`));
    const current = new Map<string, CachedFile>();
    const stale: { key: string; stamp: string }[] = [];
    for (const [i, key] of keys.entries()) {
      const stamp = stamps[i];
      if (stamp === undefined) continue;
      const known = this.#files.get(key);
      if (known?.stamp === stamp) current.set(key, known);
      else stale.push({ key, stamp });
    }
    const read = await native.readMany(stale.map(({ key }) => `${this.#instances}/${key}`));
    for (const [i, { key, stamp }] of stale.entries()) {
      const text = read[i];
      if (text !== undefined) current.set(key, { stamp, text });
    }
    for (const name of names) shareText(current, `${name}/instance.json`, `${name}/started.json`);
    if (all) {
      this.#files = current;
      return current;
    }
    for (const key of keys) {
      const file = current.get(key);
      if (file === undefined) this.#files.delete(key);
      else this.#files.set(key, file);
    }
    return current;
  }
}

/** What was started is nearly always what is declared: one text in memory for both. */
function shareText(files: Map<string, CachedFile>, record: string, started: string): void {
  const { text } = files.get(record) ?? {};
  const copy = files.get(started);
  if (text !== undefined && copy?.text === text) files.set(started, { stamp: copy.stamp, text });
}

function isSame(a: ContainerReading, b: ContainerReading): boolean {
  const files = a.config === b.config && a.record === b.record && a.started === b.started;
  const exit = a.exit?.at === b.exit?.at && a.exit?.code === b.exit?.code && a.exit?.signal === b.exit?.signal;
  return files && exit && a.power === b.power && a.initPid === b.initPid && a.monitorPid === b.monitorPid;
}

/** The monitor writes it whole or not at all; anything else was not written by it. */
function parseExit(text: string | undefined): ExitRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as { at?: unknown; code?: unknown; signal?: unknown };
    if (typeof value.at !== 'number') return undefined;
    return {
      at: value.at,
      ...(typeof value.code === 'number' ? { code: value.code } : {}),
      ...(typeof value.signal === 'number' ? { signal: value.signal } : {}),
    };
  } catch {
    return undefined;
  }
}
