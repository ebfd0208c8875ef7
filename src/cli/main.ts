// The client: command line in, exit code out.
//
//   argv ──> commander ──> commands/NAME.ts ──> client.ts (unix socket) ──> output.ts
//
// Nothing heavy is imported here: no fastify, no ajv, no yaml.
import { Command, CommanderError, Option } from 'commander';
import { clientVersion } from './client-version.ts';
import { ApiClient, DEFAULT_SOCKET } from './client.ts';
import { COMMANDS } from './commands.ts';
import type { Run } from './context.ts';
import { reportError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { examplesText } from './help-examples.ts';
import { type Format, Output, wantsColor } from './output.ts';

interface CommonOptions {
  readonly output: Format;
  readonly project?: string;
  readonly color: boolean;
  readonly quiet?: boolean;
  readonly socket: string;
}

/** Runs one command line (without node and script) and gives its exit code. */
export async function runClient(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = commonOptions(new Command('lockstep'));
  // Options that could not be parsed yet (an error in the command line itself) get plain output.
  let output = makeOutput({ output: 'table', color: true, socket: DEFAULT_SOCKET });

  const run: Run = async (work) => {
    const options = program.opts<CommonOptions>();
    output = makeOutput(options);
    exitCode = await work({ client: new ApiClient(options.socket), output, project: options.project });
  };
  program.hook('preAction', () => {
    output = makeOutput(program.opts<CommonOptions>());
  });

  const beforeDashes = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  for (const entry of COMMANDS) {
    const command = program.command(entry.name).description(entry.summary);
    if (!beforeDashes.includes(entry.name)) continue;
    (await entry.load()).define(command, run);
    const examples = examplesText(entry.name);
    if (examples !== undefined) command.addHelpText('after', examples);
  }

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportError(error, output);
  }
}

function commonOptions(program: Command): Command {
  return program
    .version(clientVersion(), '--version', "print the client's version")
    .description('Keeps Linux system containers in lockstep with manifests.')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .option('--project <name>', 'only objects of this project')
    .option('--no-color', 'print without colours')
    .option('-q, --quiet', 'print results and errors only')
    .addOption(new Option('--socket <path>', "the daemon's socket").env('LOCKSTEP_SOCKET').default(DEFAULT_SOCKET))
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', '\nExit codes: 0 done, 1 error, 2 there are changes (plan, diff), 3 timed out, 64 wrong usage.');
}

function makeOutput(options: CommonOptions): Output {
  return new Output({
    format: options.output,
    color: options.color && wantsColor(process.env),
    quiet: options.quiet ?? false,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

/** A reader that leaves early (`lockstep events | head`) is no error. */
function leaveQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.done);
      throw error;
    });
  }
}

if (import.meta.main) {
  leaveQuietlyOnClosedPipe();
  process.exitCode = await runClient(process.argv.slice(2));
}
