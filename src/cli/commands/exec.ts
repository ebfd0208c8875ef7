// lockstep exec: runs a command in an instance. Its exit code is ours.
import type { ExecStart } from '../../api/types.ts';
import type { Define } from '../context.ts';
import { usageError } from '../errors.ts';
import { runExec } from '../exec-connection.ts';
import { spellOut } from '../kind-words.ts';

interface ExecOptions {
  readonly terminal?: boolean;
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
}

export const define: Define = (command, run) => {
  command
    .argument('<name>', 'the instance')
    .argument('<command...>', 'command and arguments, behind --')
    .usage('[options] <name> -- <command...>')
    .option('-t, --terminal', 'give the command a terminal (default: when stdin and stdout are one)')
    .option('-T, --no-terminal', 'give it pipes')
    .option(
      '-e, --env <KEY=VALUE>',
      'set a variable; may be given several times',
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .option('--cwd <path>', 'directory in the instance to run it in')
    .option('--user <uid[:gid]>', 'ids in the instance to run it as', '0')
    .addHelpText('after', '\nThe exit code is that of the command; 128 + n when signal n ended it.')
    .action((name: string, words: string[], options: ExecOptions) =>
      run(async ({ client, project }) => {
        const ref = spellOut(name, project);
        if (ref.kind !== 'Instance') throw usageError(`Commands run in instances, and "${name}" is none.`);
        const terminal = options.terminal ?? (process.stdin.isTTY && process.stdout.isTTY);
        const start: ExecStart = {
          command: words,
          environment: Object.fromEntries(options.env.map(parseVariable)),
          ...parseUser(options.user ?? '0'),
          ...(options.cwd === undefined ? {} : { cwd: absolute(options.cwd) }),
          ...(terminal ? { terminal: terminalSize() } : {}),
        };
        return await runExec(client.socketPath, ref, start);
      }),
    );
};

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  // As docker and ssh do it: a bare name passes our own value on.
  const own = process.env[text];
  if (text !== '' && at < 0 && own !== undefined) return [text, own];
  throw usageError(`"${text}" is not KEY=VALUE.`);
}

function parseUser(text: string): { user: number; group?: number } {
  const [, user, group] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  if (user === undefined) throw usageError(`"${text}" is not UID or UID:GID.`, 'Names are not known outside the instance: give numbers.');
  return { user: Number(user), ...(group === undefined ? {} : { group: Number(group) }) };
}

function absolute(path: string): string {
  if (!path.startsWith('/')) throw usageError(`--cwd must be an absolute path in the instance, not "${path}".`);
  return path;
}

function terminalSize(): NonNullable<ExecStart['terminal']> {
  const type = process.env['TERM'] ?? '';
  return {
    columns: process.stdout.columns || 80,
    rows: process.stdout.rows || 24,
    ...(/^[A-Za-z0-9._+-]{1,64}$/.test(type) ? { type } : {}),
  };
}
