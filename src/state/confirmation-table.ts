// Deletes that are over the limit and wait for a person's word: one list per source, bound to its hash.
import type { RefKey } from '../core/ref.ts';
import type { Database } from './database.ts';
import type { ConfirmationTable } from './ledger.ts';

interface Stored {
  source: string;
  hash: string;
  objects: string;
  protected: string;
  reason: string;
  asked_at: number;
  confirmed_at: number | null;
  confirmed_by: string | null;
}

export function makeConfirmationTable(db: Database): ConfirmationTable {
  const all = db.prepare<Stored>('SELECT * FROM confirmation ORDER BY source');
  const put = db.prepare(
    `INSERT INTO confirmation (source, hash, objects, protected, reason, asked_at, confirmed_at, confirmed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (source) DO UPDATE SET hash = excluded.hash, objects = excluded.objects, protected = excluded.protected,
       reason = excluded.reason, asked_at = excluded.asked_at, confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by`,
  );
  const remove = db.prepare('DELETE FROM confirmation WHERE source = ?');
  return {
    all: () =>
      all.all().map((stored) => ({
        source: stored.source,
        hash: stored.hash,
        objects: JSON.parse(stored.objects) as RefKey[],
        protected: JSON.parse(stored.protected) as RefKey[],
        reason: stored.reason,
        askedAt: stored.asked_at,
        confirmedAt: stored.confirmed_at,
        confirmedBy: stored.confirmed_by,
      })),
    put: (row) => {
      const [objects, kept] = [JSON.stringify(row.objects), JSON.stringify(row.protected)];
      put.run(row.source, row.hash, objects, kept, row.reason, row.askedAt, row.confirmedAt, row.confirmedBy);
    },
    remove: (source) => {
      remove.run(source);
    },
  };
}
