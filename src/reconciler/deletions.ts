// Applies the rules of deletion.ts to what is tracked: which undeclared objects may go now, and which confirmation to ask for.
import { LEDGER_CONFIRMATION } from '../core/confirmations.ts';
import type { EventSink } from '../core/events.ts';
import type { RefKey } from '../core/ref.ts';
import type { Ledger } from '../state/ledger.ts';
import { type Ask, decideDeletion, type DeletionInput, type DeletionVerdict } from './deletion.ts';
import type { DeleteWait } from './plan.ts';
import type { SourceSet } from './source-set.ts';
import type { Tracked, Tracker } from './tracker.ts';

const REMEMBER_MS = 10 * 60_000;
const RECENT_KEY = 'recentDeletes';
/** Of everything, while what the ledger says was not agreed to. */
const UNSURE: DeleteWait = { waitsFor: `a confirmation (lockstep confirm ${LEDGER_CONFIRMATION})`, rule: 'NeedsConfirmation' };

export interface Deletable {
  readonly mayDelete: ReadonlySet<RefKey>;
  /** Why the others wait. */
  readonly waits: ReadonlyMap<RefKey, DeleteWait>;
}

/** What a plan says of the deletions in it. */
export interface ForeseenDeletions extends Deletable {
  /** What somebody will have to agree to first. */
  readonly asks: readonly (Ask & { readonly source: string })[];
}

export class Deletions {
  readonly #ledger: Ledger;
  readonly #sources: SourceSet;
  readonly #events: EventSink;
  /** Times of recent deletes, by source: in the ledger, so that a restart does not begin a new budget. */
  readonly #recent: Map<string, number[]>;

  constructor(ledger: Ledger, sources: SourceSet, events: EventSink) {
    this.#ledger = ledger;
    this.#sources = sources;
    this.#events = events;
    this.#recent = new Map(Object.entries(JSON.parse(ledger.meta.get(RECENT_KEY) ?? '{}') as Record<string, number[]>));
    for (const row of ledger.forgotten.all()) {
      // A source of that name is there again, and says itself what it declares.
      if (sources.find(row.name) === undefined) sources.addForgotten(row);
      else ledger.forgotten.remove(row.name);
    }
  }

  /** Decides, and remembers what was allowed: an allowed deletion stays allowed until the object is declared again. */
  decide(tracker: Pick<Tracker, 'undeclared' | 'owned'>, complete: ReadonlySet<string>, now: number): Deletable {
    const mayDelete = new Set<RefKey>();
    const waits = new Map<RefKey, DeleteWait>();
    const bySource = Map.groupBy(tracker.undeclared, (tracked) => tracked.row.source);
    const unsure = this.#asked(LEDGER_CONFIRMATION)?.confirmedAt === null;
    for (const row of this.#ledger.confirmations.all()) {
      if (row.source === LEDGER_CONFIRMATION) continue;
      // Used up: whoever declares these objects again and removes them later is asked again.
      const left = new Set(bySource.get(row.source)?.map(({ key }) => key));
      if (left.size === 0) this.#ledger.confirmations.remove(row.source);
      if (left.size === 0 || row.confirmedAt === null) continue;
      const objects = row.objects.filter((key) => left.has(key));
      if (objects.length < row.objects.length) this.#ledger.confirmations.put({ ...row, objects });
    }
    for (const [source, undeclared] of bySource) {
      if (unsure) {
        for (const { key } of undeclared) waits.set(key, UNSURE);
        continue;
      }
      const condemned = undeclared.filter((tracked) => tracked.condemned);
      for (const tracked of condemned) mayDelete.add(tracked.key);
      const input = this.#input(source, tracker.owned(source), undeclared, condemned.length, complete.has(source), now);
      const verdict = decideDeletion(input);
      const allowed = undeclared.filter(({ key }) => verdict.allowed.has(key));
      for (const { key } of allowed) mayDelete.add(key);
      this.#condemn(allowed);
      for (const [key, wait] of verdict.waits) waits.set(key, wait);
      this.#ask(source, verdict.ask, now);
    }
    return { mayDelete, waits };
  }

  /** As `decide` would for objects that nobody declares in a plan, once their sources are still. Nothing is asked or remembered. */
  foresee(
    undeclared: readonly Pick<Tracked, 'key' | 'ref' | 'row' | 'condemned'>[],
    tracker: Pick<Tracker, 'owned'>,
    complete: ReadonlySet<string>,
    now: number,
  ): ForeseenDeletions {
    const mayDelete = new Set(undeclared.filter(({ condemned }) => condemned).map(({ key }) => key));
    const waits = new Map<RefKey, DeleteWait>();
    const asks: (Ask & { source: string })[] = [];
    if (this.#asked(LEDGER_CONFIRMATION)?.confirmedAt === null) {
      return { mayDelete: new Set(), waits: new Map(undeclared.map(({ key }) => [key, UNSURE])), asks };
    }
    for (const [source, objects] of Map.groupBy(undeclared, ({ row }) => row.source)) {
      const condemned = objects.filter((one) => one.condemned).length;
      const input = this.#input(source, tracker.owned(source), objects, condemned, complete.has(source), now);
      const verdict = decideDeletion({ ...input, since: input.since === undefined ? undefined : 0 });
      for (const key of verdict.allowed) mayDelete.add(key);
      for (const [key, wait] of verdict.waits) waits.set(key, wait);
      if (verdict.ask !== undefined) asks.push({ ...verdict.ask, source });
    }
    return { mayDelete, waits, asks };
  }

  /** Objects are gone, given by their sources: each counts against its source's budget for ten minutes. Call it inside a transaction. */
  gone(sources: readonly string[], now: number): void {
    for (const source of sources)
      this.#recent.set(source, [...(this.#recent.get(source) ?? []).filter((at) => now - at < REMEMBER_MS), now]);
    for (const [other, at] of this.#recent) if (at.every((one) => now - one >= REMEMBER_MS)) this.#recent.delete(other);
    this.#ledger.meta.set(RECENT_KEY, JSON.stringify(Object.fromEntries(this.#recent)));
    for (const source of new Set(sources)) this.#endForgotten(source);
  }

  /** The last object of a source that was forgotten is gone, and the source with it. */
  #endForgotten(source: string): void {
    if (!this.#ledger.forgotten.all().some((one) => one.name === source)) return;
    if (this.#ledger.objects.all().some((row) => row.source === source)) return;
    this.#ledger.forgotten.remove(source);
    this.#ledger.confirmations.remove(source);
    this.#sources.remove(source);
    const message = `All objects of the source "${source}", which is no longer configured, are deleted.`;
    this.#events.emit({ type: 'source', severity: 'info', reason: 'SourceForgotten', message });
  }

  #input(
    source: string,
    total: number,
    undeclared: readonly Pick<Tracked, 'key' | 'ref' | 'row' | 'condemned'>[],
    condemned: number,
    complete: boolean,
    now: number,
  ): DeletionInput {
    const entry = this.#sources.find(source);
    const stored = entry?.source.stored === true;
    return {
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
    };
  }

  #condemn(allowed: readonly Tracked[]): void {
    const declared = allowed.filter(({ row }) => row.declared);
    for (const tracked of declared) tracked.row = { ...tracked.row, declared: false };
    if (declared.length > 0) this.#ledger.transaction(() => declared.forEach(({ row }) => this.#ledger.objects.put(row)));
    for (const tracked of allowed) tracked.condemned = true;
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
