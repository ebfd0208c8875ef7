// A directory of manifests as a source: `*.yaml`, `*.yml`, `*.json`, recursively, without dot files and what `.lockstepignore` names.
// Reading tells the truth; watching only says when to read again, so a lost event costs time and nothing else.
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type FSWatcher, watch as watchFiles } from 'chokidar';
import { type Clock, systemClock } from '../core/clock.ts';
import { AppError, isErrno } from '../core/errors.ts';
import { MovedUnderneath, type ReadCache, walk, type WalkedFile } from './directory-walk.ts';
import { DEFAULT_LIMITS, type WalkLimits } from './manifest-file.ts';
import { revisionOf, Steadiness } from './revision.ts';
import type { Snapshot, Source, SourceFile } from './snapshot.ts';

export interface DirectoryOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<WalkLimits>;
  /** Default true. False: every reading may be the last one (tests, offline checks). */
  readonly remember?: boolean;
  /** How often the root's identity is looked at: chokidar loses a root that is removed and made again, or replaced. Default 5 s. */
  readonly rootCheckMs?: number;
}

/** Something that changes under every reading for this often in a row is given up until the next event. */
const TRIES = 5;
const RETRY_MS = 50;
/** Events come in bursts (a checkout, an editor's write and rename); one hint per burst. */
const QUIET_MS = 10;
const BURST_MS = 250;
const ROOT_CHECK_MS = 5000;
const ROOT_ANSWER_MS = 5000;

export class DirectorySource implements Source {
  readonly name: string;
  readonly location: string;
  readonly #clock: Clock;
  readonly #limits: WalkLimits;
  readonly #cache: ReadCache = new Map();
  readonly #remember: boolean;
  readonly #rootCheckMs: number;
  readonly #steadiness = new Steadiness();
  #watcher: FSWatcher | undefined;
  #rootTimer: NodeJS.Timeout | undefined;
  #hintTimer: NodeJS.Timeout | undefined;
  #burstBegan = 0;
  #rootIdentity: string | undefined;
  #asking: Promise<string | undefined> | undefined;
  #closed = false;

  /** `directory` is shown to people as given: pass an absolute path when the working directory may change. */
  constructor(name: string, directory: string, options: DirectoryOptions = {}) {
    this.name = name;
    this.location = directory;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#remember = options.remember ?? true;
    this.#rootCheckMs = options.rootCheckMs ?? ROOT_CHECK_MS;
  }

  async read(signal: AbortSignal): Promise<Snapshot> {
    const walked = await this.#walk(signal);
    const files: SourceFile[] = walked.map(({ path, text, error }) => {
      const shown = join(this.location, path);
      return error === undefined ? { path: shown, text } : { path: shown, text, error: `"${shown}" ${error}` };
    });
    const revision = revisionOf(files);
    const complete = files.every((file) => file.text !== undefined);
    return { source: this.name, revision, files, complete, since: this.#steadiness.since(revision, this.#clock.now()) };
  }

  async watch(changed: () => void): Promise<void> {
    this.#rootIdentity = await this.#identity().catch(() => undefined);
    await this.#startWatcher(changed);
    this.#rootTimer = setInterval(() => void this.#checkRoot(changed), this.#rootCheckMs);
    this.#rootTimer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#rootTimer);
    clearTimeout(this.#hintTimer);
    await this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #walk(signal: AbortSignal): Promise<WalkedFile[]> {
    for (let tries = 1; ; tries++) {
      const cache: ReadCache = this.#remember ? this.#cache : new Map();
      try {
        const before = await this.#identity();
        const walked = await walk(this.location, this.#limits, cache, signal);
        // A root that was replaced or unmounted half-way would give half of one and half of the other.
        if (before === (await this.#identity())) return walked;
      } catch (error) {
        if (signal.aborted) throw this.#cancelled(signal);
        if (!(error instanceof MovedUnderneath)) throw this.#unreadable(error);
      }
      if (tries === TRIES) throw this.#unreadable(new Error('it changed during every reading'));
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {
        throw this.#cancelled(signal);
      });
    }
  }

  /** Rejects when the file system does not answer: a network mount whose server is away. */
  async #identity(): Promise<string | undefined> {
    // One at a time: each that hangs keeps one of the few threads that all file access shares.
    this.#asking ??= stat(this.location, { bigint: true })
      .then(
        (info) => `${info.dev}:${info.ino}`,
        () => undefined,
      )
      .finally(() => (this.#asking = undefined));
    const enough = new AbortController();
    const late = this.#clock.sleep(ROOT_ANSWER_MS, enough.signal).then(
      () => Promise.reject(new Error(`its file system did not answer within ${ROOT_ANSWER_MS / 1000} s`)),
      () => undefined,
    );
    try {
      return await Promise.race([this.#asking, late]);
    } finally {
      enough.abort();
    }
  }

  async #startWatcher(changed: () => void): Promise<void> {
    const watcher = watchFiles(this.location, {
      ignoreInitial: true,
      followSymlinks: false,
      atomic: false,
      // Not every dot file: mounted configuration swaps a link called `..data`. But git's own files change all the time.
      ignored: (path) => basename(path) === '.git',
    });
    this.#watcher = watcher;
    watcher.on('all', () => this.#hint(changed));
    // Out of inotify watches (ENOSPC) or a directory that may not be read: reading tells, and the periodic resync still sees changes.
    watcher.on('error', () => this.#hint(changed));
    const { promise, resolve } = Promise.withResolvers<void>();
    watcher.once('ready', resolve);
    await promise;
  }

  #hint(changed: () => void): void {
    if (this.#closed) return;
    const now = this.#clock.monotonic();
    if (this.#hintTimer === undefined) this.#burstBegan = now;
    else if (now - this.#burstBegan > BURST_MS) return; // the pending one is due
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => {
      this.#hintTimer = undefined;
      changed();
    }, QUIET_MS);
  }

  async #checkRoot(changed: () => void): Promise<void> {
    const identity = await this.#identity().catch(() => this.#rootIdentity);
    if (this.#closed || identity === this.#rootIdentity) return;
    this.#rootIdentity = identity;
    const old = this.#watcher;
    if (identity !== undefined) await this.#startWatcher(changed);
    await old?.close();
    if (this.#closed) await this.#watcher?.close();
    this.#hint(changed);
  }

  #unreadable(cause: unknown): AppError {
    const detail = { source: this.name, directory: this.location };
    const why = isErrno(cause, 'ENOENT')
      ? 'does not exist'
      : isErrno(cause, 'ENOTDIR')
        ? 'is not a directory'
        : isErrno(cause, 'EACCES')
          ? 'may not be read'
          : 'cannot be read';
    const message = `The directory "${this.location}" of source "${this.name}" ${why}. Nothing is deleted because of that.`;
    return new AppError('SOURCE_UNREADABLE', detail, { message, cause });
  }

  #cancelled(signal: AbortSignal): AppError {
    const message = `Reading the source "${this.name}" was cancelled.`;
    return new AppError('CANCELLED', { source: this.name }, { message, cause: signal.reason });
  }
}
