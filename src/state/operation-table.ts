// Imperative work (exec, snapshot, restore ...) with its outcome. Bounded: only the newest finished ones are kept.
import type { RefKey } from '../core/ref.ts';
import type { Database } from './database.ts';
import type { OperationRow, OperationTable } from './ledger.ts';

const KEEP = 1000;

interface Stored {
  id: string;
  kind: string;
  ref: string;
  state: OperationRow['state'];
  started_at: number;
  ended_at: number | null;
  detail: string;
}

export function makeOperationTable(db: Database): OperationTable {
  const recent = db.prepare<Stored>('SELECT * FROM operation ORDER BY started_at DESC, id DESC LIMIT ?');
  const put = db.prepare(
    `INSERT INTO operation (id, kind, ref, state, started_at, ended_at, detail) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, ref = excluded.ref, state = excluded.state, started_at = excluded.started_at,
       ended_at = excluded.ended_at, detail = excluded.detail`,
  );
  const bound = db.prepare(
    `DELETE FROM operation WHERE id IN (
       SELECT id FROM operation WHERE state <> 'running' ORDER BY started_at DESC, id DESC LIMIT -1 OFFSET ${KEEP})`,
  );
  return {
    recent: (limit) =>
      recent.all(limit).map((stored) => ({
        id: stored.id,
        kind: stored.kind,
        ref: stored.ref as RefKey,
        state: stored.state,
        startedAt: stored.started_at,
        endedAt: stored.ended_at,
        detail: stored.detail,
      })),
    put: (row) => {
      db.atomically(() => {
        put.run(row.id, row.kind, row.ref, row.state, row.startedAt, row.endedAt, row.detail);
        if (row.state !== 'running') bound.run();
      });
    },
  };
}
