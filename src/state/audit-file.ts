// The audit log of a ledger file, without a daemon: read only, so it works on a copy, beside a running daemon, and for an auditor.
import { existsSync } from 'node:fs';
import { AppError } from '../core/errors.ts';
import type { ChainHead, ChainVerdict } from './audit-chain.ts';
import { makeAuditTable } from './audit-table.ts';
import { Database } from './database.ts';

/** Throws NOT_FOUND, LEDGER_CORRUPT, LEDGER_WRITE_FAILED (it cannot be read). */
export function verifyLedgerFile(path: string, expected?: ChainHead): ChainVerdict {
  if (!existsSync(path)) throw new AppError('NOT_FOUND', { path }, { message: `There is no ledger "${path}".` });
  const db = new Database(path, { readOnly: true });
  try {
    const tables = db.prepare<{ n: number }>("SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('audit', 'meta')").get();
    if (tables?.n !== 2) throw new AppError('LEDGER_CORRUPT', { path }, { message: `"${path}" is no ledger: it has no audit log.` });
    return makeAuditTable(db).verify(expected);
  } finally {
    db.close();
  }
}
