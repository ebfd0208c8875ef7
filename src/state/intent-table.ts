// The write-ahead log of changes: an intent is committed before its change touches the host and closed with its outcome, so that the
// next start knows what may be half done.
import type { RefKey } from '../core/ref.ts';
import type { Database } from './database.ts';
import type { IntentRow, IntentTable } from './ledger.ts';

/** Closed intents of an object that are kept for its history. */
const KEPT_INTENTS = 50;
/** Closed intents of objects that are gone for good: this many are kept for history in all. */
const KEEP_OF_GONE = 1000;
/** Those of gone objects are dropped now and then: it takes a pass over all. */
const PRUNE_EVERY = 1000;

interface Stored {
  id: number;
  uid: string;
  ref: string;
  change: string;
  opened_at: number;
  closed_at: number | null;
  outcome: string | null;
  revision: string;
}

function row(stored: Stored): IntentRow {
  return {
    id: stored.id,
    uid: stored.uid,
    ref: stored.ref as RefKey,
    change: stored.change,
    openedAt: stored.opened_at,
    closedAt: stored.closed_at,
    outcome: stored.outcome,
    revision: stored.revision,
  };
}

export function makeIntentTable(db: Database): IntentTable {
  const insert = db.prepare('INSERT INTO intent (uid, ref, change, opened_at, revision) VALUES (?, ?, ?, ?, ?)');
  const close = db.prepare('UPDATE intent SET closed_at = ?, outcome = ? WHERE id = ? AND closed_at IS NULL');
  const open = db.prepare<Stored>('SELECT * FROM intent WHERE closed_at IS NULL ORDER BY id');
  const history = db.prepare<Stored>('SELECT * FROM intent WHERE uid = ? ORDER BY id DESC LIMIT ?');
  const historyOf = db.prepare<Stored>('SELECT * FROM intent WHERE ref = ? ORDER BY id DESC LIMIT ?');
  const pruneOne = db.prepare(
    `DELETE FROM intent WHERE uid = ?1 AND closed_at IS NOT NULL
       AND id <= (SELECT id FROM intent WHERE uid = ?1 AND closed_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ${KEPT_INTENTS})`,
  );
  const since = db.prepare<Stored>('SELECT * FROM intent WHERE opened_at >= ? ORDER BY id');
  const prune = db.prepare(
    `DELETE FROM intent WHERE id IN (
       SELECT id FROM (SELECT id, closed_at, row_number() OVER (PARTITION BY uid, closed_at IS NULL ORDER BY id DESC) AS place FROM intent)
       WHERE closed_at IS NOT NULL AND place > ?)`,
  );
  const pruneGone = db.prepare(
    `DELETE FROM intent WHERE id IN (
       SELECT id FROM intent WHERE closed_at IS NOT NULL
         AND uid NOT IN (SELECT uid FROM object) AND uid NOT IN (SELECT uid FROM tombstone)
       ORDER BY id DESC LIMIT -1 OFFSET ${KEEP_OF_GONE})`,
  );

  let opened = 0;
  return {
    open: (intents) =>
      db.atomically(() => {
        const ids = intents.map((one) => insert.run(one.uid, one.ref, one.change, one.openedAt, one.revision).lastId);
        for (const uid of new Set(intents.map((one) => one.uid))) pruneOne.run(uid);
        opened += ids.length;
        if (opened >= PRUNE_EVERY) {
          opened = 0;
          pruneGone.run();
        }
        return ids;
      }),
    close: (id, outcome, at) => {
      close.run(at, outcome, id);
    },
    openIntents: () => open.all().map(row),
    history: (uid, limit) => history.all(uid, limit).map(row),
    historyOf: (ref, limit) => historyOf.all(ref, limit).map(row),
    since: (at) => since.all(at).map(row),
    prune: (keep) => {
      db.atomically(() => {
        prune.run(keep);
        pruneGone.run();
      });
    },
  };
}
