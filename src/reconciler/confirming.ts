// What a person's word to a list of deletions does: the list may go, and what is protected too, where that was asked for.
import { LEDGER_CONFIRMATION } from '../core/confirmations.ts';
import { AppError } from '../core/errors.ts';
import type { RefKey } from '../core/ref.ts';
import type { ConfirmationRow, Ledger } from '../state/ledger.ts';
import { requestEntry } from './audit-entries.ts';
import type { Tracker } from './tracker.ts';

export class Confirming {
  /** What may be deleted now. */
  readonly objects: readonly RefKey[];
  readonly #row: ConfirmationRow;
  readonly #unprotected: readonly RefKey[];

  constructor(row: ConfirmationRow, unprotect: boolean) {
    if (row.objects.length === 0 && !unprotect) {
      const hint = `To delete them all the same: lockstep confirm ${row.source} --unprotect`;
      throw new AppError('PROTECTED', { source: row.source }, { message: row.reason, hint });
    }
    this.#row = row;
    this.#unprotected = unprotect ? row.protected : [];
    this.objects = [...row.objects, ...this.#unprotected];
  }

  write(ledger: Ledger, tracker: Tracker, { at, actor }: { at: number; actor: string }): void {
    const { source } = this.#row;
    ledger.transaction(() => {
      for (const key of this.#unprotected) {
        const tracked = tracker.objects.get(key);
        if (tracked === undefined) continue;
        tracked.row = { ...tracked.row, protected: false };
        tracked.recorded = { ...tracked.recorded, protected: false };
        ledger.objects.put(tracked.row);
        const summary = 'take its protection off, so that it is deleted';
        ledger.audit.add(requestEntry({ at, actor, action: 'unprotect', ref: key }, { summary, source }));
      }
      const summary = `agree to the deletion of ${this.objects.length} objects: ${this.#row.reason}`;
      ledger.audit.add(requestEntry({ at, actor, action: 'confirm', ref: `source:${source}` }, { summary, source, objects: this.objects }));
      // That one is no list of deletions: it only holds them up.
      if (source === LEDGER_CONFIRMATION) ledger.confirmations.remove(source);
      else ledger.confirmations.put({ ...this.#row, objects: this.objects, protected: [], confirmedAt: at, confirmedBy: actor });
    });
  }
}
