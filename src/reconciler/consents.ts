// What waits for a person's word about one object (PlannedStep.hold): asked for in the ledger, so that it outlives a restart, and bound to
// the hash of exactly what would be done. A confirmed one is used up when the object is as it should be.
import type { EventSink } from '../core/events.ts';
import { refText } from '../core/ref.ts';
import type { Consent } from '../kinds/kind.ts';
import type { ConsentRow, Ledger } from '../state/ledger.ts';
import type { ObjectPlan } from './plan.ts';
import type { Tracked } from './tracker.ts';

export class Consents {
  readonly #ledger: Ledger;
  readonly #events: EventSink;
  /** The rows of the table, by uid: there are few, and every round asks. */
  readonly #rows: Map<string, ConsentRow>;

  constructor(ledger: Ledger, events: EventSink) {
    this.#ledger = ledger;
    this.#events = events;
    this.#rows = new Map(ledger.consents.all().map((row) => [row.uid, row]));
  }

  /** What is asked for and not confirmed yet. */
  get open(): readonly ConsentRow[] {
    return [...this.#rows.values()].filter((row) => row.confirmedAt === null);
  }

  /** After planning: asks for what is planned and not agreed to, takes back what is no longer asked for. */
  settle(tracked: Tracked, planned: ObjectPlan, now: number): void {
    const { uid } = planned.recorded;
    const before = this.#rows.get(uid);
    const { asks } = planned;
    if (asks === undefined) {
      // Confirmed ones are used up once nothing is left to do; until then a killed daemon has to find them again.
      const done = planned.steps.length + planned.held.length === 0 && planned.unknown === undefined;
      if (before !== undefined && (before.confirmedAt === null || done || planned.desired === undefined)) this.#drop(tracked, uid);
    } else if (before?.hash !== asks.hash) {
      this.#ask(tracked, asks, now);
    } else if (before.confirmedAt !== null) {
      // The word came while this was being planned; the look that was asked for with it finds it.
      tracked.recorded = { ...tracked.recorded, agreed: before.hash };
    }
  }

  /** The object is gone. */
  forget(uid: string): void {
    if (this.#rows.delete(uid)) this.#ledger.consents.remove(uid);
  }

  confirm(tracked: Tracked, actor: string, now: number): void {
    const row = this.#rows.get(tracked.row.uid)!;
    const confirmed = { ...row, confirmedAt: now, confirmedBy: actor };
    this.#ledger.consents.put(confirmed);
    this.#rows.set(row.uid, confirmed);
    tracked.recorded = { ...tracked.recorded, agreed: row.hash };
  }

  #ask(tracked: Tracked, { action, hash, reason }: Consent, now: number): void {
    const { uid } = tracked.row;
    const row: ConsentRow = { uid, action, hash, reason, askedAt: now, confirmedAt: null, confirmedBy: null };
    this.#ledger.consents.put(row);
    this.#rows.set(uid, row);
    const message = `${refText(tracked.ref)}: ${reason} Run "lockstep confirm ${tracked.ref.name}" to agree to it.`;
    this.#events.emit({ type: 'change', severity: 'warning', ref: tracked.ref, reason: 'ConfirmationNeeded', message });
  }

  #drop(tracked: Tracked, uid: string): void {
    this.forget(uid);
    const { agreed: _used, ...recorded } = tracked.recorded;
    tracked.recorded = recorded;
  }
}
