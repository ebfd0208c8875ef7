// The configured sources: reads those that may have changed, keeps each one's last snapshot and error.
import type { Clock } from '../core/clock.ts';
import { errorText } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { Snapshot, Source } from '../sources/snapshot.ts';
import type { SourceInput } from './desired.ts';

interface Entry {
  readonly source: Source;
  snapshot: Snapshot | undefined;
  error: string | undefined;
  lastRead: number | undefined;
  changed: boolean;
}

export class SourceSet {
  readonly #entries: Entry[];
  readonly #clock: Clock;
  readonly #events: EventSink;

  constructor(sources: readonly Source[], clock: Clock, events: EventSink) {
    this.#entries = sources.map((source) => ({ source, snapshot: undefined, error: undefined, lastRead: undefined, changed: true }));
    this.#clock = clock;
    this.#events = events;
  }

  get entries(): readonly Readonly<Entry>[] {
    return this.#entries;
  }

  inputs(): SourceInput[] {
    return this.#entries.map(({ source, snapshot, error }) => ({
      name: source.name,
      snapshot: error === undefined ? snapshot : undefined,
    }));
  }

  find(name: string): Readonly<Entry> | undefined {
    return this.#entries.find((entry) => entry.source.name === name);
  }

  /** A stored source that came up while the daemon runs. */
  add(source: Source): void {
    this.#entries.push({ source, snapshot: undefined, error: undefined, lastRead: undefined, changed: true });
  }

  markChanged(name?: string): void {
    for (const entry of this.#entries) if (name === undefined || entry.source.name === name) entry.changed = true;
  }

  async watch(changed: () => void): Promise<void> {
    await Promise.all(
      this.#entries.map((entry) =>
        entry.source.watch(() => {
          entry.changed = true;
          changed();
        }),
      ),
    );
  }

  /** Reads what is marked changed; true when anything is different from before. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    const results = await Promise.all(this.#entries.filter((entry) => entry.changed).map((entry) => this.#read(entry, signal)));
    return results.some(Boolean);
  }

  async close(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => entry.source.close()));
  }

  async #read(entry: Entry, signal: AbortSignal): Promise<boolean> {
    entry.changed = false;
    try {
      const before = entry.snapshot;
      const snapshot = await entry.source.read(signal);
      const recovered = entry.error !== undefined;
      entry.error = undefined;
      entry.lastRead = this.#clock.now();
      const different = recovered || before?.revision !== snapshot.revision || before.complete !== snapshot.complete;
      // `since` of an unchanged snapshot must not move, or it would never settle.
      if (different) entry.snapshot = snapshot;
      return different;
    } catch (error) {
      const text = errorText(error);
      const isNew = entry.error !== text;
      entry.error = text;
      if (isNew) {
        const message = `The source "${entry.source.name}" (${entry.source.location}) cannot be read: ${text}`;
        this.#events.emit({ type: 'source', severity: 'error', reason: 'SourceUnreadable', message });
      }
      return isNew;
    }
  }
}
