// What the API needs besides `Control`: the event stream, imperative operations, and who is at the other end of a socket.
// daemon.ts passes in the real ones; src/api stays free of native code and of the ledger.
import type { Socket } from 'node:net';
import type { LockstepEvent } from '../core/events.ts';
import type { ResourceRef } from '../core/ref.ts';
import type { ExecProcess } from '../host/ports/lxc.ts';

/** The stored events and the live ones behind them. All calls are synchronous, so a reader can go from stored to live without a gap. */
export interface EventStream {
  /** The newest `limit` events, oldest first. */
  latest(limit: number): readonly LockstepEvent[];
  /** Events with a greater number, oldest first, at most `limit`. */
  since(seq: number, limit: number): readonly LockstepEvent[];
  /** Calls `listener` for every event from now on, after it is stored. Returns the unsubscribe function. */
  subscribe(listener: (event: LockstepEvent) => void): () => void;
}

export interface ExecCommand {
  readonly command: readonly string[];
  /** Added to the instance's own environment; wins over it. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ids inside the container. Default 0. */
  readonly user?: number;
  readonly group?: number;
  readonly terminal?: { readonly columns: number; readonly rows: number; readonly type?: string };
}

export interface Operations {
  /** Runs a command in an instance. Throws NOT_FOUND, LXC_NOT_RUNNING, EXEC_FAILED. */
  exec(ref: ResourceRef, command: ExecCommand, actor: string): Promise<ExecProcess>;
}

/** SO_PEERCRED: the process that connected, as it was at connect time. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export type PeerReader = (socket: Socket) => PeerCredentials | undefined;
