// Deleted objects whose data is kept for a while, so that a delete can be undone.
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { TombstoneTable } from './ledger.ts';

interface Stored {
  uid: string;
  ref: string;
  pool: string;
  name: string;
  object: string;
  buried_at: number;
  expires_at: number;
}

export function makeTombstoneTable(db: Database): TombstoneTable {
  const all = db.prepare<Stored>('SELECT * FROM tombstone ORDER BY buried_at, uid');
  const put = db.prepare(
    `INSERT INTO tombstone (uid, ref, pool, name, object, buried_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (uid) DO UPDATE SET ref = excluded.ref, pool = excluded.pool, name = excluded.name, object = excluded.object,
       buried_at = excluded.buried_at, expires_at = excluded.expires_at`,
  );
  const remove = db.prepare('DELETE FROM tombstone WHERE uid = ?');
  return {
    all: () =>
      all.all().map((stored) => ({
        uid: stored.uid,
        ref: storedRef(db.path, stored.ref),
        pool: stored.pool,
        name: stored.name,
        object: stored.object,
        buriedAt: stored.buried_at,
        expiresAt: stored.expires_at,
      })),
    put: (row) => {
      put.run(row.uid, refKey(row.ref), row.pool, row.name, row.object, row.buriedAt, row.expiresAt);
    },
    remove: (uid) => {
      remove.run(uid);
    },
  };
}
