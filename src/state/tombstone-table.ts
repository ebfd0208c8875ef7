// Deleted and replaced data that is kept for a while, so that it can be brought back.
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { TombstoneReason, TombstoneRow, TombstoneTable } from './ledger.ts';

interface Stored {
  pool: string;
  name: string;
  uid: string;
  ref: string;
  why: TombstoneReason;
  object: string;
  buried_at: number;
  expires_at: number;
}

export function makeTombstoneTable(db: Database): TombstoneTable {
  const all = db.prepare<Stored>('SELECT * FROM tombstone ORDER BY buried_at, pool, name');
  const of = db.prepare<Stored>('SELECT * FROM tombstone WHERE uid = ? ORDER BY buried_at, pool, name');
  const put = db.prepare(
    `INSERT INTO tombstone (pool, name, uid, ref, why, object, buried_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (pool, name) DO UPDATE SET uid = excluded.uid, ref = excluded.ref, why = excluded.why, object = excluded.object,
       buried_at = excluded.buried_at, expires_at = excluded.expires_at`,
  );
  const remove = db.prepare('DELETE FROM tombstone WHERE pool = ? AND name = ?');

  function row(stored: Stored): TombstoneRow {
    return {
      uid: stored.uid,
      ref: storedRef(db.path, stored.ref),
      pool: stored.pool,
      name: stored.name,
      why: stored.why,
      object: stored.object,
      buriedAt: stored.buried_at,
      expiresAt: stored.expires_at,
    };
  }

  return {
    all: () => all.all().map(row),
    of: (uid) => of.all(uid).map(row),
    put: (one) => {
      put.run(one.pool, one.name, one.uid, refKey(one.ref), one.why, one.object, one.buriedAt, one.expiresAt);
    },
    remove: (pool, name) => {
      remove.run(pool, name);
    },
  };
}
