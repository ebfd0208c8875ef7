// The configured sources: reads those that may have changed, keeps each one's last snapshot and error.
import type { Clock } from '../core/clock.ts';
import { AppError, errorAdvice } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { Snapshot, Source } from '../sources/snapshot.ts';
import type { SourceInput } from './desired.ts';

/** A reading is of local files: a thousand of them take a fraction of a second. */
const PATIENCE_MS = 10_000;
/** The first one may wait for a remote. */
const FIRST_PATIENCE_MS = 5 * 60_000;

interface Entry {
  readonly source: Source;
  snapshot: Snapshot | undefined;
  /** Why the last read failed, or why its snapshot is not what the source has now. */
  error: string | undefined;
  /** The last read failed: nothing can be said about what the source declares. */
  failed: boolean;
  lastRead: number | undefined;
  changed: boolean;
  /** A reading that takes too long; its end is told. */
  late: boolean;
}

export class SourceSet {
  readonly #entries: Entry[];
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #forgotten: (row: { readonly name: string; readonly at: number }) => Source;
  readonly #patienceMs: number;
  #changed: () => void = () => {};
  /** Sources were added or removed since the last reading. */
  #rearranged = false;

  constructor(
    sources: readonly Source[],
    clock: Clock,
    events: EventSink,
    /** Makes the source that stands for one that was forgotten: it declares nothing. */
    forgotten: (row: { readonly name: string; readonly at: number }) => Source,
    patienceMs: number = PATIENCE_MS,
  ) {
    this.#entries = sources.map((source) => ({
      source,
      snapshot: undefined,
      error: undefined,
      failed: false,
      lastRead: undefined,
      changed: true,
      late: false,
    }));
    this.#clock = clock;
    this.#events = events;
    this.#forgotten = forgotten;
    this.#patienceMs = patienceMs;
  }

  get entries(): readonly Readonly<Entry>[] {
    return this.#entries;
  }

  inputs(): SourceInput[] {
    return this.#entries.map(({ source, snapshot, failed }) => ({
      name: source.name,
      snapshot: failed ? undefined : snapshot,
    }));
  }

  find(name: string): Readonly<Entry> | undefined {
    return this.#entries.find((entry) => entry.source.name === name);
  }

  /** A stored source that came up while the daemon runs. */
  add(source: Source): void {
    this.#entries.push({ source, snapshot: undefined, error: undefined, failed: false, lastRead: undefined, changed: true, late: false });
    this.#rearranged = true;
  }

  addForgotten(row: { readonly name: string; readonly at: number }): void {
    if (this.find(row.name) === undefined) this.add(this.#forgotten(row));
  }

  remove(name: string): void {
    const at = this.#entries.findIndex((entry) => entry.source.name === name);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#rearranged = true;
  }

  markChanged(name?: string): void {
    for (const entry of this.#entries) if (name === undefined || entry.source.name === name) entry.changed = true;
  }

  /** Resolves when all are watched, but for those that take too long (a network file system that hangs). */
  async watch(changed: () => void): Promise<void> {
    this.#changed = changed;
    const watched = this.#entries.map((entry) =>
      entry.source.watch(() => {
        entry.changed = true;
        changed();
      }),
    );
    const enough = new AbortController();
    const late = this.#clock.sleep(this.#patienceMs, enough.signal).catch(() => {});
    try {
      await Promise.all(watched.map(async (one) => await Promise.race([one, late])));
    } finally {
      enough.abort();
    }
  }

  /** Has sources that look at something far away look now (all, or this one). Never rejects; each is bounded in time. */
  async lookNow(name: string | undefined, signal: AbortSignal): Promise<void> {
    const wanted = this.#entries.filter(({ source }) => name === undefined || source.name === name);
    await Promise.all(wanted.map(async ({ source }) => await source.refresh?.(signal)));
  }

  /** Reads what is marked changed; true when anything is different from before. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    const results = await Promise.all(
      this.#entries.filter((entry) => entry.changed && !entry.late).map((entry) => this.#read(entry, signal)),
    );
    const rearranged = this.#rearranged;
    this.#rearranged = false;
    return rearranged || results.some(Boolean);
  }

  async close(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => entry.source.close()));
  }

  async #read(entry: Entry, signal: AbortSignal): Promise<boolean> {
    entry.changed = false;
    try {
      const before = entry.snapshot;
      const read = await this.#inTime(entry, entry.source.read(signal));
      // The clock may have been set back since: it would not settle before that time comes again.
      const snapshot = { ...read, since: Math.min(read.since, this.#clock.now()) };
      const recovered = entry.failed;
      entry.failed = false;
      this.#note(entry, snapshot.outdated);
      if (snapshot.outdated === undefined) entry.lastRead = this.#clock.now();
      const different = recovered || before?.revision !== snapshot.revision || before.complete !== snapshot.complete;
      // `since` of an unchanged snapshot must not move, or it would never settle.
      if (different || before.since > this.#clock.now()) entry.snapshot = snapshot;
      return different;
    } catch (error) {
      const wasFailed = entry.failed;
      entry.failed = true;
      return this.#note(entry, errorAdvice(error)) || !wasFailed;
    }
  }

  /** Others do not wait for a source that hangs (a network file system, say); what it last declared stays until it is read. */
  async #inTime(entry: Entry, reading: Promise<Snapshot>): Promise<Snapshot> {
    const { promise, reject } = Promise.withResolvers<never>();
    const patience = entry.lastRead === undefined ? FIRST_PATIENCE_MS : this.#patienceMs;
    const timer = setTimeout(() => {
      entry.late = true;
      const ended = (): void => {
        entry.late = false;
        entry.changed = true;
        this.#changed();
      };
      reading.then(ended, ended);
      reject(new AppError('TIMED_OUT', {}, { message: `It did not answer within ${patience / 1000} s.` }));
    }, patience);
    try {
      return await Promise.race([reading, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells of a new problem, and of its end; true when it is another than before. */
  #note(entry: Entry, error: string | undefined): boolean {
    const { source } = entry;
    const before = entry.error;
    entry.error = error;
    if (before === error) return false;
    const place = `The source "${source.name}" (${source.location})`;
    if (error === undefined) {
      this.#events.emit({ type: 'source', severity: 'info', reason: 'SourceRecovered', message: `${place} can be read again.` });
    } else {
      this.#events.emit({ type: 'source', severity: 'error', reason: 'SourceUnreadable', message: `${place} cannot be read: ${error}` });
    }
    return true;
  }
}
