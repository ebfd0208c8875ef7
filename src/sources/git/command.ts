// The one place that runs git, through simple-git: fixed settings, an environment of its own, a deadline, an output limit, and exit codes that
// count. Nothing of the host's or the user's git configuration is read, no hook or helper runs, nothing is asked on a terminal.
import { randomUUID } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import { endMarked, toolMark } from '../../core/marked-processes.ts';

export interface GitCall {
  /** GIT_DIR. It must exist. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** The only protocol git may speak in this call; none by default. */
  readonly protocol?: string;
  /** A config file of ours, in place of the user's. */
  readonly configFile?: string;
  /** GIT_SSH_COMMAND, GIT_ASKPASS, GNUPGHOME and the like. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Of stdout. Default 32 MiB. */
  readonly maxOutputBytes?: number;
}

/** git ended with another exit code than 0. */
export class GitFailed extends Error {
  readonly code: number;
  /** What git wrote on stderr, printable, its end. */
  readonly said: string;

  constructor(command: string, code: number, said: string) {
    super(`git ${command} failed with exit code ${code}${said === '' ? '' : `: ${said}`}`);
    this.code = code;
    this.said = said;
  }
}

export interface GitOutput {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Its value is as unguessable as a UUID: simple-git signals git alone, and its helpers wait on for their network. */
const CALL_MARK = 'LOCKSTEP_GIT_CALL';
const MAX_OUTPUT = 32 * 1024 * 1024;
const MAX_SAID = 600;
/** After its deadline git is given this long to clean up, then it is left behind. */
const GRACE_MS = 2000;

const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=false',
  'credential.helper=',
  'core.askPass=',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'fetch.writeCommitGraph=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'transfer.credentialsInUrl=die',
  'transfer.bundleURI=false',
  'http.followRedirects=false',
  // A connection that carries nothing for this long is given up.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=30',
  'protocol.allow=never',
  // Durable before we say that we have it.
  'core.fsync=all',
];

/** Rejects with GitFailed, or with TOOL_MISSING, TIMED_OUT, CANCELLED or TOOL_FAILED (too much output). */
export async function git(argv: readonly string[], call: GitCall): Promise<GitOutput> {
  const command = argv[0] ?? '';
  if (argv.some((argument) => argument.includes('\0'))) throw new AppError('VALUE_INVALID', {}, { message: 'A git argument holds NUL.' });
  if (call.signal.aborted) throw stopped(command, call.signal);
  // Loaded only where a source needs it.
  const { simpleGit } = await import('simple-git');
  const limit = call.maxOutputBytes ?? MAX_OUTPUT;
  const mark = randomUUID();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  call.signal.addEventListener('abort', onAbort, { once: true });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let bytes = 0;
  let overflow = false;
  let exitCode: number | undefined;
  try {
    const runner = simpleGit({
      baseDir: call.directory,
      binary: 'git',
      abort: stop.signal,
      // By default a program counts as ended 50 ms after its exit, even when its output was not read to the end.
      completion: { onClose: true, onExit: false },
      config: [...SETTINGS, ...(call.protocol === undefined ? [] : [`protocol.${call.protocol}.allow=always`])],
      unsafe: {
        allowUnsafeHooksPath: true,
        allowUnsafeFsMonitor: true,
        allowUnsafeCredentialHelper: true,
        allowUnsafeAskPass: true,
        allowUnsafeProtocolOverride: true,
        allowUnsafeConfigPaths: true,
        allowUnsafeSshCommand: true,
      },
      allowEnvironment: ALLOWED_ENVIRONMENT,
      input: () => call.input,
      // simple-git calls a failed command a success when stderr is empty: the exit code alone decides here.
      errors: (error, result) => {
        exitCode = result.exitCode;
        if (error !== undefined) return error;
        return result.exitCode === 0 ? undefined : Buffer.from(`git exited ${result.exitCode}`);
      },
    });
    runner.env({ ...environment(call), ...toolMark(), [CALL_MARK]: mark });
    // Its own answer is text: what git cat-file writes may be any bytes.
    runner.outputHandler((_command, out, err) => {
      out.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        overflow ||= bytes > limit;
        if (overflow) stop.abort();
        else stdout.push(chunk);
      });
      err.on('data', (chunk: Buffer) => stderr.push(chunk));
    });
    await withinGrace(runner.raw([...argv]), stop.signal);
    return { stdout: Buffer.concat(stdout), stderr: printableLines(Buffer.concat(stderr)).join('\n') };
  } catch (error) {
    if (stop.signal.aborted) await endMarked(CALL_MARK, mark);
    if (overflow) throw tooMuch(command, limit);
    if (call.signal.aborted) throw stopped(command, call.signal);
    const said = printable(Buffer.concat(stderr));
    if (/spawn git ENOENT/.test(error instanceof Error ? error.message : '')) throw missing(error);
    if (exitCode === undefined)
      throw new AppError('TOOL_FAILED', { command }, { message: `git ${command} could not be run.`, cause: error });
    throw new GitFailed(command, exitCode, said);
  } finally {
    call.signal.removeEventListener('abort', onAbort);
  }
}

const ALLOWED_ENVIRONMENT = [
  'GIT_DIR',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_NOSYSTEM',
  'GIT_ATTR_NOSYSTEM',
  'GIT_TERMINAL_PROMPT',
  'GIT_ALLOW_PROTOCOL',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_NO_LAZY_FETCH',
  'GIT_OPTIONAL_LOCKS',
  'GIT_SSH_COMMAND',
  'GIT_SSH_VARIANT',
  'GIT_ASKPASS',
];

function environment(call: GitCall): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    // No .gitconfig, .netrc, .ssh/config or keyring of anybody.
    HOME: '/nonexistent',
    GIT_DIR: call.directory,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: call.configFile ?? '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    // `none` is no protocol: nothing is allowed.
    GIT_ALLOW_PROTOCOL: call.protocol ?? 'none',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...call.env,
  };
}

/** simple-git ends git with SIGINT and waits for its pipes, which a grandchild may hold open. */
async function withinGrace<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => reject(new Error('git did not end')), GRACE_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  work.catch(() => {});
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** A remote's words end up in logs and on terminals. */
function printableLines(bytes: Buffer): string[] {
  return (
    bytes
      .toString('utf8')
      // eslint-disable-next-line no-control-regex -- exactly those are replaced
      .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g, ' ')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  );
}

function printable(bytes: Buffer): string {
  const text = printableLines(bytes).join(' / ');
  return text.length > MAX_SAID ? `... ${text.slice(-MAX_SAID)}` : text;
}

function stopped(command: string, signal: AbortSignal): AppError {
  const reason: unknown = signal.reason;
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  const message = timedOut ? `git ${command} did not end within its time limit.` : `git ${command} was cancelled.`;
  return new AppError(timedOut ? 'TIMED_OUT' : 'CANCELLED', { command }, { message });
}

function tooMuch(command: string, limit: number): AppError {
  return new AppError('TOOL_FAILED', { command, limit }, { message: `git ${command} wrote more than ${limit} bytes and was ended.` });
}

function missing(cause: unknown): AppError {
  const hint = 'Install it: apt-get install git';
  return new AppError('TOOL_MISSING', { program: 'git' }, { message: 'The program "git" was not found.', hint, cause });
}
