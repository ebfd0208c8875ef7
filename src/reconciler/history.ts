// An object's history: the changes of each run, as the ledger has recorded them. Pure.
import type { FieldChange, Verdict } from '../kinds/kind.ts';
import type { IntentRow } from '../state/ledger.ts';
import { parseRecordedChange } from './recording.ts';

export interface HistoryChange {
  /** Name of the change (`do`). */
  readonly change: string;
  readonly verdict: Verdict;
  readonly summary: string;
  readonly fields: readonly FieldChange[];
  /** `done`, `waiting`, `dropped`, `superseded`, `not-started`, `interrupted`, or an error code; null while under way. */
  readonly outcome: string | null;
  readonly closedAt: number | null;
}

/** Changes that were planned together. */
export interface HistoryRun {
  readonly openedAt: number;
  readonly closedAt: number | null;
  readonly durationMs: number | null;
  readonly revision: string;
  readonly source?: string;
  /** The events that made us look. */
  readonly causes: readonly string[];
  /** `done`, or how the first change that was not done ended; null while under way. */
  readonly outcome: string | null;
  readonly changes: readonly HistoryChange[];
}

/** `rows`: newest first, as the ledger gives them. */
export function historyOf(rows: readonly IntentRow[], limit: number): readonly HistoryRun[] {
  // Everything that starts together is opened in one transaction, with one time.
  const runs = Map.groupBy(rows.toReversed(), (row) => `${row.uid} ${row.openedAt} ${row.revision}`);
  return [...runs.values()].map(runOf).toReversed().slice(0, limit);
}

function runOf(rows: readonly IntentRow[]): HistoryRun {
  const { openedAt, revision } = rows[0]!;
  const recorded = rows.map((row) => ({ ...parseRecordedChange(row.change), outcome: row.outcome, closedAt: row.closedAt }));
  const { source, causes } = recorded[0]!;
  const open = rows.some((row) => row.closedAt === null);
  const closedAt = open ? null : Math.max(...rows.map((row) => row.closedAt!));
  return {
    openedAt,
    closedAt,
    durationMs: closedAt === null ? null : closedAt - openedAt,
    revision,
    ...(source === undefined ? {} : { source }),
    causes,
    outcome: open ? null : (rows.find((row) => row.outcome !== 'done')?.outcome ?? 'done'),
    changes: recorded.map(({ change, verdict, summary, fields, outcome, closedAt: at }) => ({
      change,
      verdict,
      summary,
      fields,
      outcome,
      closedAt: at,
    })),
  };
}
