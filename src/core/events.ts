// Events tell people and clients what happened; they are never the source of truth (the loop re-reads the host).
import type { ResourceRef } from './ref.ts';

export interface LockstepEvent {
  /** Grows by one per event; survives restarts. */
  readonly seq: number;
  /** Epoch ms. */
  readonly time: number;
  readonly type: 'change' | 'condition' | 'source' | 'problem' | 'progress' | 'daemon';
  readonly severity: 'info' | 'warning' | 'error';
  readonly ref?: ResourceRef;
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export type NewEvent = Omit<LockstepEvent, 'seq' | 'time'>;

export interface EventSink {
  emit(event: NewEvent): void;
}
