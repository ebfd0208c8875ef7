// Objects made through the API: the content of the stored sources. Unlike `object`, this is what is wanted, not what we know.
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { DocumentTable } from './ledger.ts';

interface Stored {
  ref: string;
  source: string;
  text: string;
  updated_at: number;
}

export function makeDocumentTable(db: Database): DocumentTable {
  const all = db.prepare<Stored>('SELECT * FROM document ORDER BY ref');
  const put = db.prepare(
    `INSERT INTO document (ref, source, text, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (ref) DO UPDATE SET source = excluded.source, text = excluded.text, updated_at = excluded.updated_at`,
  );
  const remove = db.prepare('DELETE FROM document WHERE ref = ?');
  return {
    all: () =>
      all.all().map((stored) => ({
        ref: storedRef(db.path, stored.ref),
        source: stored.source,
        text: stored.text,
        updatedAt: stored.updated_at,
      })),
    put: (row) => {
      put.run(refKey(row.ref), row.source, row.text, row.updatedAt);
    },
    remove: (ref) => {
      remove.run(refKey(ref));
    },
  };
}
