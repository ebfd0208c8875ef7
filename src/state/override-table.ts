// Temporary changes over what sources declare: merge patches with an owner, a reason and an end.
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { OverrideTable } from './ledger.ts';

interface Stored {
  id: string;
  ref: string;
  patch: string;
  owner: string;
  reason: string;
  created_at: number;
  expires_at: number;
}

export function makeOverrideTable(db: Database): OverrideTable {
  const all = db.prepare<Stored>('SELECT * FROM override ORDER BY created_at, id');
  const put = db.prepare(
    `INSERT INTO override (id, ref, patch, owner, reason, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET ref = excluded.ref, patch = excluded.patch, owner = excluded.owner, reason = excluded.reason,
       created_at = excluded.created_at, expires_at = excluded.expires_at`,
  );
  const remove = db.prepare('DELETE FROM override WHERE id = ?');
  return {
    all: () =>
      all.all().map((stored) => ({
        id: stored.id,
        ref: storedRef(db.path, stored.ref),
        patch: stored.patch,
        owner: stored.owner,
        reason: stored.reason,
        createdAt: stored.created_at,
        expiresAt: stored.expires_at,
      })),
    put: (row) => {
      put.run(row.id, refKey(row.ref), row.patch, row.owner, row.reason, row.createdAt, row.expiresAt);
    },
    remove: (id) => {
      remove.run(id);
    },
  };
}
