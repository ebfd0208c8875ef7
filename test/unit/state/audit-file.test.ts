// A ledger file in a temporary directory: what is tested is that a file can be checked without the daemon, and is not changed by it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AppError } from '../../../src/core/errors.ts';
import { verifyLedgerFile } from '../../../src/state/audit-file.ts';
import { Database } from '../../../src/state/database.ts';
import { openLedger } from '../../../src/state/open.ts';
import { MIGRATIONS } from '../../../src/state/schema.ts';

function temporaryPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'ledger.db');
}

test('a ledger file is checked beside a daemon that has it open, and on its own, without a change to it', (t) => {
  const path = temporaryPath(t);
  const ledger = openLedger(path);
  for (let n = 1; n <= 3; n++) ledger.audit.add({ at: n, actor: 'uid:0', action: 'sync', ref: '-', detail: '{}' });
  assert.deepEqual([verifyLedgerFile(path).entries, verifyLedgerFile(path).broken], [3, undefined]);
  ledger.close();
  const before = readFileSync(path);
  assert.equal(verifyLedgerFile(path).entries, 3);
  assert.deepEqual(readFileSync(path), before);
  const db = new Database(path);
  db.exec('DELETE FROM audit WHERE seq = 3');
  db.close();
  assert.equal(verifyLedgerFile(path).broken?.seq, 3);
});

test('what is no ledger is told apart from a broken chain', (t) => {
  const path = temporaryPath(t);
  assert.throws(
    () => verifyLedgerFile(path),
    (error) => (error as AppError).code === 'NOT_FOUND',
  );
  writeFileSync(path, 'this is no ledger '.repeat(500));
  assert.throws(
    () => verifyLedgerFile(path),
    (error) => (error as AppError).code === 'LEDGER_CORRUPT',
  );
});

test('a ledger of the first version takes its chain along when it is migrated', (t) => {
  const path = temporaryPath(t);
  const db = new Database(path);
  db.exec(MIGRATIONS[0]!.sql);
  db.exec("INSERT INTO meta VALUES ('schemaVersion', '1')");
  // As the first version wrote it: without a note of the newest entry.
  db.exec(`INSERT INTO audit VALUES (1, 1, 'uid:0', 'sync', '-', 'x', '${'0123456789abcdef'.repeat(4)}')`);
  db.close();
  const ledger = openLedger(path);
  assert.deepEqual(ledger.audit.head(), { seq: 1, hash: '0123456789abcdef'.repeat(4) });
  assert.equal(ledger.audit.add({ at: 2, actor: 'uid:0', action: 'sync', ref: '-', detail: 'y' }).seq, 2);
  ledger.close();
});
