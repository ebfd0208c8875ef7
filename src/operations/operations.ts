// Imperative work the API may ask for. Operations change no declared state.
import type { ResourceRef } from '../core/ref.ts';
import type { ExecProcess } from '../host/ports/lxc.ts';

export type { ExecProcess } from '../host/ports/lxc.ts';

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

export interface StoppedInstance {
  /** Name of the container. */
  readonly name: string;
  readonly priority: number;
  readonly outcome: 'stopped' | 'killed' | 'failed';
  readonly durationMs: number;
  readonly error?: string;
}

export interface HostShutdownResult {
  /** In the order of their turns. */
  readonly instances: readonly StoppedInstance[];
}

/** The shutdown of the host the daemon runs on. */
export interface HostShutdownPort {
  /** Stops all running instances, in order, and starts nothing until the host has booted again. Throws CANCELLED. */
  start(actor: string): Promise<HostShutdownResult>;
  /** Calls that off: what was stopped is started again, as it is declared. */
  cancel(actor: string): Promise<void>;
}
