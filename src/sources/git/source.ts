// A git repository as a source. Looking at the remote happens in the background; reading gives the last good commit and never waits for a
// network (except, for a moment, the very first time):
//
//   poll, webhook, sync ──> list the remote's refs ──> moved? fetch ──> descends from the last good one? ──> signed? ──> manifests
//                                                                                     └── no to any: the last good commit stays, with an error
//
// The last good commit is remembered across restarts, so that a host keeps its manifests while the remote is away.
import { join } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.ts';
import { AppError, errorAdvice, errorText, toAppError } from '../../core/errors.ts';
import { DEFAULT_LIMITS, type WalkLimits } from '../manifest-file.ts';
import type { Snapshot, Source } from '../snapshot.ts';
import { readManifests } from './contents.ts';
import { MirrorDamaged, remoteFailure } from './failure.ts';
import { locationText, refText } from './location.ts';
import type { Mirror, Mirrors } from './mirror.ts';
import type { GitOptions } from './options.ts';
import { type GoodRecord, readRecord, recordFile, writeRecord } from './record.ts';
import { type Choice, choose, type RemoteRefs } from './remote-refs.ts';
import { compareVersions, parseVersion } from './semver.ts';
import { verifySigned } from './verify.ts';

export interface GitSourceOptions {
  readonly mirrors: Mirrors;
  readonly stateDir: string;
  readonly runDir: string;
  readonly clock?: Clock;
  readonly limits?: Partial<WalkLimits>;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
  /** How long the very first reading waits for the remote. Default 20 s, or 3 s when there is a last good commit to go on with. */
  readonly firstWaitMs?: number;
}

const FIRST_WAIT_MS = 20_000;
const FIRST_WAIT_WITH_GOOD_MS = 3000;
/** A remote that cannot be reached: soon at first, then later and later. */
const BACKOFF_FROM_MS = 5000;
const BACKOFF_TO_MS = 10 * 60_000;
const JITTER = 0.1;
/** However often a webhook calls. */
const POKE_GAP_MS = 2000;
const REFRESH_MORE_MS = 5000;

const NO_REFS: RemoteRefs = { head: undefined, refs: new Map() };

interface Good {
  readonly commit: string;
  readonly snapshot: Snapshot;
}

export class GitSource implements Source {
  readonly name: string;
  readonly location: string;
  readonly #git: GitOptions;
  readonly #mirror: Mirror;
  readonly #recordFile: string;
  readonly #runDir: string;
  readonly #clock: Clock;
  readonly #limits: WalkLimits;
  readonly #random: () => number;
  readonly #firstWaitMs: number | undefined;
  readonly #cache = new Map<string, string>();
  readonly #stop = new AbortController();
  #restored: Promise<void> | undefined;
  #good: Good | undefined;
  #error: AppError | undefined;
  #looking: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #looked = false;
  #lookedAt = -Infinity;
  #checkedAt: number | undefined;
  #failures = 0;
  #changed: (() => void) | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #pokeTimer: NodeJS.Timeout | undefined;

  constructor(name: string, git: GitOptions, options: GitSourceOptions) {
    this.name = name;
    this.location = locationText(git);
    this.#git = git;
    this.#mirror = options.mirrors.of(git.url, git.auth);
    this.#recordFile = recordFile(options.stateDir, name);
    this.#runDir = join(options.runDir, 'git', 'verify', name);
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#random = options.random ?? Math.random;
    this.#firstWaitMs = options.firstWaitMs;
  }

  /** Epoch ms when the remote last answered and what it has was accepted. */
  get checkedAt(): number | undefined {
    return this.#checkedAt;
  }

