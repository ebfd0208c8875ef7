// Commands in an instance, over a WebSocket. The session itself is in ../exec-session.ts; this file is the door: it checks the address,
// waits for the first frame (what to run), starts it, and reports what went wrong as a problem document.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { Type } from 'typebox';
import { type WebSocket, WebSocketServer } from 'ws';
import { AppError } from '../../core/errors.ts';
import { makeRef } from '../../core/ref.ts';
import type { RouteContext, Routes } from '../deps.ts';
import { checkExecStart } from '../exec-frames.ts';
import { ExecSession } from '../exec-session.ts';
import { notFoundDocument, type ProblemDocument, problemDocument } from '../problem-document.ts';
import { nameOf } from '../peer.ts';
import { execRefusal } from '../refused.ts';
import { ExecParams } from '../requests.ts';

const EXEC_PATH = /^\/v1\/instances\/([^/]+)\/([^/]+)\/exec$/;
const MAX_FRAME_BYTES = 1024 * 1024;
const MAX_SESSIONS = 256;
const FIRST_FRAME_MS = 10_000;

export const execRoutes: Routes = (app, context) => {
  const server = new WebSocketServer({ noServer: true, clientTracking: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });

  app.get(
    '/v1/instances/:project/:name/exec',
    {
      schema: {
        summary: 'Runs a command in an instance (WebSocket).',
        description:
          'First frame (text): `{"command": [...], "environment"?, "cwd"?, "user"?, "group"?, "terminal"?: {"columns", "rows", "type"?}}`; the server ' +
          'answers `{"type": "started"}` or `{"type": "error", "problem"}`. Then binary frames, first byte the channel: 0 stdin (an empty one ends it), ' +
          '1 stdout, 2 stderr. Text frames from the client: `{"type": "resize", "columns", "rows"}`, `{"type": "signal", "number"}`. ' +
          'At the end: `{"type": "exit", "code"}`.',
        params: ExecParams,
        response: { 101: Type.Unknown({ description: 'Switching to WebSocket.' }) },
      },
    },
    async () => {
      throw new AppError('REQUEST_INVALID', {}, { message: 'Commands are run over a WebSocket; this request asks for no upgrade.' });
    },
  );

  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const target = parsePath(path);
    if (target === undefined) return refuse(socket, notFoundDocument('GET', path));
    if (server.clients.size >= MAX_SESSIONS) {
      context.refused?.(execRefusal(nameOf(context.actor, request.socket), target, 'TOO_MANY_REQUESTS'));
      return refuse(
        socket,
        problemDocument(new AppError('TOO_MANY_REQUESTS', {}, { message: `${MAX_SESSIONS} commands are run over the API already.` }), path),
      );
    }
    let actor: string;
    try {
      actor = context.actor(request.socket);
    } catch (error) {
      return refuse(socket, problemDocument(error, path));
    }
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => context.log.debug({ error: error.message }, 'exec connection failed'));
      void runSession(client, context, target, actor, path);
    });
  });

  app.addHook('preClose', async () => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
};

async function runSession(
  client: WebSocket,
  context: RouteContext,
  target: { project: string; name: string },
  actor: string,
  path: string,
): Promise<void> {
  try {
    const first = await firstFrame(client);
    if (first === undefined) return;
    const session = new ExecSession(client);
    const start = checkExecStart(first);
    const process = await context.operations.exec(makeRef('Instance', target.name, { project: target.project }), start, actor);
    await session.run(process);
  } catch (error) {
    const problem = problemDocument(error, path);
    if (problem.status < 500) context.refused?.(execRefusal(actor, target, problem.code));
    if (problem.status >= 500) context.log.error({ path, code: problem.code, detail: problem.detail }, 'a command could not be run');
    client.resume(); // paused behind the first frame: the answer to our close must be read
    client.send(JSON.stringify({ type: 'error', problem }), () => client.close(1011, problem.code));
  }
}

/** The first frame's text; undefined when the client left or took too long. Frames behind it stay in the socket. */
function firstFrame(client: WebSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      client.close(1002, 'no command was sent');
      resolve(undefined);
    }, FIRST_FRAME_MS);
    timer.unref();
    client.once('close', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    client.once('message', (data: Buffer, isBinary: boolean) => {
      clearTimeout(timer);
      client.pause();
      resolve(isBinary ? '' : data.toString('utf8'));
    });
  });
}

function parsePath(path: string): { project: string; name: string } | undefined {
  const [, project, name] = EXEC_PATH.exec(path) ?? [];
  if (project === undefined || name === undefined) return undefined;
  try {
    return { project: decodeURIComponent(project), name: decodeURIComponent(name) };
  } catch {
    return undefined;
  }
}

/** Answers an upgrade request with an error; there is no reply object at this point of HTTP. */
function refuse(socket: Duplex, problem: ProblemDocument): void {
  const body = JSON.stringify(problem);
  (socket as Socket).end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
