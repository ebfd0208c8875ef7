// What `sync --wait`, `apply --wait` and `status --wait` have in common: wait, print the end state, say why it is not ready.
import type { PlannedObject } from '../api/types.ts';
import { refKey, type ResourceRef } from '../core/ref.ts';
import type { Context } from './context.ts';
import { printAttention, STATUS_HEADING, statusRow } from './status-table.ts';
import { explainWait, waitUntilReady, type WaitOptions } from './wait.ts';

export interface SyncOptions {
  readonly timeoutMs: number;
  readonly source?: string;
  readonly ref?: ResourceRef;
  /** A saved plan's. */
  readonly plan?: readonly PlannedObject[];
}

export async function syncAndWait(context: Context, options: SyncOptions): Promise<number> {
  await context.client.sync({
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.ref === undefined ? {} : { ref: options.ref }),
    ...(options.plan === undefined ? {} : { plan: options.plan }),
  });
  return await waitAndReport(context, { timeoutMs: options.timeoutMs });
}

export async function waitAndReport(context: Context, options: WaitOptions): Promise<number> {
  const waited = await waitUntilReady(context, options);
  const { output } = context;
  const { only } = options;
  const objects = only === undefined ? waited.status.objects : waited.status.objects.filter((one) => only.has(refKey(one.ref)));
  const shown = only === undefined ? waited.status : { objects };
  if (!(await output.data(shown)) && !output.quiet) output.table(STATUS_HEADING, objects.map(statusRow));
  if (only === undefined) printAttention(waited.status, output);
  explainWait(waited, only, context);
  return waited.exitCode;
}
