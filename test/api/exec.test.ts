// Commands over a WebSocket, with a process whose ends the test holds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import type { ExecProcess } from '../../src/host/ports/lxc.ts';
import type { ExecCommand } from '../../src/operations/operations.ts';
import { AppError } from '../../src/core/errors.ts';
import type { ResourceRef } from '../../src/core/ref.ts';
import { LiveServer } from './live-server.ts';
import { WEB } from './fake-control.ts';

class HeldProcess implements ExecProcess {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: [number, number][] = [];
  readonly signals: number[] = [];
  readonly #end = Promise.withResolvers<number>();
  readonly exited = this.#end.promise;

  resize(columns: number, rows: number): void {
    this.sizes.push([columns, rows]);
  }

  signal(number: number): void {
    this.signals.push(number);
  }

  exit(code: number, closeOutput = true): void {
    if (closeOutput) {
      this.stdout.end();
      this.stderr.end();
    }
    this.#end.resolve(code);
  }
}

describe('exec over a WebSocket', () => {
  let server: LiveServer;
  let process: HeldProcess;
  let calls: [ResourceRef, ExecCommand, string][];

  beforeEach(async () => {
    server = await LiveServer.start();
    process = new HeldProcess();
    calls = [];
    server.operations = {
      exec: async (...call) => {
        calls.push(call);
        return process;
      },
    };
  });
  afterEach(() => server[Symbol.asyncDispose]());

  function open(path = '/v1/instances/default/web/exec'): WebSocket {
    return new WebSocket(`ws://lockstep${path}`, { createConnection: () => connect({ path: server.socketPath }) });
  }

  interface Session {
    readonly socket: WebSocket;
    /** Next frame: text as its object, binary as `channel:text`. */
    next(): Promise<unknown>;
  }

  async function start(first: object | string): Promise<Session> {
    const socket = open();
    const frames: unknown[] = [];
    const waiting: ((frame: unknown) => void)[] = [];
    socket.on('message', (data: Buffer, isBinary) => {
      const frame: unknown = isBinary ? `${data[0]}:${data.subarray(1).toString()}` : JSON.parse(data.toString());
      const taker = waiting.shift();
      if (taker) taker(frame);
      else frames.push(frame);
    });
    await once(socket, 'open');
    socket.send(typeof first === 'string' ? first : JSON.stringify(first));
    return { socket, next: async () => frames.shift() ?? (await new Promise((resolve) => waiting.push(resolve))) };
  }

  it('runs the command in the name of the peer and ends with its exit code', async () => {
    const command = { command: ['id', '-u'], environment: { A: 'b' }, cwd: '/tmp', user: 5, group: 6, terminal: { columns: 80, rows: 24 } };
    const session = await start(command);
    assert.deepEqual(await session.next(), { type: 'started' });
    assert.deepEqual(calls, [[WEB, command, 'uid:1000']]);
    process.stdout.write('out');
    assert.equal(await session.next(), '1:out');
    process.stderr.write('err');
    assert.equal(await session.next(), '2:err');
    process.exit(7);
    assert.deepEqual(await session.next(), { type: 'exit', code: 7 });
    const [code] = (await once(session.socket, 'close')) as [number];
    assert.equal(code, 1000);
  });

  it('passes input on byte by byte and ends it with an empty frame', async () => {
    const session = await start({ command: ['cat'] });
    await session.next();
    const bytes = Buffer.from([0, 0, 255, 10, 13]);
    session.socket.send(bytes);
    session.socket.send(Buffer.of(0));
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    assert.deepEqual(Buffer.concat(chunks), bytes.subarray(1));
    process.exit(0);
  });

  it('loses no output that the command wrote right before its end', async () => {
    const session = await start({ command: ['x'] });
    await session.next();
    const size = 3 * 1024 * 1024;
    process.stdout.write(Buffer.alloc(size, 'a'));
    process.exit(0);
    let seen = 0;
    for (;;) {
      const frame = await session.next();
      if (typeof frame !== 'string') {
        assert.deepEqual(frame, { type: 'exit', code: 0 });
        break;
      }
      seen += frame.length - 2;
    }
    assert.equal(seen, size);
  });

  it('ends although a background child keeps the output open', async () => {
    const session = await start({ command: ['x'] });
    await session.next();
    process.stdout.write('last words');
    process.exit(0, false);
    assert.equal(await session.next(), '1:last words');
    assert.deepEqual(await session.next(), { type: 'exit', code: 0 });
  });

  it('resizes the terminal and sends signals', async () => {
    const session = await start({ command: ['vi'], terminal: { columns: 80, rows: 24 } });
    await session.next();
    session.socket.send(JSON.stringify({ type: 'resize', columns: 100, rows: 30 }));
    session.socket.send(JSON.stringify({ type: 'signal', number: 15 }));
    session.socket.send(Buffer.of(0));
    await once(process.stdin.resume(), 'end');
    assert.deepEqual(process.sizes, [[100, 30]]);
    assert.deepEqual(process.signals, [15]);
    process.exit(0);
  });

  it('hangs up on the command when the client leaves', async () => {
    const session = await start({ command: ['sleep', '1000'] });
    await session.next();
    session.socket.terminate();
    for (let tries = 0; process.signals.length === 0 && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(process.signals, [1]);
    process.exit(129);
  });

  it('refuses a first frame that says nothing to run, with the reason', async () => {
    for (const first of [
      'not json',
      {},
      { command: [] },
      { command: ['a'], shell: true },
      { command: ['a'], cwd: 'relative' },
      { command: ['a'], user: -1 },
    ]) {
      const session = await start(first);
      const answer = (await session.next()) as { type: string; problem: { code: string; status: number } };
      assert.equal(answer.type, 'error');
      assert.equal(answer.problem.code, 'REQUEST_INVALID');
      await once(session.socket, 'close');
    }
    assert.deepEqual(calls, []);
  });

  it('closes the connection on a frame it does not know', async () => {
    for (const frame of [Buffer.from([9, 65]), JSON.stringify({ type: 'signal', number: 0 }), 'x']) {
      process = new HeldProcess();
      const session = await start({ command: ['x'] });
      await session.next();
      session.socket.send(frame);
      const [code] = (await once(session.socket, 'close')) as [number];
      assert.equal(code, 1008);
      process.exit(0);
    }
  });

  it('tells why the command cannot be run', async () => {
    server.operations = {
      exec: async () => Promise.reject(new AppError('LXC_NOT_RUNNING', {}, { message: 'It is off.', hint: 'Start it.' })),
    };
    const session = await start({ command: ['x'] });
    const { problem } = (await session.next()) as { problem: Record<string, unknown> };
    assert.equal(problem['code'], 'LXC_NOT_RUNNING');
    assert.equal(problem['detail'], 'It is off.');
    assert.equal(problem['hint'], 'Start it.');
    assert.deepEqual(server.refused, [{ actor: 'uid:1000', request: 'exec', ref: 'Instance/default/-/web', code: 'LXC_NOT_RUNNING' }]);
  });

  it('refuses an upgrade elsewhere with a problem document', async () => {
    const socket = open('/v1/nowhere');
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, NodeJS.ReadableStream & { statusCode: number }];
    assert.equal(answer.statusCode, 404);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    assert.equal((JSON.parse(Buffer.concat(chunks).toString()) as { code: string }).code, 'NOT_FOUND');
    socket.on('error', () => undefined);
    socket.terminate();
  });

  it('ends commands when the server closes', async () => {
    const session = await start({ command: ['sleep', '1000'] });
    await session.next();
    const closed = once(session.socket, 'close');
    await server.stop();
    await closed;
    for (let tries = 0; process.signals.length === 0 && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(process.signals, [1]);
    process.exit(129);
  });
});
