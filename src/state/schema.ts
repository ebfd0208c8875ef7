// The ledger's schema as a list of migrations. A released migration is never edited: a change of the schema is a new entry.

export interface Migration {
  /** 1, 2, 3 ... without gaps. */
  readonly version: number;
  readonly sql: string;
}

const FIRST = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE object (
  uid TEXT PRIMARY KEY,
  ref TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  line INTEGER NOT NULL,
  document TEXT NOT NULL,
  applied TEXT,
  applied_hash TEXT,
  applied_revision TEXT,
  protected INTEGER NOT NULL,
  declared INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- uid is an object's or, after a move, a tombstone's: so no foreign key.
CREATE TABLE allocation (
  uid TEXT NOT NULL,
  what TEXT NOT NULL,
  scope TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (uid, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX allocation_value ON allocation (scope, value);

CREATE TABLE intent (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL,
  ref TEXT NOT NULL,
  change TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  outcome TEXT,
  revision TEXT NOT NULL
) STRICT;
CREATE INDEX intent_uid ON intent (uid, id);
CREATE INDEX intent_open ON intent (id) WHERE closed_at IS NULL;

CREATE TABLE document (
  ref TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  text TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (
  uid TEXT PRIMARY KEY,
  ref TEXT NOT NULL,
  pool TEXT NOT NULL,
  name TEXT NOT NULL,
  object TEXT NOT NULL,
  buried_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE confirmation (
  source TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  objects TEXT NOT NULL,
  reason TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  confirmed_at INTEGER,
  confirmed_by TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE operation (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_time ON operation (started_at);

CREATE TABLE override (
  id TEXT PRIMARY KEY,
  ref TEXT NOT NULL,
  patch TEXT NOT NULL,
  owner TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a sequence number is never given twice, also after the newest rows were deleted.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  type TEXT NOT NULL,
  severity TEXT NOT NULL,
  ref TEXT,
  reason TEXT NOT NULL,
  message TEXT NOT NULL,
  data TEXT
) STRICT;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  ref TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
`;

// One object may have several: of its deletion, and of each root volume that a recreate replaced.
const TOMBSTONES_BY_NAME = `
CREATE TABLE tombstone_by_name (
  pool TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  ref TEXT NOT NULL,
  why TEXT NOT NULL CHECK (why IN ('deleted', 'replaced', 'returning')),
  object TEXT NOT NULL,
  buried_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (pool, name)
) STRICT, WITHOUT ROWID;
INSERT INTO tombstone_by_name (pool, name, uid, ref, why, object, buried_at, expires_at)
  SELECT pool, name, uid, ref, 'deleted', object, buried_at, expires_at FROM tombstone;
DROP TABLE tombstone;
ALTER TABLE tombstone_by_name RENAME TO tombstone;
CREATE INDEX tombstone_uid ON tombstone (uid);
`;

const FORGOTTEN_SOURCES = `
-- No longer configured, and somebody said that what they declared is to go.
CREATE TABLE forgotten_source (name TEXT PRIMARY KEY, forgotten_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Objects that a source no longer declares and that stay because they are protected.
ALTER TABLE confirmation ADD COLUMN protected TEXT NOT NULL DEFAULT '[]';
`;

/** The audit log's newest entry is kept apart from it; history and audit are found by object. */
const AUDIT_HEAD = `
INSERT INTO meta (key, value) SELECT 'audit_head', seq || ' ' || hash FROM audit ORDER BY seq DESC LIMIT 1;
CREATE INDEX audit_ref ON audit (ref, seq);
CREATE INDEX intent_ref ON intent (ref, id);
`;

const CONSENTS = `
CREATE TABLE consent (
  uid TEXT PRIMARY KEY,
  action TEXT NOT NULL,
  hash TEXT NOT NULL,
  reason TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  confirmed_at INTEGER,
  confirmed_by TEXT
) STRICT, WITHOUT ROWID;
`;

/** A root volume is written down before it is buried: until it is, its row says so. */
const ROOTS_BEING_REPLACED = `
CREATE TABLE tombstone_with_replacing (
  pool TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  ref TEXT NOT NULL,
  why TEXT NOT NULL CHECK (why IN ('deleted', 'replacing', 'replaced', 'returning')),
  object TEXT NOT NULL,
  buried_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (pool, name)
) STRICT, WITHOUT ROWID;
INSERT INTO tombstone_with_replacing SELECT pool, name, uid, ref, why, object, buried_at, expires_at FROM tombstone;
DROP TABLE tombstone;
ALTER TABLE tombstone_with_replacing RENAME TO tombstone;
CREATE INDEX tombstone_uid ON tombstone (uid);
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: FIRST },
  { version: 2, sql: TOMBSTONES_BY_NAME },
  { version: 3, sql: FORGOTTEN_SOURCES },
  { version: 4, sql: AUDIT_HEAD },
  { version: 5, sql: CONSENTS },
  { version: 6, sql: ROOTS_BEING_REPLACED },
];
