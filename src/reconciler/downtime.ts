// How long an object is expected to be down when it is restarted: from what its last restarts and starts took, as the ledger's intents
// say, and from the time its guest may take to shut down. Pure.
import type { Described } from '../kinds/kind.ts';
import type { IntentRow } from '../state/ledger.ts';

export interface Downtime {
  /** In words, with what the figure is from. */
  readonly downtime: string;
  readonly expectedDowntimeMs?: number;
  /** `restarts`: what its last ones took. `start`: what its last starts took; its shutdown comes on top. `limit`: nothing is known yet. */
  readonly downtimeFrom: 'restarts' | 'start' | 'limit';
}

/** The newest ones count. */
const KEPT = 5;

/** Undefined when this change takes nothing down that a figure could be worked out for. `intents`: of this object, in any order. */
export function downtimeOf({ verdict, shutdownLimitMs }: Described, intents: readonly IntentRow[]): Downtime | undefined {
  if (shutdownLimitMs === undefined) return undefined;
  const limit = secondsText(shutdownLimitMs);
  const { restarts, starts } = measured(intents, verdict === 'recreate' ? 'recreate' : 'restart');
  if (restarts.length > 0) {
    const expectedDowntimeMs = median(restarts);
    const word = verdict === 'recreate' ? 'replacement' : 'restart';
    const basis = restarts.length === 1 ? `its last ${word}` : `its last ${restarts.length} ${word}s`;
    return {
      downtime: `about ${secondsText(expectedDowntimeMs)}, as ${basis} took; its shutdown may take ${limit} at most`,
      expectedDowntimeMs,
      downtimeFrom: 'restarts',
    };
  }
  if (starts.length > 0) {
    const expectedDowntimeMs = median(starts);
    return {
      downtime: `about ${secondsText(expectedDowntimeMs)} for its start, as the last time, and its shutdown, ${limit} at most`,
      expectedDowntimeMs,
      downtimeFrom: 'start',
    };
  }
  return { downtime: `its start, and its shutdown, ${limit} at most; it was never timed`, downtimeFrom: 'limit' };
}

interface Measured {
  readonly restarts: readonly number[];
  readonly starts: readonly number[];
}

/**
 * All intents of a run are opened together, so a change began when the one before it in the same run was closed. A shutdown is closed as
 * `waiting` when the guest was told; the start that ends the downtime belongs to a later run. A restart and a replacement of the root take
 * their own time each.
 */
function measured(intents: readonly IntentRow[], like: 'restart' | 'recreate'): Measured {
  const restarts: number[] = [];
  const starts: number[] = [];
  let down: { readonly at: number; readonly verdict: string } | undefined;
  let before: { readonly openedAt: number; readonly closedAt: number } | undefined;
  for (const { change, openedAt, closedAt, outcome } of intents.toSorted((a, b) => a.id - b.id)) {
    if (closedAt === null || (outcome !== 'done' && outcome !== 'waiting')) continue;
    const { do: name, verdict } = JSON.parse(change) as { do: string; verdict: string };
    const beganAt = before?.openedAt === openedAt ? before.closedAt : openedAt;
    before = { openedAt, closedAt };
    // A rename takes what a restart does.
    if (verdict === 'recreate') down ??= { at: beganAt, verdict };
    else if (verdict === 'restart' || verdict === 'rename') down ??= { at: beganAt, verdict: 'restart' };
    else if (name === 'start' && outcome === 'done') {
      if (down === undefined) starts.push(closedAt - beganAt);
      else if (down.verdict === like) restarts.push(closedAt - down.at);
      down = undefined;
    } else if (name === 'shutdown') down = undefined;
  }
  return { restarts: restarts.slice(-KEPT), starts: starts.slice(-KEPT) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

function secondsText(ms: number): string {
  return ms < 10_000 ? `${(Math.max(ms, 100) / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
