// What one object waits for a person's word about: a new root volume, a restart.
import type { Database } from './database.ts';
import type { ConsentTable } from './ledger.ts';

interface Stored {
  uid: string;
  action: string;
  hash: string;
  reason: string;
  asked_at: number;
  confirmed_at: number | null;
  confirmed_by: string | null;
}

export function makeConsentTable(db: Database): ConsentTable {
  const all = db.prepare<Stored>('SELECT * FROM consent ORDER BY uid');
  const put = db.prepare(
    `INSERT INTO consent (uid, action, hash, reason, asked_at, confirmed_at, confirmed_by) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (uid) DO UPDATE SET action = excluded.action, hash = excluded.hash, reason = excluded.reason,
       asked_at = excluded.asked_at, confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by`,
  );
  const remove = db.prepare('DELETE FROM consent WHERE uid = ?');
  return {
    all: () =>
      all.all().map((stored) => ({
        uid: stored.uid,
        action: stored.action === 'restart' ? 'restart' : 'recreate',
        hash: stored.hash,
        reason: stored.reason,
        askedAt: stored.asked_at,
        confirmedAt: stored.confirmed_at,
        confirmedBy: stored.confirmed_by,
      })),
    put: (row) => {
      put.run(row.uid, row.action, row.hash, row.reason, row.askedAt, row.confirmedAt, row.confirmedBy);
    },
    remove: (uid) => {
      remove.run(uid);
    },
  };
}
