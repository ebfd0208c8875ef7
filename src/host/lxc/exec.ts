// A command in a container: the helper's child attaches and waits; its streams, its pidfd and its terminal are ours.
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { AppError } from '../../core/errors.ts';
import type { ExecProcess, ExecRequest } from '../ports/lxc.ts';
import { loadNative, type NativeProcess } from './binding.ts';
import type { Helper } from './helper.ts';
import { fromNative } from './native-failure.ts';

/** What the helper takes at most to tell of a command's end. */
const TELL_MS = 5000;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The request as the helper takes it. NUL ends a C string: it must not cut an argument in two. */
function requestFields(lxcpath: string, name: string, request: ExecRequest): string[] {
  const environment = Object.entries({ PATH: DEFAULT_PATH, ...(request.terminal ? { TERM: 'xterm' } : {}), ...request.environment }).map(
    ([key, value]) => `${key}=${value}`,
  );
  const { columns, rows } = request.terminal ?? {};
  const fields = [
    lxcpath,
    name,
    request.cwd ?? '/',
    String(request.uid ?? 0),
    String(request.gid ?? 0),
    columns === undefined ? '' : String(columns),
    rows === undefined ? '' : String(rows),
    String(environment.length),
    ...environment,
    ...request.command,
  ];
  const bad = request.command.length === 0 || !request.command[0] || fields.some((field) => field.includes('\0'));
  if (bad)
    throw new AppError('REQUEST_INVALID', { name }, { message: `The command for container "${name}" is empty or holds a NUL character.` });
  return fields;
}

export async function execInContainer(helper: Helper, lxcpath: string, name: string, request: ExecRequest): Promise<ExecProcess> {
  const fields = requestFields(lxcpath, name, request);
  const native = loadNative();
  const pipes: [number, number][] = [];
  try {
    while (!request.terminal && pipes.length < 3) pipes.push(native.makePipe());
  } catch (error) {
    for (const fd of pipes.flat()) closeSync(fd);
    throw fromNative(error, 'EXEC_FAILED', `${request.command[0]} in container "${name}" could not be started`, { name });
  }
  // What the command gets: the reading end of its input, the writing ends of its outputs.
  const theirs = pipes.map(([reading, writing], i) => (i === 0 ? reading : writing));
  const ours = pipes.map(([reading, writing], i) => (i === 0 ? writing : reading));
  const close = (fds: readonly number[]): void => {
    for (const fd of fds) closeSync(fd);
  };
  let sent: ReturnType<Helper['request']>;
  let exited: Promise<number>;
  try {
    sent = helper.request('exec', fields, theirs);
    exited = helper.exited(sent.id);
    // Whoever does not look at the exit code is not to be told that it is lost.
    exited.catch(() => undefined);
  } catch (error) {
    close([...theirs, ...ours]);
    throw error;
  }
  close(theirs);
  let fds: readonly number[];
  try {
    fds = (await sent.reply).fds;
  } catch (error) {
    close(ours);
    if (error instanceof AppError && error.detail['exitCode'] !== undefined) {
      return refusedProcess(request, error.message, Number(error.detail['exitCode']));
    }
    if (error instanceof AppError) {
      throw new AppError(
        error.code,
        { ...error.detail, name },
        { message: `${request.command[0]} in container "${name}": ${error.message}`, cause: error },
      );
    }
    throw error;
  }
  const [pidfd, controller] = fds;
  if (pidfd === undefined)
    throw new AppError('EXEC_FAILED', { name }, { message: `The helper did not pass the command in container "${name}" on.` });
  const process = new native.Process({ fd: pidfd });
  if (controller !== undefined) return terminalProcess(process, controller, exited);
  const [stdin, stdout, stderr] = ours as [number, number, number];
  return pipeProcess(process, [stdin, stdout, stderr], exited);
}

/** A program that is not there (127) or cannot be run (126): what a shell would say, on stderr. */
function refusedProcess(request: ExecRequest, why: string, code: number): ExecProcess {
  const said = Readable.from([`${request.command[0]}: ${why}\n`]);
  const nothing = Readable.from([]);
  const stdin = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const streams = request.terminal ? { stdout: said, stderr: undefined } : { stdout: nothing, stderr: said };
  return { stdin, ...streams, resize: () => undefined, signal: () => undefined, exited: Promise.resolve(code) };
}

function signalTo(process: NativeProcess): (number: number) => void {
  return (number) => {
    try {
      process.signal(number);
    } catch (error) {
      // Ended and closed: there is nobody to signal.
      if (!(error instanceof Error && 'code' in error && error.code === 'HANDLE_CLOSED')) throw error;
    }
  };
}

function closedAtEnd(process: NativeProcess, exited: Promise<number>): Promise<number> {
  // Its exit code comes right after its end, unless who waits for it was killed: then nobody will tell.
  const { promise: untold, reject } = Promise.withResolvers<never>();
  process.onExit(() => setTimeout(() => reject(new AppError('LXC_HELPER_LOST')), TELL_MS).unref());
  untold.catch(() => undefined);
  const done = Promise.race([exited, untold]).finally(() => {
    process.close();
  });
  done.catch(() => undefined);
  return done;
}

function pipeProcess(process: NativeProcess, fds: readonly [number, number, number], exited: Promise<number>): ExecProcess {
  const stdin = new Socket({ fd: fds[0], readable: false, writable: true });
  // The command may end without reading all of its input.
  stdin.on('error', () => undefined);
  const stdout = new Socket({ fd: fds[1], readable: true, writable: false });
  const stderr = new Socket({ fd: fds[2], readable: true, writable: false });
  return { stdin, stdout, stderr, resize: () => undefined, signal: signalTo(process), exited: closedAtEnd(process, exited) };
}

function terminalProcess(process: NativeProcess, controller: number, exited: Promise<number>): ExecProcess {
  const terminal = new ReadStream(controller);
  let closed = false;
  terminal.on('close', () => {
    closed = true;
  });
  const stdout = new PassThrough();
  terminal.on('data', (chunk: Buffer) => {
    if (!stdout.write(chunk)) {
      terminal.pause();
      stdout.once('drain', () => terminal.resume());
    }
  });
  terminal.on('end', () => stdout.end());
  // EIO is how a terminal says that its other side is closed.
  terminal.on('error', () => stdout.end());
  terminal.on('close', () => stdout.end());
  stdout.on('close', () => terminal.destroy());
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (closed || terminal.destroyed) done();
      else terminal.write(chunk, () => done());
    },
    final(done) {
      // Closing would hang up. The end of input is the terminal's own end-of-file character.
      if (closed || terminal.destroyed) done();
      else terminal.write('\u0004', () => done());
    },
  });
  return {
    stdin,
    stdout,
    stderr: undefined,
    resize(columns, rows) {
      if (!closed) loadNative().setWindowSize(controller, columns, rows);
    },
    signal: signalTo(process),
    exited: closedAtEnd(process, exited),
  };
}
