// Who changed what, as a chain of hashes: editing or removing an entry in the middle is found by `verify`.
import { canonicalJson, sha256Hex } from '../core/hash.ts';
import type { Database } from './database.ts';
import type { AuditEntry, AuditTable } from './ledger.ts';

export function makeAuditTable(db: Database): AuditTable {
  const last = db.prepare<AuditEntry>('SELECT * FROM audit ORDER BY seq DESC LIMIT 1');
  const insert = db.prepare('INSERT INTO audit (seq, at, actor, action, ref, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)');
  const latest = db.prepare<AuditEntry>('SELECT * FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT ?) ORDER BY seq');
  const inOrder = db.prepare<AuditEntry>('SELECT * FROM audit ORDER BY seq');

  return {
    add: (entry) =>
      db.atomically(() => {
        const before = last.get();
        const unsigned = { seq: (before?.seq ?? 0) + 1, ...entry };
        const signed = { ...unsigned, hash: chainHash(before?.hash ?? '', unsigned) };
        insert.run(signed.seq, signed.at, signed.actor, signed.action, signed.ref, signed.detail, signed.hash);
        return signed;
      }),
    latest: (limit) => latest.all(limit).map(plain),
    verify: () => {
      let before = '';
      let seq = 0;
      for (const entry of inOrder.each()) {
        seq += 1;
        if (entry.seq !== seq || entry.hash !== chainHash(before, entry)) return plain(entry);
        before = entry.hash;
      }
      return undefined;
    },
  };
}

function chainHash(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  const { seq, at, actor, action, ref, detail } = entry;
  return sha256Hex(`${before}\n${canonicalJson({ seq, at, actor, action, ref, detail })}`);
}

function plain(entry: AuditEntry): AuditEntry {
  const { seq, at, actor, action, ref, detail, hash } = entry;
  return { seq, at, actor, action, ref, detail, hash };
}
