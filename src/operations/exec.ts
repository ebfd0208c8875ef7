// Runs a command in an instance for the API: puts the environment together and leaves the rest to the LXC port.
// An operation: it changes no declared state, takes no lock, and is written to the audit log.
import { AppError } from '../core/errors.ts';
import { refKey, refText, type ResourceRef } from '../core/ref.ts';
import type { ExecProcess, ExecRequest, LxcPort } from '../host/ports/lxc.ts';
import type { ExecCommand, Operations } from './operations.ts';

/** What exec needs to know of an instance. */
export interface ExecTarget {
  /** The container's name below `<state-dir>/instances`. */
  readonly lxcName: string;
  /** The instance's `environment.*` keys, without the prefix, secrets included. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ExecDeps {
  readonly lxc: Pick<LxcPort, 'exec'>;
  /** Undefined when there is no such instance. */
  target(ref: ResourceRef): ExecTarget | undefined;
  audit(entry: { readonly actor: string; readonly action: string; readonly ref: string; readonly detail: string }): void;
}

// As LXD sets them (its documentation, "How to run commands in an instance").
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function createExec(deps: ExecDeps): Operations {
  return {
    async exec(ref, command, actor): Promise<ExecProcess> {
      const target = ref.kind === 'Instance' ? deps.target(ref) : undefined;
      if (target === undefined) throw new AppError('NOT_FOUND', { ref: refKey(ref) }, { message: `There is no ${refText(ref)}.` });
      const request = execRequest(command, target);
      // Only the program is recorded: arguments may hold secrets.
      deps.audit({ actor, action: 'exec', ref: refKey(ref), detail: command.command[0] ?? '' });
      return await deps.lxc.exec(target.lxcName, request);
    },
  };
}

/** The request for the LXC port: defaults, then the instance's environment, then the caller's. Throws REQUEST_INVALID for what execve(2) cannot take. */
export function execRequest(command: ExecCommand, target: Pick<ExecTarget, 'environment'>): ExecRequest {
  const [program] = command.command;
  if (program === undefined || program === '') {
    throw new AppError('REQUEST_INVALID', {}, { message: 'The command to run is empty.' });
  }
  const uid = command.user ?? 0;
  const environment: Record<string, string> = {
    PATH: SEARCH_PATH,
    LANG: 'C.UTF-8',
    ...(uid === 0 ? { HOME: '/root', USER: 'root' } : { HOME: '/' }),
    ...(command.terminal === undefined ? {} : { TERM: command.terminal.type ?? 'xterm-256color' }),
    ...target.environment,
    ...command.environment,
  };
  for (const text of [...command.command, command.cwd ?? '', ...Object.values(environment)]) {
    if (text.includes('\0'))
      throw new AppError('REQUEST_INVALID', {}, { message: 'The command or its environment holds a NUL character.' });
  }
  for (const name of Object.keys(environment)) {
    if (name === '' || name.includes('=') || name.includes('\0')) {
      throw new AppError('REQUEST_INVALID', { name }, { message: `"${name}" is not a name of an environment variable.` });
    }
  }
  return {
    command: command.command,
    environment,
    uid,
    gid: command.group ?? 0,
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    ...(command.terminal === undefined ? {} : { terminal: { columns: command.terminal.columns, rows: command.terminal.rows } }),
  };
}
