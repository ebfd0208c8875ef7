// Files and one child process in a temporary directory: what is tested here is what happens to the file itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AppError } from '../../../src/core/errors.ts';
import { makeRef } from '../../../src/core/ref.ts';
import { Database } from '../../../src/state/database.ts';
import { openLedger, setAsideCorruptLedger } from '../../../src/state/open.ts';
import { MIGRATIONS } from '../../../src/state/schema.ts';

const NEWEST = MIGRATIONS.length;

function temporaryPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-ledger-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'ledger.db');
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => (error as AppError).code === expected;
}

test('a new ledger is 0600, and so are its companion files', (t) => {
  const path = temporaryPath(t);
  const ledger = openLedger(path);
  ledger.meta.set('a', 'b');
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
  ledger.close();
});

test('what was written is there after opening again', (t) => {
  const path = temporaryPath(t);
  const first = openLedger(path);
  first.meta.set('hostId', 'h1');
  first.close();
  const second = openLedger(path);
  assert.equal(second.meta.get('hostId'), 'h1');
  second.close();
});

test('a ledger of a newer version is refused and not changed', (t) => {
  const path = temporaryPath(t);
  openLedger(path, { migrations: [...MIGRATIONS, { version: NEWEST + 1, sql: 'CREATE TABLE later (a TEXT) STRICT' }] }).close();
  const before = readFileSync(path);
  assert.throws(() => openLedger(path), code('LEDGER_NEWER'));
  assert.deepEqual(readFileSync(path), before);
});

test('an older ledger is copied, then migrated, and keeps its rows', (t) => {
  const path = temporaryPath(t);
  const old = openLedger(path);
  old.meta.set('hostId', 'h1');
  old.close();
  const migrations = [...MIGRATIONS, { version: NEWEST + 1, sql: "INSERT INTO meta (key, value) VALUES ('migrated', 'yes')" }];
  const migrated = openLedger(path, { migrations });
  assert.equal(migrated.meta.get('hostId'), 'h1');
  assert.equal(migrated.meta.get('migrated'), 'yes');
  assert.equal(migrated.meta.get('schemaVersion'), String(NEWEST + 1));
  migrated.close();

  const copy = openLedger(`${path}.v${NEWEST}`);
  assert.equal(statSync(`${path}.v${NEWEST}`).mode & 0o777, 0o600);
  assert.equal(copy.meta.get('hostId'), 'h1');
  assert.equal(copy.meta.get('migrated'), undefined);
  copy.close();
});

test('tombstones of a ledger that knew one of each object are still there', (t) => {
  const path = temporaryPath(t);
  const old = new Database(path);
  old.exec(MIGRATIONS[0]!.sql);
  old.exec("INSERT INTO meta VALUES ('schemaVersion', '1')");
  old.exec("INSERT INTO tombstone VALUES ('u1', 'Instance/default/-/web', 'fast', 'u1.5', '{}', 5, 6)");
  old.close();
  const ledger = openLedger(path);
  const ref = makeRef('Instance', 'web');
  const row = { uid: 'u1', ref, pool: 'fast', name: 'u1.5', why: 'deleted', object: '{}', buriedAt: 5, expiresAt: 6 };
  assert.deepEqual(ledger.tombstones.all(), [row]);
  ledger.close();
});

test('a migration that fails half-way leaves the old version', (t) => {
  const path = temporaryPath(t);
  openLedger(path).close();
  const migrations = [...MIGRATIONS, { version: NEWEST + 1, sql: "INSERT INTO meta VALUES ('x', 'y'); INSERT INTO nowhere VALUES (1)" }];
  assert.throws(() => openLedger(path, { migrations }));
  const again = openLedger(path);
  assert.equal(again.meta.get('x'), undefined);
  assert.equal(again.meta.get('schemaVersion'), String(NEWEST));
  again.close();
});

for (const [what, spoil] of [
  ['is not a database', (path: string) => writeFileSync(path, 'this is no ledger '.repeat(500))],
  ['was emptied', (path: string) => truncateSync(path, 0)],
  ['was cut short', (path: string) => truncateSync(path, 5000)],
  ['has a page of rubbish', (path: string) => spoilPages(path)],
] as const) {
  test(`a file that ${what} is LEDGER_CORRUPT, and is set aside so that a new one can be made`, (t) => {
    const path = temporaryPath(t);
    const ledger = openLedger(path);
    ledger.transaction(() => {
      for (let n = 0; n < 500; n++) ledger.meta.set(`key${n}`, 'x'.repeat(100));
    });
    ledger.close();
    spoil(path);
    const spoilt = readFileSync(path);
    assert.throws(() => openLedger(path), code('LEDGER_CORRUPT'));
    const aside = setAsideCorruptLedger(path);
    assert.deepEqual(readFileSync(aside), spoilt);
    assert.ok(!existsSync(path) && !existsSync(`${path}-wal`));
    const fresh = openLedger(path);
    assert.equal(fresh.meta.get('key1'), undefined);
    fresh.close();
    assert.notEqual(setAsideCorruptLedger(path), aside);
  });
}

function spoilPages(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096);
  writeFileSync(path, bytes);
}

test('a file without our tables is LEDGER_CORRUPT', (t) => {
  const path = temporaryPath(t);
  const db = new Database(path);
  db.exec(`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) STRICT; INSERT INTO meta VALUES ('schemaVersion', '${NEWEST}')`);
  db.close();
  assert.throws(() => openLedger(path), code('LEDGER_CORRUPT'));
});

test('killed in the middle of a transaction: what was committed is there, nothing of the rest', { timeout: 60_000 }, async (t) => {
  const path = temporaryPath(t);
  const open = new URL('../../../src/state/open.ts', import.meta.url).href;
  const script = `
    import { openLedger } from ${JSON.stringify(open)};
    const ledger = openLedger(${JSON.stringify(path)});
    for (let n = 1; n <= 20; n++) ledger.transaction(() => { ledger.meta.set('committed', String(n)); ledger.meta.set('twin', String(n)); });
    ledger.transaction(() => {
      ledger.meta.set('committed', 'half');
      for (let n = 0; n < 2000; n++) ledger.events.add({ type: 'daemon', severity: 'info', reason: 'Fill', message: 'x'.repeat(5000) }, n);
      process.stdout.write('in transaction\\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30000);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const ledger = openLedger(path);
  assert.equal(ledger.meta.get('committed'), '20');
  assert.equal(ledger.meta.get('twin'), '20');
  assert.equal(ledger.events.latest(1).length, 0);
  ledger.close();
});

test('killed while a new ledger is made: the next start makes it', (t) => {
  const path = temporaryPath(t);
  writeFileSync(`${path}.new`, '');
  const ledger = openLedger(path);
  ledger.close();
  assert.ok(!existsSync(`${path}.new`));
});

test('a power cut that loses the newest transactions leaves an older, usable ledger', (t) => {
  const path = temporaryPath(t);
  const ledger = openLedger(path);
  for (let n = 1; n <= 50; n++) ledger.meta.set('n', String(n));
  const main = readFileSync(path);
  const wal = readFileSync(`${path}-wal`);
  ledger.close();
  rmSync(`${path}-wal`, { force: true });
  writeFileSync(path, main);
  writeFileSync(`${path}-wal`, wal.subarray(0, Math.floor(wal.length / 2) + 100));
  const cut = openLedger(path);
  const n = Number(cut.meta.get('n'));
  assert.ok(n >= 1 && n < 50, `n is ${n}`);
  cut.close();
});
