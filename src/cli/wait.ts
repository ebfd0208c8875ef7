// Waits until objects are what they should be, showing live progress on a terminal.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStatus, ObjectStatus } from '../api/types.ts';
import { condition, isReady } from '../core/object-status.ts';
import { refKey, type RefKey } from '../core/ref.ts';
import type { Context } from './context.ts';
import { ClientError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { LiveTable } from './live-table.ts';
import { isStalled } from './status-table.ts';
import { plural } from './text.ts';

const POLL_MS = 250;
/** What is stalled may be freed by another object that becomes ready, so it has to stay like this for a while. */
const STALLED_MS = 3000;
/** A daemon that is being restarted may be away for this long. */
const AWAY_MS = 15_000;

export const DEFAULT_TIMEOUT = '5m';

export interface WaitOptions {
  /** Only these objects. Default: everything, and nothing may be left to confirm or to mend. */
  readonly only?: ReadonlySet<RefKey>;
  readonly timeoutMs: number;
}

export interface Waited {
  readonly status: DaemonStatus;
  readonly exitCode: number;
}

/** Resolves with exit code 0 when all is ready, 1 when it cannot become ready by itself, 3 when the time is up. */
export async function waitUntilReady(context: Context, options: WaitOptions): Promise<Waited> {
  const { output } = context;
  const live = output.terminal && output.format === 'table' && !output.quiet ? new LiveTable(output) : undefined;
  const deadline = performance.now() + options.timeoutMs;
  let stuckSince: number | undefined;
  let lastAnswer = performance.now();
  let status: DaemonStatus | undefined;
  try {
    for (;;) {
      try {
        status = await context.client.status();
        lastAnswer = performance.now();
      } catch (error) {
        const away = error instanceof ClientError && error.options.code === 'UNREACHABLE' && status !== undefined;
        if (!away || performance.now() - lastAnswer > AWAY_MS) throw error;
      }
      if (status !== undefined) {
        const objects = chosen(status, options.only);
        live?.show(objects);
        if (isDone(status, objects, options.only)) return { status, exitCode: EXIT.done };
        stuckSince = isStuck(status, objects) ? (stuckSince ?? performance.now()) : undefined;
        if (stuckSince !== undefined && performance.now() - stuckSince > STALLED_MS) return { status, exitCode: EXIT.error };
        if (performance.now() >= deadline) return { status, exitCode: EXIT.timedOut };
      }
      await sleep(Math.max(1, Math.min(POLL_MS, deadline - performance.now())));
    }
  } finally {
    live?.clear();
  }
}

/** Says on stderr why waiting ended without success. */
export function explainWait(waited: Waited, only: ReadonlySet<RefKey> | undefined, context: Context): void {
  if (waited.exitCode === EXIT.done) return;
  const left = chosen(waited.status, only).filter((one) => !isReady(one));
  const what = left.length === 0 ? whatIsLeft(waited.status) : `${plural(left.length, 'object is', 'objects are')} not ready`;
  if (waited.exitCode === EXIT.timedOut) context.output.error(`The time is up: ${what.charAt(0).toLowerCase()}${what.slice(1)}.`);
  else context.output.error(`${what}, and nothing will change that by itself.`);
  const [first] = left;
  if (first !== undefined) context.output.errorDetail('next', `lockstep describe ${refKey(first.ref)}`);
}

/** All objects are ready, and yet not everything is settled. */
function whatIsLeft(status: DaemonStatus): string {
  const broken = status.sources.some((source) => source.error !== undefined || source.problems.some((one) => one.severity === 'error'));
  if (broken) return 'The manifests have errors; what was last valid stays in effect';
  return status.confirmations.length > 0 ? 'Deletions wait for a confirmation' : 'Not everything is settled';
}

function chosen(status: DaemonStatus, only: ReadonlySet<RefKey> | undefined): readonly ObjectStatus[] {
  return only === undefined ? status.objects : status.objects.filter((one) => only.has(refKey(one.ref)));
}

function isDone(status: DaemonStatus, objects: readonly ObjectStatus[], only: ReadonlySet<RefKey> | undefined): boolean {
  if (!status.ready) return false;
  const all = objects.every((one) => isReady(one) && condition(one, 'Reconciling')?.status !== 'True');
  return only === undefined ? all && status.settled : all && objects.length === only.size;
}

/** Nothing is under way: what is not ready is stalled, or waits for a person. */
function isStuck(status: DaemonStatus, objects: readonly ObjectStatus[]): boolean {
  return status.ready && objects.length > 0 && objects.every((one) => isReady(one) || isStalled(one));
}