  async read(signal: AbortSignal): Promise<Snapshot> {
    this.#restored ??= this.#restore();
    await this.#restored;
    if (!this.#looked) {
      const wait = this.#firstWaitMs ?? (this.#good === undefined ? FIRST_WAIT_MS : FIRST_WAIT_WITH_GOOD_MS);
      await this.#atMost(wait, this.#look(), signal);
    }
    if (signal.aborted)
      throw new AppError('CANCELLED', { source: this.name }, { message: `Reading the source "${this.name}" was cancelled.` });
    if (this.#good === undefined) throw this.#error ?? this.#notYet();
    const { snapshot } = this.#good;
    return this.#error === undefined ? snapshot : { ...snapshot, outdated: errorAdvice(this.#error) };
  }

  async watch(changed: () => void): Promise<void> {
    this.#changed = changed;
    if (this.#looking === undefined) this.#schedulePoll();
  }

  async refresh(signal: AbortSignal): Promise<void> {
    // Longer than the look's own deadline: how that ended is worth waiting for.
    await this.#atMost(this.#git.timeoutMs + REFRESH_MORE_MS, this.#look(), signal);
  }

  poke(): void {
    if (this.#stop.signal.aborted || this.#pokeTimer !== undefined) return;
    const delay = Math.max(0, this.#lookedAt + POKE_GAP_MS - this.#clock.monotonic());
    this.#pokeTimer = setTimeout(() => {
      this.#pokeTimer = undefined;
      void this.#look();
    }, delay);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#pokeTimer);
    await this.#looking;
  }

  async #atMost(ms: number, work: Promise<void>, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const end = AbortSignal.any([signal, this.#stop.signal, enough.signal]);
    const sleep = this.#clock.sleep(ms, end).catch(() => {});
    await Promise.race([work, sleep]);
    enough.abort();
  }

  /** Never rejects. What was asked for while one look is under way is done after it: the remote may have moved meanwhile. */
  #look(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    if (this.#looking === undefined) {
      this.#looking = this.#lookNow().finally(() => {
        this.#looking = undefined;
      });
      return this.#looking;
    }
    this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      return this.#look();
    });
    return this.#next;
  }

  async #lookNow(): Promise<void> {
    clearTimeout(this.#pollTimer);
    this.#lookedAt = this.#clock.monotonic();
    const askedAt = performance.now();
    const before = this.#state();
    try {
      await this.#mirror.exclusive(() =>
        this.#mending(askedAt, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#git.timeoutMs)])),
      );
      this.#error = undefined;
      this.#failures = 0;
      this.#checkedAt = this.#clock.now();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#error = error instanceof AppError ? error : toAppError(error, 'SOURCE_UNREADABLE', { source: this.name });
      this.#failures += 1;
    }
    const first = !this.#looked;
    this.#looked = true;
    if (first || this.#state() !== before) this.#changed?.();
    if (this.#changed !== undefined) this.#schedulePoll();
  }

  #state(): string {
    return `${this.#good?.commit} ${this.#error === undefined ? '' : errorText(this.#error)}`;
  }

  #schedulePoll(): void {
    clearTimeout(this.#pollTimer);
    if (this.#stop.signal.aborted) return;
    const { intervalMs } = this.#git;
    const unreachable = this.#failures > 0 && this.#error?.code !== 'SOURCE_REFUSED';
    const backoff = Math.min(BACKOFF_FROM_MS * 2 ** Math.min(this.#failures - 1, 20), Math.max(intervalMs, BACKOFF_TO_MS));
    const wait = unreachable ? backoff : intervalMs;
    this.#pollTimer = setTimeout(() => void this.#look(), wait * (1 - JITTER + 2 * JITTER * this.#random()));
    this.#pollTimer.unref();
  }

  /** A mirror that turns out to be broken is made anew, once; the remote has answered before, so there is something to make it from. */
  async #mending(askedAt: number, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#mirror.open(signal);
        return await this.#follow(askedAt, signal);
      } catch (error) {
        if (!(error instanceof MirrorDamaged) || tries === 2) throw error;
        await this.#mirror.discard();
      }
    }
  }

  async #follow(askedAt: number, signal: AbortSignal): Promise<void> {
    const mirror = this.#mirror;
    let choice: Choice | undefined;
    try {
      const { ref } = this.#git;
      // A commit's id says everything: no remote has to be asked for one that is here.
      choice = choose(ref, ref.kind === 'commit' ? NO_REFS : await mirror.list(askedAt, signal));
      if (choice === undefined) throw this.#noSuchRef();
      const id = (await mirror.has(choice.id, signal)) ? choice.id : await mirror.fetch(choice, signal);
      choice = { ...choice, id, commit: await mirror.commitOf(id, signal) };
    } catch (error) {
      if (error instanceof MirrorDamaged) throw error;
      throw remoteFailure(this.name, this.#git.url.text, error);
    }
    const { commit } = choice;
    const record = await this.#record();
    if (record !== undefined && !this.#git.allowRewrite) await this.#checkHistory(record, choice, signal);
    const isNew = this.#good?.commit !== commit;
    const isOtherRef = record?.ref !== (choice.ref ?? null);
    // A known commit under another tag has to be signed as that, too.
    const signer = isNew || isOtherRef ? await this.#verify(choice, signal) : undefined;
    const since = this.#good?.commit === commit ? this.#good.snapshot.since : record?.commit === commit ? record.since : this.#clock.now();
    if (isNew) this.#good = { commit, snapshot: await this.#snapshot(commit, since, signer, signal) };
    if (isOtherRef || record?.commit !== commit) {
      await mirror.keep(this.name, choice.id, signal);
      const [url, selector] = [this.#git.url.text, refText(this.#git.ref)];
      await writeRecord(this.#recordFile, { url, selector, ref: choice.ref ?? null, commit, id: choice.id, since });
    }
  }

  /** The last good commit of an earlier start, from the mirror alone. Whatever fails here, the first look tells. */
  async #restore(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#git.timeoutMs)]);
    try {
      const record = await this.#record();
      if (record === undefined) return;
      await this.#mirror.exclusive(async () => {
        await this.#mirror.open(signal);
        if (!(await this.#mirror.has(record.id, signal))) return;
        const signer = await this.#verify({ ref: record.ref ?? undefined, id: record.id, commit: record.commit }, signal);
        this.#good = { commit: record.commit, snapshot: await this.#snapshot(record.commit, record.since, signer, signal) };
      });
    } catch (error) {
      this.#error = toAppError(error, 'SOURCE_UNREADABLE', { source: this.name });
    }
  }

  async #record(): Promise<GoodRecord | undefined> {
    const record = await readRecord(this.#recordFile);
    return record?.url === this.#git.url.text && record.selector === refText(this.#git.ref) ? record : undefined;
  }

  async #snapshot(commit: string, since: number, signer: string | undefined, signal: AbortSignal): Promise<Snapshot> {
    const { path } = this.#git;
    const files = await readManifests(this.#mirror, { source: this.name, commit, path, limits: this.#limits, cache: this.#cache, signal });
    const complete = files.every((file) => file.text !== undefined);
    return { source: this.name, revision: commit, files, complete, ...(signer === undefined ? {} : { signer }), since };
  }

  async #verify(choice: Choice, signal: AbortSignal): Promise<string | undefined> {
    const { verify } = this.#git;
    if (verify === undefined) return undefined;
    const tag = choice.ref?.startsWith('refs/tags/') === true ? { id: choice.id, ref: choice.ref } : undefined;
    const { directory } = this.#mirror;
    return await verifySigned(verify, { source: this.name, directory, runDir: this.#runDir, commit: choice.commit, tag }, signal);
  }

  /** Rejects with SOURCE_REFUSED when the new commit is no successor of the last good one. */
  async #checkHistory(record: GoodRecord, choice: Choice, signal: AbortSignal): Promise<void> {
    if (record.commit === choice.commit) return;
    const change = `from ${record.commit.slice(0, 12)} to ${choice.commit.slice(0, 12)}`;
    if (choice.ref?.startsWith('refs/tags/') === true) {
      const tag = choice.ref.slice(10);
      if (record.ref === choice.ref) throw this.#rewritten(`The tag "${tag}" was moved ${change}`);
      const [older, newer] = [parseVersion(record.ref?.slice(10) ?? ''), parseVersion(tag)];
      if (older !== undefined && newer !== undefined && compareVersions(newer, older) < 0) {
        throw this.#rewritten(`The newest version went back from "${record.ref?.slice(10)}" to "${tag}"`);
      }
      return;
    }
    if (choice.ref === undefined || (await this.#descends(choice, record.commit, signal))) return;
    throw this.#rewritten(`The history of "${choice.ref.replace(/^refs\/heads\//, '')}" was rewritten or rolled back (${change})`);
  }

  async #descends(choice: Choice, older: string, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#mirror.descends(choice, older, signal);
    } catch (error) {
      if (error instanceof MirrorDamaged) throw error;
      throw remoteFailure(this.name, this.#git.url.text, error);
    }
  }

  #rewritten(what: string): AppError {
    const message = `${what} in the remote of source "${this.name}". The last good revision stays in force.`;
    const hint =
      `If that was meant, delete "${this.#recordFile}" and run "lockstep sync", or set allowRewrite: true for this source. ` +
      'To undo a change without this, push a commit that reverts it.';
    return new AppError('SOURCE_REFUSED', { source: this.name }, { message, hint });
  }

  #noSuchRef(): AppError {
    const { ref, url } = this.#git;
    const what = {
      head: 'no default branch (it may be empty)',
      name: `no branch or tag "${refText(ref)}"`,
      branch: `no branch "${refText(ref)}"`,
      tag: `no tag "${refText(ref)}"`,
      semver: `no tag whose version is in the range "${refText(ref)}"`,
      commit: `no commit ${refText(ref)}`,
    }[ref.kind];
    const message = `The remote ${url.text} of source "${this.name}" has ${what}.`;
    const hint = 'Correct the ref of the source, or push it.';
    return new AppError('SOURCE_UNREADABLE', { source: this.name, url: url.text }, { message, hint });
  }

  #notYet(): AppError {
    const message = `The remote ${this.#git.url.text} of source "${this.name}" has not answered yet.`;
    return new AppError('SOURCE_UNREADABLE', { source: this.name }, { message, hint: 'It is waited for in the background.' });
  }
}
