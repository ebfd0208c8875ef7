// The client's end of an exec WebSocket: our stdin, stdout, stderr, terminal and signals, joined with those of the command.
import { constants } from 'node:os';
import { connect as connectSocket } from 'node:net';
import { WebSocket } from 'ws';
import type { ExecStart, ProblemDocument } from '../api/types.ts';
import type { ResourceRef } from '../core/ref.ts';
import { connectionError, refusal } from './client.ts';
import { ClientError, fromProblemDocument } from './errors.ts';

const STDIN = 0;
const STDERR = 2;
/** Input that the daemon has not taken yet; beyond it stdin is not read. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** Passed on to the command. With a terminal, Ctrl-C travels as a character instead. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

type Message = { type: 'started' } | { type: 'exit'; code: number } | { type: 'error'; problem: ProblemDocument };

/** Resolves with the command's exit code. */
export async function runExec(socketPath: string, ref: ResourceRef, start: ExecStart): Promise<number> {
  const path = `/v1/instances/${encodeURIComponent(ref.project)}/${encodeURIComponent(ref.name)}/exec`;
  // Not ws+unix: its address cannot hold a socket path with a colon.
  const socket = new WebSocket(`ws://lockstep${path}`, {
    perMessageDeflate: false,
    createConnection: () => connectSocket({ path: socketPath }),
  });
  const undo: (() => void)[] = [];
  try {
    return await new Promise<number>((resolve, reject) => {
      socket.on('open', () => socket.send(JSON.stringify(start)));
      socket.on('error', (error) => reject(connectionError(error, socketPath)));
      socket.on('unexpected-response', (_request, answer) => {
        refusal(answer).then(reject, reject);
      });
      socket.on('close', () => reject(new ClientError('The connection to the daemon was lost before the command ended.')));
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) return output(socket, data);
        const message = JSON.parse(data.toString('utf8')) as Message;
        if (message.type === 'started') connect(socket, start, undo);
        else if (message.type === 'exit') resolve(message.code);
        else reject(fromProblemDocument(message.problem));
      });
    });
  } finally {
    for (const step of undo.toReversed()) step();
    socket.close();
    // An open stdin would keep this process alive.
    process.stdin.destroy();
  }
}

function output(socket: WebSocket, frame: Buffer): void {
  const stream = frame[0] === STDERR ? process.stderr : process.stdout;
  if (stream.write(frame.subarray(1))) return;
  socket.pause();
  stream.once('drain', () => socket.resume());
}

function connect(socket: WebSocket, start: ExecStart, undo: (() => void)[]): void {
  const { stdin, stdout } = process;
  if (start.terminal !== undefined && stdin.isTTY) {
    stdin.setRawMode(true);
    undo.push(() => stdin.setRawMode(false));
    const resized = () => socket.send(JSON.stringify({ type: 'resize', columns: stdout.columns, rows: stdout.rows }));
    stdout.on('resize', resized);
    undo.push(() => stdout.off('resize', resized));
  }
  for (const name of FORWARDED) {
    const forward = () => socket.send(JSON.stringify({ type: 'signal', number: constants.signals[name] }));
    process.on(name, forward);
    undo.push(() => process.off(name, forward));
  }
  const send = (bytes: Uint8Array) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(Buffer.concat([Buffer.of(STDIN), bytes]), () => {
      if (socket.bufferedAmount <= MAX_UNSENT_BYTES) stdin.resume();
    });
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) stdin.pause();
  };
  stdin.on('data', send);
  stdin.once('end', () => {
    if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.of(STDIN));
  });
  undo.push(() => stdin.off('data', send));
}
