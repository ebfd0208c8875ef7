// Every object we know: who declares it, its last valid document, and what was last applied. What is not here is not ours.
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { ObjectRow, ObjectTable } from './ledger.ts';

interface Stored {
  uid: string;
  ref: string;
  source: string;
  path: string;
  line: number;
  document: string;
  applied: string | null;
  applied_hash: string | null;
  applied_revision: string | null;
  protected: number;
  declared: number;
  created_at: number;
}

export function makeObjectTable(db: Database): ObjectTable {
  const all = db.prepare<Stored>('SELECT * FROM object ORDER BY ref');
  const byRef = db.prepare<Stored>('SELECT * FROM object WHERE ref = ?');
  const byUid = db.prepare<Stored>('SELECT * FROM object WHERE uid = ?');
  const put = db.prepare(
    `INSERT INTO object (uid, ref, source, path, line, document, applied, applied_hash, applied_revision, protected, declared, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (uid) DO UPDATE SET ref = excluded.ref, source = excluded.source, path = excluded.path, line = excluded.line,
       document = excluded.document, applied = excluded.applied, applied_hash = excluded.applied_hash,
       applied_revision = excluded.applied_revision, protected = excluded.protected, declared = excluded.declared,
       created_at = excluded.created_at`,
  );
  const setApplied = db.prepare('UPDATE object SET applied = ?, applied_hash = ?, applied_revision = ? WHERE uid = ?');
  const remove = db.prepare('DELETE FROM object WHERE uid = ?');
  const removeAllocations = db.prepare('DELETE FROM allocation WHERE uid = ?');

  function row(stored: Stored): ObjectRow {
    return {
      uid: stored.uid,
      ref: storedRef(db.path, stored.ref),
      source: stored.source,
      path: stored.path,
      line: stored.line,
      document: stored.document,
      applied: stored.applied,
      appliedHash: stored.applied_hash,
      appliedRevision: stored.applied_revision,
      protected: stored.protected !== 0,
      declared: stored.declared !== 0,
      createdAt: stored.created_at,
    };
  }

  function optional(stored: Stored | undefined): ObjectRow | undefined {
    return stored && row(stored);
  }

  return {
    all: () => all.all().map(row),
    get: (ref) => optional(byRef.get(refKey(ref))),
    byUid: (uid) => optional(byUid.get(uid)),
    put: (one) => {
      put.run(
        one.uid,
        refKey(one.ref),
        one.source,
        one.path,
        one.line,
        one.document,
        one.applied,
        one.appliedHash,
        one.appliedRevision,
        one.protected ? 1 : 0,
        one.declared ? 1 : 0,
        one.createdAt,
      );
    },
    setApplied: (uid, applied, hash, revision) => {
      setApplied.run(applied, hash, revision, uid);
    },
    remove: (uid) => {
      db.atomically(() => {
        removeAllocations.run(uid);
        remove.run(uid);
      });
    },
  };
}
