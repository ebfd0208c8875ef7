// The one place that starts processes. Always an argument list, never a shell; always a time limit and an output limit. A program runs
// in a process group of its own, and the whole group is killed when the time is over or the work is cancelled.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import { AppError, isErrno } from '../../core/errors.ts';
import { toolMark } from '../../core/marked-processes.ts';
import { packageOf } from './tool-packages.ts';

/** The same on every host: tools are found, and their messages are in English and can be parsed. */
export const MINIMAL_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
};

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024;
/** A killed group's pipes may be held by a process that left the group; its output is then given up after this time. */
const DRAIN_MS = 500;

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Default one minute. */
  readonly timeoutMs?: number;
  /** Limit for stdout and for stderr, each. Default 16 MiB. Over it: TOOL_FAILED. With `onStdoutLine`, stdout is not collected. */
  readonly maxOutputBytes?: number;
  /** Given on standard input, which is then closed. Default: /dev/null. */
  readonly input?: string | Uint8Array;
  /** Added to the minimal environment; nothing is inherited from the daemon. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** It stays when the daemon ends (it goes to the background by itself). Otherwise the next daemon ends what this one left at work. */
  readonly service?: boolean;
  /** Called with each line of stdout, without its end; stdout is then not collected. */
  readonly onStdoutLine?: (line: string) => void;
  /** As `onStdoutLine`, for tools that report progress on stderr; stderr is collected all the same (its end, within the limit). */
  readonly onStderrLine?: (line: string) => void;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or 128 + signal number. */
  readonly code: number;
}

/**
 * Runs a program to its end. Any exit code resolves. Rejects with TOOL_MISSING, TIMED_OUT, CANCELLED, or TOOL_FAILED
 * (could not be started, too much output, or `onStdoutLine` threw).
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const program = checkArguments(argv);
  if (options.signal?.aborted) throw cancelled(program, options.signal);
  const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;

  const child = start(program, argv, options);
  let failure: AppError | undefined;
  function giveUp(why: AppError): void {
    failure ??= why;
    killGroup(child);
    setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, DRAIN_MS).unref();
  }
  const overflow = (): void => giveUp(tooMuchOutput(program, limit));
  const lineFailed = (error: unknown): void => giveUp(failedOn(program, 'its output could not be used', error));
  const stdout = new Output(limit, overflow, options.onStdoutLine, lineFailed, options.onStdoutLine === undefined);
  const stderr = new Output(limit, overflow, options.onStderrLine, lineFailed, true);
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program may end without reading its input: EPIPE is not a failure, its exit code says what happened.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);

  const timer = setTimeout(() => giveUp(timedOut(program, timeoutMs)), timeoutMs);
  const onAbort = (): void => giveUp(cancelled(program, options.signal));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const code = await ended(child, program, options.cwd);
    // What a killed group leaves running outside of it is not waited for, but members that outlived their leader are ended.
    if (failure !== undefined) killGroup(child);
    stdout.end();
    stderr.end();
    if (failure !== undefined) throw failure;
    return { stdout: stdout.text, stderr: stderr.text, code };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** As `run`, but an exit code other than 0 rejects with TOOL_FAILED and the last lines the program wrote on stderr. */
export async function mustRun(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(argv, options);
  if (result.code === 0) return result;
  const program = argv[0] ?? '';
  const said = lastLines(result.stderr) || lastLines(result.stdout);
  throw new AppError(
    'TOOL_FAILED',
    { program, code: result.code },
    { message: `The program "${program}" ${exitText(result.code)}${said ? `: ${said}` : ' without a message.'}` },
  );
}

function checkArguments(argv: readonly string[]): string {
  const program = argv[0];
  if (program === undefined || program === '') throw new Error('A program to run has no name.');
  // The kernel ends an argument at NUL: what follows would be lost silently.
  const bad = argv.find((argument) => argument.includes('\0'));
  if (bad !== undefined) {
    throw new AppError('VALUE_INVALID', { program }, { message: `An argument for the program "${program}" holds a NUL character.` });
  }
  return program;
}

