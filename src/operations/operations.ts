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
