// `lockstepd --once`: waits until nothing more will happen by itself, and says how it ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from './core/errors.ts';
import { condition, isReady, type ObjectStatus } from './core/object-status.ts';
import { refText } from './core/ref.ts';
import type { DaemonStatus } from './reconciler/control.ts';
import type { Reconciler } from './reconciler/loop.ts';
import type { Tracked } from './reconciler/tracker.ts';

/** An object that failed this often in a row will not become Ready while somebody waits for it. */
const ENOUGH_FAILURES = 3;
const ASK_AGAIN_MS = 20;

export interface SettledResult {
  readonly ok: boolean;
  /** A line per object, then a summary. */
  readonly text: string;
}

export async function settle(
  reconciler: Reconciler,
  status: () => DaemonStatus,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SettledResult> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const end = AbortSignal.any([timeout, signal]);
  while (!end.aborted && !finished(reconciler)) {
    await reconciler.changed(end);
    // Of many objects, many change at the same time; asking all of them after each change would take longer than the changes.
    await sleep(ASK_AGAIN_MS, undefined, { signal: end }).catch(() => undefined);
  }
  const now = status();
  const note = signal.aborted ? 'Interrupted.' : timeout.aborted ? `Not settled after ${timeoutMs / 1000} s.` : undefined;
  return result(now, note);
}

function finished(reconciler: Reconciler): boolean {
  if (!reconciler.idle) return false;
  return [...reconciler.tracker.objects.values()].every((tracked) => {
    const status = reconciler.tracker.status(tracked);
    return (
      isReady(status) || condition(status, 'Stalled')?.status === 'True' || tracked.failures >= ENOUGH_FAILURES || waitsForEver(tracked)
    );
  });
}

/** Held back by something that has itself come to an end: its needs failed, or a person has to agree. */
function waitsForEver({ plan, nextRetry }: Tracked): boolean {
  return plan?.steps.length === 0 && plan.waitsFor !== undefined && plan.againAt === undefined && nextRetry === undefined;
}

function result(status: DaemonStatus, note: string | undefined): SettledResult {
  const problems = status.sources.flatMap((source) => source.problems).filter((problem) => problem.severity === 'error');
  const ready = status.objects.filter(isReady);
  const sourcesRead = status.sources.every((source) => source.error === undefined);
  const allReady = ready.length === status.objects.length;
  const ok = note === undefined && allReady && problems.length === 0 && sourcesRead && status.confirmations.length === 0;
  const width = Math.max(0, ...status.objects.map((object) => refText(object.ref).length));
  const lines = [
    ...status.objects.map((object) => line(object, width)),
    ...problems.map((problem) => `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`),
    ...status.sources.flatMap((source) => (source.error === undefined ? [] : [`Source "${source.name}": ${errorText(source.error)}`])),
    ...status.confirmations.map(
      (one) =>
        `${one.action === 'delete' ? '' : `${refText(one.objects[0]!)}: `}${one.reason} Run "lockstep confirm ${one.source}" to agree.`,
    ),
    ...(note === undefined ? [] : [note]),
    `${ready.length} of ${status.objects.length} objects are Ready.`,
  ];
  return { ok, text: `${lines.join('\n')}\n` };
}

function line(object: ObjectStatus, width: number): string {
  return `${refText(object.ref).padEnd(width)}  ${isReady(object) ? 'Ready' : 'NOT READY'}  ${object.summary}`;
}