function start(program: string, argv: readonly string[], options: RunOptions): ChildProcess {
  try {
    return spawn(program, argv.slice(1), {
      shell: false,
      detached: true, // a process group (and session) of its own
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...MINIMAL_ENVIRONMENT, ...(options.service === true ? {} : toolMark()), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } catch (error) {
    throw startError(program, options.cwd, error);
  }
}

async function ended(child: ChildProcess, program: string, cwd: string | undefined): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', (error) => {
    if (child.pid === undefined) reject(startError(program, cwd, error));
  });
  child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  return await promise;
}

/** SIGKILL to the whole group. Already gone is fine. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH') && !isErrno(error, 'EPERM')) throw error;
  }
}

/** Collects one stream within a limit and hands out its lines. */
class Output {
  readonly #limit: number;
  readonly #overflow: () => void;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #lineFailed: (error: unknown) => void;
  readonly #collect: boolean;
  readonly #decoder = new StringDecoder('utf8');
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #partial = '';
  #stopped = false;

  constructor(
    limit: number,
    overflow: () => void,
    onLine: ((line: string) => void) | undefined,
    lineFailed: (error: unknown) => void,
    collect: boolean,
  ) {
    this.#limit = limit;
    this.#overflow = overflow;
    this.#onLine = onLine;
    this.#lineFailed = lineFailed;
    this.#collect = collect;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    if (this.#collect) {
      this.#bytes += chunk.length;
      if (this.#bytes > this.#limit) return this.#stop(this.#overflow);
      this.#chunks.push(chunk);
    }
    if (!this.#onLine) return;
    // A carriage return ends a line too: progress bars redraw with it.
    const lines = (this.#partial + this.#decoder.write(chunk)).split(/\r\n|\n|\r/);
    this.#partial = lines.pop() ?? '';
    if (this.#partial.length > this.#limit) return this.#stop(this.#overflow);
    for (const line of lines) this.#line(line);
  }

  end(): void {
    const rest = this.#partial + this.#decoder.end();
    this.#partial = '';
    if (rest !== '' && !this.#stopped) this.#line(rest);
  }

  #line(line: string): void {
    if (this.#stopped) return;
    try {
      this.#onLine?.(line);
    } catch (error) {
      this.#stop(() => this.#lineFailed(error));
    }
  }

  #stop(report: () => void): void {
    this.#stopped = true;
    report();
  }
}

/** Why a program could not be started, as a code. Also for `spawnDetached`. */
export function startError(program: string, cwd: string | undefined, error: unknown): AppError {
  if (isErrno(error, 'ENOENT')) {
    const debian = packageOf(program);
    return new AppError(
      'TOOL_MISSING',
      { program, ...(cwd === undefined ? {} : { cwd }) },
      {
        message: `The program "${program}" was not found${cwd === undefined ? '' : `, or the directory "${cwd}" is missing`}.`,
        hint: debian === undefined ? `Install the package that holds "${program}".` : `Install it: apt-get install ${debian}`,
        cause: error,
      },
    );
  }
  return failedOn(program, 'it could not be started', error);
}

function failedOn(program: string, what: string, cause: unknown): AppError {
  return new AppError('TOOL_FAILED', { program }, { message: `The program "${program}" failed: ${what}.`, cause });
}

function tooMuchOutput(program: string, limit: number): AppError {
  const message = `The program "${program}" wrote more than ${limit} bytes and was ended.`;
  return new AppError('TOOL_FAILED', { program, limit }, { message });
}

function timedOut(program: string, timeoutMs: number): AppError {
  const message = `The program "${program}" did not end within ${timeoutMs / 1000} s and was killed.`;
  return new AppError('TIMED_OUT', { program, timeoutMs }, { message });
}

function cancelled(program: string, signal: AbortSignal | undefined): AppError {
  return new AppError('CANCELLED', { program }, { message: `The program "${program}" was cancelled.`, cause: signal?.reason });
}

function exitText(code: number): string {
  return code > 128 ? `was ended by signal ${code - 128}` : `failed with exit code ${code}`;
}

/** The last few lines, short enough for one message. */
function lastLines(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const joined = lines.slice(-5).join(' / ');
  return joined.length > 1000 ? `... ${joined.slice(-1000)}` : joined;
}
