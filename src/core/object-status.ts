// What status, API and client say about an object: kstatus conditions with reasons. Written by the reconciler, read by everyone else.
import type { ErrorCode } from './errors.ts';
import type { ResourceRef } from './ref.ts';

export type ConditionType = 'Ready' | 'Reconciling' | 'Stalled' | 'Drifted' | 'Overridden';

export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  /** A `Reason` (reasons.ts) or an error code; a client may meet those of a newer daemon. */
  readonly reason: string;
  readonly message: string;
  /** Epoch ms of the last change of `status`. */
  readonly since: number;
}

export interface StatusError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Epoch ms. */
  readonly at: number;
  /** The change that failed, as a clause. */
  readonly change?: string;
  /** The manifest that asked for it. */
  readonly file?: string;
  readonly line?: number;
}

export interface ObjectStatus {
  readonly ref: ResourceRef;
  readonly uid: string;
  readonly source: string;
  /** Where it is declared; undefined when it is not any more. */
  readonly file?: string;
  readonly line?: number;
  readonly conditions: readonly Condition[];
  /** One line for tables: the most important condition's reason and message. */
  readonly summary: string;
  /** Revision of the source that was last fully applied. */
  readonly observedRevision?: string;
  /** What is being done right now, with progress in 0..1 where known. */
  readonly doing?: { readonly text: string; readonly fraction?: number };
  readonly error?: StatusError;
  /** Epoch ms. */
  readonly nextRetry?: number;
  /** Kind-specific live facts. */
  readonly details: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

export function condition(status: ObjectStatus, type: ConditionType): Condition | undefined {
  return status.conditions.find((one) => one.type === type);
}

export function isReady(status: ObjectStatus): boolean {
  return condition(status, 'Ready')?.status === 'True';
}
