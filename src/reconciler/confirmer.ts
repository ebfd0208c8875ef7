// What waits for a person, and the word of one: deletions of a source (a list), a new root or a restart of one object.
import type { Clock } from '../core/clock.ts';
import { LEDGER_CONFIRMATION } from '../core/confirmations.ts';
import { AppError } from '../core/errors.ts';
import { parseRefKey, type RefKey, type ResourceRef } from '../core/ref.ts';
import type { ConfirmationRow, ConsentRow, Ledger } from '../state/ledger.ts';
import { requestEntry } from './audit-entries.ts';
import { Confirming } from './confirming.ts';
import type { Confirmation } from './control.ts';
import type { Reconciler } from './loop.ts';
import type { Tracked } from './tracker.ts';

export interface ConfirmerOptions {
  readonly reconciler: Reconciler;
  readonly ledger: Ledger;
  readonly clock: Clock;
}

export class Confirmer {
  readonly #o: ConfirmerOptions;

  constructor(options: ConfirmerOptions) {
    this.#o = options;
  }

  waiting(): Confirmation[] {
    const { ledger } = this.#o;
    const deletions = ledger.confirmations.all().filter((row) => row.confirmedAt === null);
    return [...deletions.map(ofSource), ...this.#consents().map(({ row, tracked }) => ofObject(row, tracked))];
  }

  /** `source`: the owning source, as in the list that was shown; `hash` says which of its entries. */
  confirm(source: string, hash: string, { unprotect, actor }: { unprotect?: boolean; actor: string }): Confirmation {
    const mine = this.waiting().filter((one) => one.source === source);
    if (mine.length === 0) throw new AppError('NOT_FOUND', { source }, { message: `The source "${source}" waits for no confirmation.` });
    const chosen = mine.find((one) => one.hash === hash);
    if (chosen === undefined) {
      const message = `What the source "${source}" waits for a confirmation of has changed since that list was shown.`;
      throw new AppError('CONFIRMATION_STALE', { source }, { message, hint: `Run "lockstep confirm ${source}" to see it as it is now.` });
    }
    if (chosen.action === 'delete' || chosen.action === 'adopt') this.#confirmDeletion(chosen, unprotect === true, actor);
    else this.#consent(chosen, actor);
    return chosen;
  }

  #confirmDeletion({ source }: Confirmation, unprotect: boolean, actor: string): void {
    const { ledger, clock, reconciler } = this.#o;
    const row = ledger.confirmations.all().find((one) => one.source === source && one.confirmedAt === null)!;
    const confirming = new Confirming(row, unprotect);
    confirming.write(ledger, reconciler.tracker, { at: clock.now(), actor });
    const keys = source === LEDGER_CONFIRMATION ? reconciler.tracker.objects.keys() : confirming.objects;
    for (const key of keys) reconciler.look(key, { event: 'Confirmed', about: actor });
  }

  #consent({ source, hash, action, reason }: Confirmation, actor: string): void {
    const { ledger, clock, reconciler } = this.#o;
    const { tracked } = this.#consents().find(({ row }) => row.hash === hash)!;
    const at = clock.now();
    ledger.transaction(() => {
      reconciler.consents.confirm(tracked, actor, at);
      ledger.audit.add(
        requestEntry({ at, actor, action: 'confirm', ref: tracked.ref }, { summary: `agree to the ${action}: ${reason}`, source }),
      );
    });
    reconciler.look(tracked.key, { event: 'Confirmed', about: actor });
  }

  #consents(): { row: ConsentRow; tracked: Tracked }[] {
    const { reconciler } = this.#o;
    const rows = new Map(reconciler.consents.open.map((row) => [row.uid, row]));
    if (rows.size === 0) return [];
    return [...reconciler.tracker.objects.values()]
      .flatMap((tracked) => {
        const row = rows.get(tracked.row.uid);
        return row === undefined ? [] : [{ row, tracked }];
      })
      .toSorted((a, b) => (a.tracked.key < b.tracked.key ? -1 : 1));
  }
}

function ofSource({ source, hash, objects, protected: kept, reason, askedAt }: ConfirmationRow): Confirmation {
  const action = source === LEDGER_CONFIRMATION ? 'adopt' : 'delete';
  return { action, source, hash, objects: refsOf(objects), protected: refsOf(kept), reason, askedAt };
}

function ofObject({ action, hash, reason, askedAt }: ConsentRow, { ref, row }: Tracked): Confirmation {
  return { action, source: row.source, hash, objects: [ref], protected: [], reason, askedAt };
}

function refsOf(keys: readonly RefKey[]): ResourceRef[] {
  return keys.map((key) => parseRefKey(key)!);
}
