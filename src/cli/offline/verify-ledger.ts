// Checks the audit log of a ledger file without a daemon.
import type { ChainHead, ChainVerdict } from '../../state/audit-chain.ts';
import { verifyLedgerFile } from '../../state/audit-file.ts';

export function verifyLedger(path: string, expected?: ChainHead): ChainVerdict {
  return verifyLedgerFile(path, expected);
}
