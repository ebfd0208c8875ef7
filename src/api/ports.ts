// What the API needs besides `Control`: the event stream, imperative operations, and who is at the other end of a socket.
// daemon.ts passes in the real ones; src/api stays free of native code and of the ledger.
import type { Socket } from 'node:net';
import type { LockstepEvent } from '../core/events.ts';

/** The stored events and the live ones behind them. All calls are synchronous, so a reader can go from stored to live without a gap. */
export interface EventStream {
  /** The newest `limit` events, oldest first. */
  latest(limit: number): readonly LockstepEvent[];
  /** Events with a greater number, oldest first, at most `limit`. */
  since(seq: number, limit: number): readonly LockstepEvent[];
  /** Calls `listener` for every event from now on, after it is stored. Returns the unsubscribe function. */
  subscribe(listener: (event: LockstepEvent) => void): () => void;
}

export type { HostShutdownPort, Operations } from '../operations/operations.ts';

/** SO_PEERCRED: the process that connected, as it was at connect time. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Throws FORBIDDEN when the connection is gone. */
export type PeerReader = (socket: Socket) => PeerCredentials;
