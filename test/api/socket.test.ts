// The socket as a file, and streams over a real connection.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { actorReader } from '../../src/api/peer.ts';
import { clearSocketPath, restrictSocket } from '../../src/api/unix-socket.ts';
import { messages } from '../../src/cli/event-follow.ts';
import { LiveServer } from './live-server.ts';
import { Socket } from 'node:net';

describe('the socket file', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-socket-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('lets only its owner and group connect', async () => {
    await using server = await LiveServer.start();
    assert.equal((await stat(server.socketPath)).mode & 0o777, 0o660);
  });

  it('is refused to a second server while the first one listens', async () => {
    await using server = await LiveServer.start();
    await assert.rejects(clearSocketPath(server.socketPath), { code: 'STATE_DIR_BUSY' });
  });

  it('replaces a stale socket that a killed process left', async () => {
    const path = join(directory, 'a.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', script]), 'exit');
    assert.ok((await stat(path)).isSocket());
    await clearSocketPath(path);
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  it('never removes a file that is no socket', async () => {
    const path = join(directory, 'precious');
    await writeFile(path, 'x');
    await assert.rejects(clearSocketPath(path), { code: 'CONFLICT' });
    assert.ok((await stat(path)).isFile());
  });

  it('refuses a path that the kernel would cut off', async () => {
    await assert.rejects(clearSocketPath(join(directory, 'x'.repeat(108))), { code: 'VALUE_INVALID' });
  });

  it('names a group that does not exist', async () => {
    const path = join(directory, 'f');
    await writeFile(path, '');
    await assert.rejects(restrictSocket(path, 'no-such-group-here'), { code: 'VALUE_INVALID', message: /no-such-group-here/ });
  });

  it('is gone after the server has closed', async () => {
    const server = await LiveServer.start();
    await server.stop();
    await assert.rejects(stat(server.socketPath), { code: 'ENOENT' });
    await server[Symbol.asyncDispose]();
  });
});

describe('the peer', () => {
  it('is named by its uid, and asked for once per connection', () => {
    let asked = 0;
    const actor = actorReader(() => {
      asked++;
      return { pid: 7, uid: 1000, gid: 1000 };
    });
    const socket = new Socket();
    assert.equal(actor(socket), 'uid:1000');
    assert.equal(actor(socket), 'uid:1000');
    assert.equal(asked, 1);
  });

  it('is local where nobody can tell', () => {
    assert.equal(actorReader(undefined)(new Socket()), 'local');
  });
});

describe('following events', () => {
  let server: LiveServer;
  beforeEach(async () => {
    server = await LiveServer.start();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  async function follow(last?: string): Promise<{ next(): Promise<{ event: string; text: string }>; stream: IncomingMessage }> {
    const headers = { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) };
    const outgoing = request({ socketPath: server.socketPath, path: '/v1/events', headers, agent: false }).end();
    outgoing.on('error', () => undefined);
    const [stream] = (await once(outgoing, 'response')) as [IncomingMessage];
    stream.on('error', () => undefined);
    assert.equal(stream.statusCode, 200);
    assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
    const reader = messages(stream);
    return {
      stream,
      next: async () => {
        const { value } = await reader.next();
        assert.ok(value);
        const data = JSON.parse(value.data) as { message?: string; from?: number; to?: number };
        return { event: value.event, text: data.message ?? `${data.from}-${data.to}` };
      },
    };
  }

  async function subscribed(count: number): Promise<void> {
    for (let tries = 0; server.events.listeners.size !== count; tries++) {
      assert.ok(tries < 200, `${server.events.listeners.size} listeners instead of ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  it('starts with the next event', async () => {
    server.events.emit('before');
    const client = await follow();
    await subscribed(1);
    server.events.emit('after');
    assert.deepEqual(await client.next(), { event: 'change', text: 'after' });
    client.stream.destroy();
  });

  it('resumes behind the last event the client has, then goes on live', async () => {
    for (const text of ['one', 'two', 'three']) server.events.emit(text);
    const client = await follow('1');
    assert.equal((await client.next()).text, 'two');
    assert.equal((await client.next()).text, 'three');
    await subscribed(1);
    server.events.emit('four');
    assert.equal((await client.next()).text, 'four');
    client.stream.destroy();
  });

  it('sends more stored events than fit one page, each once and in order', async () => {
    for (let n = 1; n <= 950; n++) server.events.emit(`e${n}`);
    const client = await follow('0');
    for (let n = 1; n <= 950; n++) assert.equal((await client.next()).text, `e${n}`);
    client.stream.destroy();
  });

  it('says which events are no longer stored', async () => {
    server.events.emit('late', 40);
    const client = await follow('10');
    assert.deepEqual(await client.next(), { event: 'missed', text: '11-39' });
    assert.equal((await client.next()).text, 'late');
    client.stream.destroy();
  });

  it('forgets a client that has left', async () => {
    const client = await follow();
    await subscribed(1);
    client.stream.destroy();
    await subscribed(0);
  });

  it('disconnects a client that does not read', async () => {
    const client = await follow();
    client.stream.pause();
    await subscribed(1);
    const long = 'x'.repeat(64 * 1024);
    for (let n = 0; n < 100 && server.events.listeners.size > 0; n++) {
      server.events.emit(long);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await subscribed(0);
    client.stream.destroy();
  });

  it('ends when the server closes', async () => {
    const client = await follow();
    await subscribed(1);
    const ended = once(client.stream, 'close');
    client.stream.resume();
    await server.stop();
    await ended;
  });
});
