// What happened, for people and clients. Bounded; sequence numbers go on across restarts and are never given twice.
import type { LockstepEvent, NewEvent } from '../core/events.ts';
import { refKey } from '../core/ref.ts';
import { type Database, storedRef } from './database.ts';
import type { EventTable } from './ledger.ts';

const KEEP = 10_000;

interface Stored {
  seq: number;
  time: number;
  type: LockstepEvent['type'];
  severity: LockstepEvent['severity'];
  ref: string | null;
  reason: string;
  message: string;
  data: string | null;
}

/** `keep`: how many of the newest stay. */
export function makeEventTable(db: Database, keep: number = KEEP): EventTable {
  const insert = db.prepare('INSERT INTO event (time, type, severity, ref, reason, message, data) VALUES (?, ?, ?, ?, ?, ?, ?)');
  const bound = db.prepare('DELETE FROM event WHERE seq <= ?');
  const since = db.prepare<Stored>('SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?');
  const latest = db.prepare<Stored>('SELECT * FROM (SELECT * FROM event ORDER BY seq DESC LIMIT ?) ORDER BY seq');

  function event(stored: Stored): LockstepEvent {
    return {
      seq: stored.seq,
      time: stored.time,
      type: stored.type,
      severity: stored.severity,
      ...(stored.ref === null ? {} : { ref: storedRef(db.path, stored.ref) }),
      reason: stored.reason,
      message: stored.message,
      ...(stored.data === null ? {} : { data: JSON.parse(stored.data) as Record<string, unknown> }),
    };
  }

  return {
    add: (one: NewEvent, at: number) =>
      db.atomically(() => {
        const { lastId } = insert.run(
          at,
          one.type,
          one.severity,
          one.ref ? refKey(one.ref) : null,
          one.reason,
          one.message,
          one.data === undefined ? null : JSON.stringify(one.data),
        );
        bound.run(lastId - keep);
        return { ...one, seq: lastId, time: at };
      }),
    since: (seq, limit) => since.all(seq, limit).map(event),
    latest: (limit) => latest.all(limit).map(event),
  };
}
