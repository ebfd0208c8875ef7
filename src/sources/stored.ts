// Objects made through the API, kept in the ledger, as a source like any other: one file per object.
import { type Clock, systemClock } from '../core/clock.ts';
import { refKey } from '../core/ref.ts';
import type { DocumentRow, DocumentTable } from '../state/ledger.ts';
import { revisionOf, Steadiness } from './revision.ts';
import type { Snapshot, Source, SourceFile } from './snapshot.ts';

/** A stored object as the file it is read as: `SOURCE:Kind/project/parent/name`. */
export function storedFile(row: DocumentRow): SourceFile {
  return { path: `${row.source}:${refKey(row.ref)}`, text: row.text };
}

export class StoredSource implements Source {
  readonly name: string;
  readonly location: string;
  readonly stored = true;
  readonly #documents: DocumentTable;
  readonly #clock: Clock;
  readonly #steadiness = new Steadiness();
  #changed: (() => void) | undefined;

  constructor(name: string, documents: DocumentTable, clock: Clock = systemClock) {
    this.name = name;
    this.location = `stored objects "${name}"`;
    this.#documents = documents;
    this.#clock = clock;
  }

  /** Always complete: the ledger is all there is. A ledger that cannot be read rejects with its own code. */
  async read(signal: AbortSignal): Promise<Snapshot> {
    signal.throwIfAborted();
    const files: SourceFile[] = this.#documents
      .all()
      .filter((row) => row.source === this.name)
      .map(storedFile);
    const revision = revisionOf(files);
    return { source: this.name, revision, files, complete: true, stored: true, since: this.#steadiness.since(revision, this.#clock.now()) };
  }

  async watch(changed: () => void): Promise<void> {
    this.#changed = changed;
  }

  /** To be called by whoever has written documents of this source. */
  notify(): void {
    this.#changed?.();
  }

  async close(): Promise<void> {
    this.#changed = undefined;
  }
}
