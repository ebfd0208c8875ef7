// Applies the rules of deletion.ts to what is tracked: which undeclared objects may go now, and which confirmation to ask for.
import type { EventSink } from '../core/events.ts';
import type { RefKey } from '../core/ref.ts';
import type { Ledger } from '../state/ledger.ts';
import { decideDeletion, type DeletionVerdict } from './deletion.ts';
import type { DeleteWait } from './plan.ts';
import type { SourceSet } from './source-set.ts';
import type { Tracked, Tracker } from './tracker.ts';

const REMEMBER_MS = 10 * 60_000;

export interface Deletable {
  readonly mayDelete: ReadonlySet<RefKey>;
  /** Why the others wait. */
  readonly waits: ReadonlyMap<RefKey, DeleteWait>;
}

export class Deletions {
  readonly #ledger: Ledger;
  readonly #sources: SourceSet;
  readonly #events: EventSink;
  /** Times of recent deletes, by source. */
  readonly #recent = new Map<string, number[]>();

  constructor(ledger: Ledger, sources: SourceSet, events: EventSink) {
    this.#ledger = ledger;
    this.#sources = sources;
    this.#events = events;
  }

  /** Decides, and remembers what was allowed: an allowed deletion stays allowed until the object is declared again. */
  decide(tracker: Pick<Tracker, 'undeclared' | 'owned'>, complete: ReadonlySet<string>, now: number): Deletable {
    const mayDelete = new Set<RefKey>();
    const waits = new Map<RefKey, DeleteWait>();
    const bySource = Map.groupBy(tracker.undeclared, (tracked) => tracked.row.source);
    for (const { source } of this.#ledger.confirmations.all()) {
      // Used up: whoever declares these objects again and removes them later is asked again.
      if (!bySource.has(source)) this.#ledger.confirmations.remove(source);
    }
    for (const [source, undeclared] of bySource) {
      const condemned = undeclared.filter((tracked) => tracked.condemned);
      for (const tracked of condemned) mayDelete.add(tracked.key);
      const verdict = this.#verdict(source, tracker.owned(source), undeclared, condemned.length, complete.has(source), now);
      for (const tracked of undeclared) {
        if (!verdict.allowed.has(tracked.key)) continue;
        mayDelete.add(tracked.key);
        this.#condemn(tracked);
      }
      for (const [key, wait] of verdict.waits) waits.set(key, wait);
      this.#ask(source, verdict.ask, now);
    }
    return { mayDelete, waits };
  }

  /** An object is gone: it counts against its source's budget for ten minutes. */
  gone(source: string, now: number): void {
    const times = (this.#recent.get(source) ?? []).filter((at) => now - at < REMEMBER_MS);
    this.#recent.set(source, [...times, now]);
  }

  #verdict(
    source: string,
    total: number,
    undeclared: readonly Tracked[],
    condemned: number,
    complete: boolean,
    now: number,
  ): DeletionVerdict {
    const entry = this.#sources.find(source);
    const stored = entry?.snapshot?.stored === true;
    return decideDeletion({
      source,
      complete: entry !== undefined && complete,
      since: stored ? undefined : (entry?.snapshot?.since ?? now),
      candidates: undeclared
        .filter((tracked) => !tracked.condemned)
        .map((tracked) => ({ key: tracked.key, kind: tracked.ref.kind, protected: tracked.row.protected })),
      total: total - condemned,
      recent: [...(this.#recent.get(source) ?? []), ...Array.from({ length: condemned }, () => now)],
      confirmation: this.#asked(source),
      now,
    });
  }

  #condemn(tracked: Tracked): void {
    tracked.condemned = true;
    if (!tracked.row.declared) return;
    tracked.row = { ...tracked.row, declared: false };
    this.#ledger.objects.put(tracked.row);
  }

  #asked(source: string): ReturnType<Ledger['confirmations']['all']>[number] | undefined {
    return this.#ledger.confirmations.all().find((row) => row.source === source);
  }

  #ask(source: string, ask: DeletionVerdict['ask'], now: number): void {
    const before = this.#asked(source);
    if (ask === undefined) {
      if (before !== undefined && before.confirmedAt === null) this.#ledger.confirmations.remove(source);
      return;
    }
    if (before?.hash === ask.hash) return;
    this.#ledger.confirmations.put({ source, ...ask, askedAt: now, confirmedAt: null, confirmedBy: null });
    const message = `${ask.reason} Run "lockstep confirm ${source}" to see the list and agree to it.`;
    this.#events.emit({ type: 'source', severity: 'warning', reason: 'ConfirmationNeeded', message });
  }
}
