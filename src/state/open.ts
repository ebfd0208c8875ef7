// Opens `<state-dir>/ledger.db`: makes it when there is none, migrates an older one after a copy, refuses a newer one, and tells a
// damaged one apart. A new ledger is made under another name and renamed, so an empty file is always damage, never a first start.
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError, errorChain, toAppError } from '../core/errors.ts';
import { makeAllocationTable } from './allocation-table.ts';
import { makeAuditTable } from './audit-table.ts';
import { makeConfirmationTable } from './confirmation-table.ts';
import { makeConsentTable } from './consent-table.ts';
import { Database } from './database.ts';
import { makeDocumentTable } from './document-table.ts';
import { makeEventTable } from './event-table.ts';
import { makeForgottenTable } from './forgotten-table.ts';
import { makeIntentTable } from './intent-table.ts';
import type { Ledger } from './ledger.ts';
import { makeMetaTable } from './meta-table.ts';
import { makeObjectTable } from './object-table.ts';
import { makeOperationTable } from './operation-table.ts';
import { makeOverrideTable } from './override-table.ts';
import { type Migration, MIGRATIONS } from './schema.ts';
import { makeTombstoneTable } from './tombstone-table.ts';

const VERSION_KEY = 'schemaVersion';
/** SQLite's companions of the main file. */
const SUFFIXES = ['', '-wal', '-shm'] as const;

export interface OpenOptions {
  /** For tests of migrating itself. */
  readonly migrations?: readonly Migration[];
}

/**
 * Opens or makes the ledger at `path` (`:memory:` for tests). Its file is 0600.
 * Throws LEDGER_NEWER, LEDGER_CORRUPT, LEDGER_WRITE_FAILED, DISK_FULL.
 */
export function openLedger(path: string, options: OpenOptions = {}): Ledger {
  const migrations = options.migrations ?? MIGRATIONS;
  const onDisk = path !== ':memory:';
  if (onDisk) asVersioned(path, () => prepareFile(path, migrations));
  const db = new Database(path);
  try {
    return asVersioned(path, () => {
      configure(db);
      if (!onDisk) migrate(db, 0, migrations);
      return makeLedger(db);
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

/** SQLITE_ERROR for SQL that never changes: a table or column is missing, so the file is not what its version says. */
function asVersioned<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AppError && error.detail['sqlite'] === 1) throw corrupt(path, errorChain(error).messages.join(': '));
    throw error;
  }
}

/**
 * Moves a damaged ledger out of the way, with its companion files, and returns its new path.
 * Ownership is then rebuilt from the instances' own records (rebuild.ts).
 */
export function setAsideCorruptLedger(path: string): string {
  let aside = `${path}.corrupt`;
  for (let n = 2; existsSync(aside); n++) aside = `${path}.corrupt-${n}`;
  for (const suffix of SUFFIXES) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  syncDirectory(path);
  return aside;
}

/** Bytes on disk of the ledger and its write-ahead log. */
export function ledgerBytes(path: string): number {
  return SUFFIXES.reduce((sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0), 0);
}

function prepareFile(path: string, migrations: readonly Migration[]): void {
  try {
    if (!existsSync(path)) create(path, migrations);
    if (statSync(path).size === 0) throw corrupt(path, 'it is empty');
    chmodSync(path, 0o600);
  } catch (error) {
    throw toAppError(error, 'LEDGER_WRITE_FAILED', { path });
  }
  const db = new Database(path);
  try {
    check(db);
    upgrade(db, migrations);
  } finally {
    db.close();
  }
}

function create(path: string, migrations: readonly Migration[]): void {
  const making = `${path}.new`;
  for (const suffix of SUFFIXES) rmSync(making + suffix, { force: true });
  // SQLite gives its companion files the mode of the main one.
  closeSync(openSync(making, 'wx', 0o600));
  const db = new Database(making);
  try {
    configure(db);
    migrate(db, 0, migrations);
  } finally {
    db.close(); // the last connection's close folds the write-ahead log into the file
  }
  renameSync(making, path);
  syncDirectory(path);
}

function configure(db: Database): void {
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec('PRAGMA trusted_schema = OFF');
}

function check(db: Database): void {
  const [first] = db.prepare<{ quick_check: string }>('PRAGMA quick_check(1)').all();
  if (first?.quick_check !== 'ok') throw corrupt(db.path, first?.quick_check ?? 'the check gave no answer');
}

function upgrade(db: Database, migrations: readonly Migration[]): void {
  const found = versionOf(db);
  const known = newest(migrations);
  if (found > known) {
    throw new AppError(
      'LEDGER_NEWER',
      { path: db.path, found, known },
      {
        message: `The ledger "${db.path}" has schema version ${found}; this program knows versions up to ${known}.`,
        hint: 'Start the newer version of Lockstep again. Containers are untouched.',
      },
    );
  }
  if (found === known) return;
  configure(db);
  copyBefore(db, found);
  migrate(db, found, migrations);
}

function versionOf(db: Database): number {
  const tables = db.prepare<{ n: number }>("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table' AND name = 'meta'").get();
  if (!tables?.n) throw corrupt(db.path, 'it has no table "meta"');
  const text = makeMetaTable(db).get(VERSION_KEY);
  if (text === undefined || !/^[1-9][0-9]{0,8}$/.test(text)) throw corrupt(db.path, 'it does not say its schema version');
  return Number(text);
}

function newest(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

/** All steps are one transaction: a crash in between leaves the old version as it was. */
function migrate(db: Database, from: number, migrations: readonly Migration[]): void {
  db.transaction(() => {
    for (const { version, sql } of migrations) if (version > from) db.exec(sql);
    makeMetaTable(db).set(VERSION_KEY, String(newest(migrations)));
  });
}

function copyBefore(db: Database, version: number): void {
  const copy = `${db.path}.v${version}`;
  rmSync(copy, { force: true });
  closeSync(openSync(copy, 'wx', 0o600)); // VACUUM INTO takes an empty file, and leaves its mode
  db.prepare('VACUUM INTO ?').run(copy);
}

function corrupt(path: string, why: string): AppError {
  return new AppError('LEDGER_CORRUPT', { path }, { message: `The ledger "${path}" cannot be used: ${why}.` });
}

function syncDirectory(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function makeLedger(db: Database): Ledger {
  return {
    meta: makeMetaTable(db),
    objects: makeObjectTable(db),
    allocations: makeAllocationTable(db),
    intents: makeIntentTable(db),
    documents: makeDocumentTable(db),
    tombstones: makeTombstoneTable(db),
    confirmations: makeConfirmationTable(db),
    consents: makeConsentTable(db),
    forgotten: makeForgottenTable(db),
    operations: makeOperationTable(db),
    overrides: makeOverrideTable(db),
    events: makeEventTable(db),
    audit: makeAuditTable(db),
    transaction: (work) => db.transaction(work),
    note: (work) => db.note(work),
    close: () => db.close(),
  };
}
