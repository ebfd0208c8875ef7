// Who changed what and why, append-only, as a chain of hashes (audit-chain.ts). It is never pruned.
import type { Database } from './database.ts';
import { ChainCheck, chainHash, checkChain, EMPTY_HEAD, type ChainHead } from './audit-chain.ts';
import type { AuditEntry, AuditTable } from './ledger.ts';
import { makeMetaTable } from './meta-table.ts';

/** Number and hash of the newest entry; written with it in one transaction. The schema's second version brought it (schema.ts). */
const HEAD_KEY = 'audit_head';

export function makeAuditTable(db: Database): AuditTable {
  const meta = makeMetaTable(db);
  const insert = db.prepare('INSERT INTO audit (seq, at, actor, action, ref, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)');
  const latest = db.prepare<AuditEntry>('SELECT * FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT ?) ORDER BY seq');
  const inOrder = db.prepare<AuditEntry>('SELECT * FROM audit ORDER BY seq');
  const after = db.prepare<AuditEntry>('SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?');
  const before = db.prepare<AuditEntry>('SELECT * FROM audit WHERE seq < ? AND at >= ? ORDER BY seq DESC LIMIT ?');
  const beforeOf = db.prepare<AuditEntry>('SELECT * FROM audit WHERE ref = ? AND seq < ? AND at >= ? ORDER BY seq DESC LIMIT ?');

  function head(): ChainHead {
    const [seq, hash] = meta.get(HEAD_KEY)?.split(' ') ?? [];
    return seq === undefined || hash === undefined || hash === '' ? EMPTY_HEAD : { seq: Number(seq), hash };
  }

  return {
    add: (entry) =>
      db.atomically(() => {
        const last = head();
        const unsigned = { seq: last.seq + 1, ...entry };
        const signed = { ...unsigned, hash: chainHash(last.hash, unsigned) };
        insert.run(signed.seq, signed.at, signed.actor, signed.action, signed.ref, signed.detail, signed.hash);
        meta.set(HEAD_KEY, `${signed.seq} ${signed.hash}`);
        return signed;
      }),
    latest: (limit) => latest.all(limit).map(plain),
    page: ({ before: bound = Number.MAX_SAFE_INTEGER, since = 0, ref, limit }) =>
      (ref === undefined ? before.all(bound, since, limit) : beforeOf.all(ref, bound, since, limit)).map(plain),
    after: (seq, limit) => after.all(seq, limit).map(plain),
    head,
    check: (expected) => new ChainCheck(expected),
    verify: (expected) => checkChain(inOrder.each(), head(), expected),
  };
}

function plain(entry: AuditEntry): AuditEntry {
  const { seq, at, actor, action, ref, detail, hash } = entry;
  return { seq, at, actor, action, ref, detail, hash };
}
