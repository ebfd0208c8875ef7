// A thin layer over node:sqlite for the tables beside it: statements prepared once, one transaction at a time, and every SQLite
// error turned into one of our codes.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { AppError, type ErrorCode } from '../core/errors.ts';
import { parseRefKey, type ResourceRef } from '../core/ref.ts';

// Primary result codes of sqlite3.h; extended codes carry them in their low byte.
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

export interface Statement<Row> {
  run(...parameters: SQLInputValue[]): { readonly changes: number; readonly lastId: number };
  get(...parameters: SQLInputValue[]): Row | undefined;
  all(...parameters: SQLInputValue[]): Row[];
  /** Row by row, for tables that may be large. */
  each(...parameters: SQLInputValue[]): Iterable<Row>;
}

export class Database {
  readonly path: string;
  readonly #db: DatabaseSync;

  /** `:memory:` is allowed. Throws LEDGER_CORRUPT, LEDGER_WRITE_FAILED, DISK_FULL. */
  constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
    this.path = path;
    this.#db = guarded(path, () => new DatabaseSync(path, { timeout: 5000, readOnly: options.readOnly ?? false }));
  }

  /** Fixed SQL without parameters. */
  exec(sql: string): void {
    guarded(this.path, () => this.#db.exec(sql));
  }

  /** `Row` is what the statement's columns hold; STRICT tables make it true. */
  prepare<Row = never>(sql: string): Statement<Row> {
    const path = this.path;
    const statement: StatementSync = guarded(path, () => this.#db.prepare(sql));
    return {
      run: (...parameters) => {
        const { changes, lastInsertRowid } = guarded(path, () => statement.run(...parameters));
        return { changes: Number(changes), lastId: Number(lastInsertRowid) };
      },
      get: (...parameters) => guarded(path, () => statement.get(...parameters)) as Row | undefined,
      all: (...parameters) => guarded(path, () => statement.all(...parameters)) as Row[],
      each: (...parameters) => guarded(path, () => statement.iterate(...parameters)) as Iterable<Row>,
    };
  }

  /** Commits when `work` returns, rolls back when it throws. BEGIN IMMEDIATE takes the write lock at once, so it never fails half-way. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) throw new Error('A ledger transaction was begun inside another one.');
    this.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      if (result instanceof Promise) throw new Error('A ledger transaction must not be asynchronous.');
      this.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has already rolled back by itself after some errors (disk full, I/O); a second ROLLBACK would hide the first error.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * As `transaction`, without waiting for the disk: in WAL mode synchronous=NORMAL syncs only at checkpoints, and a commit with FULL syncs
   * the log with all commits before it (sqlite.org/pragma.html#pragma_synchronous).
   */
  note<T>(work: () => T): T {
    this.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(work);
    } finally {
      this.exec('PRAGMA synchronous = FULL');
    }
  }

  /** Like `transaction`, but joins one that is already open: for table methods that need several statements. */
  atomically<T>(work: () => T): T {
    return this.#db.isTransaction ? work() : this.transaction(work);
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(path, error);
  }
}

function translate(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const primary = error.errcode & 0xff;
  const { code, text } = meaning(primary);
  const sentence = `The ledger "${path}" ${text}.`;
  return new AppError(code, { path, sqlite: error.errcode }, { message: sentence, cause: error, ...hintFor(code) });
}

function meaning(primary: number): { code: ErrorCode; text: string } {
  switch (primary) {
    case SQLITE_FULL:
      return { code: 'DISK_FULL', text: 'could not be written because the disk is full' };
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return { code: 'LEDGER_CORRUPT', text: 'is damaged or is not a ledger' };
    case SQLITE_BUSY:
      return { code: 'LEDGER_WRITE_FAILED', text: 'is locked by another process' };
    case SQLITE_CONSTRAINT:
      return { code: 'CONFLICT', text: 'already holds another record of the same object' };
    default:
      return { code: 'LEDGER_WRITE_FAILED', text: 'could not be read or written' };
  }
}

function hintFor(code: ErrorCode): { hint: string } | Record<string, never> {
  if (code === 'DISK_FULL') return { hint: 'Free some space; nothing was changed and work goes on by itself.' };
  return {};
}

/** The ref behind a stored key. A key that does not parse means that the row was damaged. */
export function storedRef(path: string, key: string): ResourceRef {
  const ref = parseRefKey(key);
  if (!ref) throw new AppError('LEDGER_CORRUPT', { path, key }, { message: `The ledger "${path}" holds "${key}", which names no object.` });
  return ref;
}
