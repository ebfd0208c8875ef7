// HTTP to the daemon over its unix socket, with nothing but node:http: this file is on every command's start path.
import { request, type IncomingMessage } from 'node:http';
import type {
  ApplyResult,
  AuditPage,
  ChainVerdict,
  HistoryRun,
  Why,
  Confirmation,
  DaemonStatus,
  ForgottenObjects,
  HostShutdownResult,
  ObjectDescription,
  ObjectStatus,
  PlannedObject,
  PlanReport,
  ProblemDocument,
  SourceFile,
  TombstoneStatus,
} from '../api/types.ts';
import { isErrno } from '../core/errors.ts';
import type { LockstepEvent } from '../core/events.ts';
import type { ResourceRef } from '../core/ref.ts';
import { ClientError, fromProblemDocument } from './errors.ts';

export const DEFAULT_SOCKET = '/run/lockstep/lockstep.sock';

/** Reading the sources and planning is quick; this is for a daemon that hangs. */
const REQUEST_TIMEOUT_MS = 120_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export interface PlanRequest {
  readonly files: readonly SourceFile[];
  readonly source?: string;
  readonly replace?: boolean;
}

export interface ApplyRequest {
  readonly files: readonly SourceFile[];
  readonly source?: string;
  readonly prune?: boolean;
  /** A saved plan's: refused when stale. */
  readonly plan?: readonly PlannedObject[];
}

export class ApiClient {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  status(): Promise<DaemonStatus> {
    return this.#json('GET', '/v1/status');
  }

  async objects(query: { kind?: string; match?: string; project?: string } = {}): Promise<readonly ObjectStatus[]> {
    const search = new URLSearchParams();
    if (query.match !== undefined) search.set('match', query.match);
    if (query.project !== undefined) search.set('project', query.project);
    const path = query.kind === undefined ? '/v1/objects' : `/v1/objects/${encodeURIComponent(query.kind)}`;
    const answer = await this.#json<{ objects: readonly ObjectStatus[] }>('GET', search.size === 0 ? path : `${path}?${search.toString()}`);
    return answer.objects;
  }

  describe(ref: ResourceRef): Promise<ObjectDescription> {
    return this.#json('GET', objectPath(ref));
  }

  why(ref: ResourceRef): Promise<Why> {
    return this.#json('GET', `${objectPath(ref)}/why`);
  }

  async history(ref: ResourceRef, limit: number): Promise<readonly HistoryRun[]> {
    return (await this.#json<{ runs: readonly HistoryRun[] }>('GET', `${objectPath(ref)}/history?limit=${limit}`)).runs;
  }

  audit(query: { limit: number; before?: number; since?: number; object?: string }): Promise<AuditPage> {
    const search = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
    return this.#json('GET', `/v1/audit?${search.toString()}`);
  }

  verifyAudit(expect?: string): Promise<ChainVerdict> {
    return this.#json('GET', `/v1/audit/verify${expect === undefined ? '' : `?expect=${expect}`}`);
  }

  async delete(ref: ResourceRef): Promise<void> {
    await this.#json('DELETE', objectPath(ref));
  }

  async undelete(ref: ResourceRef, name?: string): Promise<void> {
    await this.#json('POST', '/v1/undelete', { ref, ...(name === undefined ? {} : { name }) });
  }

  async tombstones(): Promise<readonly TombstoneStatus[]> {
    const answer = await this.#json<{ tombstones: readonly TombstoneStatus[] }>('GET', '/v1/tombstones');
    return answer.tombstones;
  }

  /** Undefined: all of them. */
  async purge(ref: ResourceRef | undefined): Promise<readonly TombstoneStatus[]> {
    const body = ref === undefined ? { all: true } : { ref };
    const answer = await this.#json<{ tombstones: readonly TombstoneStatus[] }>('POST', '/v1/purge', body);
    return answer.tombstones;
  }

  forgetSource(name: string, how: 'keep' | 'prune'): Promise<ForgottenObjects> {
    return this.#json('POST', `/v1/sources/${encodeURIComponent(name)}/forget`, { how });
  }

  plan(body?: PlanRequest): Promise<PlanReport> {
    return body === undefined ? this.#json('GET', '/v1/plan') : this.#json('POST', '/v1/plan', body);
  }

  apply(body: ApplyRequest): Promise<ApplyResult> {
    return this.#json('POST', '/v1/apply', body);
  }

  async sync(body: { readonly source?: string; readonly plan?: readonly PlannedObject[]; readonly ref?: ResourceRef } = {}): Promise<void> {
    await this.#json('POST', '/v1/sync', body);
  }

  async confirmations(): Promise<readonly Confirmation[]> {
    const answer = await this.#json<{ confirmations: readonly Confirmation[] }>('GET', '/v1/confirmations');
    return answer.confirmations;
  }

  confirm(source: string, hash: string, options: { readonly unprotect?: boolean } = {}): Promise<Confirmation> {
    return this.#json('POST', '/v1/confirmations', { source, hash, ...(options.unprotect === true ? { unprotect: true } : {}) });
  }

  /** Answers when nothing runs any more, which may take as long as the instances may take to stop. */
  async hostShutdown(): Promise<HostShutdownResult> {
    const answer = await this.#send('POST', '/v1/host-shutdown', undefined, { accept: 'application/json' }, new AbortController().signal);
    if (answer.statusCode !== 200) throw await refusal(answer);
    return JSON.parse(await readAll(answer)) as HostShutdownResult;
  }

  async cancelHostShutdown(): Promise<void> {
    await this.#json('DELETE', '/v1/host-shutdown');
  }

  async events(query: { since?: number; limit?: number }): Promise<readonly LockstepEvent[]> {
    const search = new URLSearchParams();
    if (query.since !== undefined) search.set('since', String(query.since));
    if (query.limit !== undefined) search.set('limit', String(query.limit));
    const answer = await this.#json<{ events: readonly LockstepEvent[] }>('GET', `/v1/events?${search.toString()}`);
    return answer.events;
  }

  /** The raw stream of server-sent events behind number `last`. */
  async eventStream(last: number, signal: AbortSignal): Promise<IncomingMessage> {
    const answer = await this.#send(
      'GET',
      '/v1/events?follow',
      undefined,
      { accept: 'text/event-stream', 'last-event-id': String(last) },
      signal,
    );
    if (answer.statusCode !== 200) throw await refusal(answer);
    return answer;
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.#send(method, path, body, { accept: 'application/json' });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return JSON.parse(await readAll(answer)) as T;
    throw await refusal(answer);
  }

  #send(method: string, path: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.socketPath,
          method,
          path,
          agent: false,
          headers: {
            host: 'lockstep',
            ...headers,
            ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
          ...(signal === undefined ? { timeout: REQUEST_TIMEOUT_MS } : { signal }),
        },
        resolve,
      );
      outgoing.once('timeout', () =>
        outgoing.destroy(new ClientError(`The daemon at "${this.socketPath}" has not answered for ${REQUEST_TIMEOUT_MS / 1000} s.`)),
      );
      outgoing.once('error', (error) => reject(connectionError(error, this.socketPath)));
      outgoing.end(text);
    });
  }
}

/** The error behind an answer that is not 2xx. */
export async function refusal(answer: IncomingMessage): Promise<ClientError> {
  const text = await readAll(answer);
  if (answer.headers['content-type']?.startsWith('application/problem+json') === true) {
    return fromProblemDocument(JSON.parse(text) as ProblemDocument);
  }
  return new ClientError(`The socket answered ${answer.statusCode} without a reason: is it lockstepd that listens there?`);
}

export function objectPath(ref: ResourceRef): string {
  return `/v1/objects/${[ref.kind, ref.project, ref.parent, ref.name].map(encodeURIComponent).join('/')}`;
}

/** Why the daemon cannot be reached, and what to do about it. */
export function connectionError(error: Error, socketPath: string): Error {
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ECONNREFUSED')) {
    return new ClientError(`lockstepd does not answer at "${socketPath}".`, {
      hint: 'Start it with "systemctl start lockstepd" or "lockstepd --source DIR". If it uses another run directory, give --socket or LOCKSTEP_SOCKET.',
      code: 'UNREACHABLE',
      cause: error,
    });
  }
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) {
    return new ClientError(`You may not connect to "${socketPath}": only root and the socket's group may.`, {
      hint: `Use sudo: sudo lockstep ${process.argv.slice(2).join(' ')}`.trimEnd(),
      cause: error,
    });
  }
  if (isErrno(error, 'ECONNRESET') || isErrno(error, 'EPIPE')) {
    return new ClientError('The daemon closed the connection before it answered.', {
      hint: 'See its log: journalctl -u lockstepd',
      cause: error,
    });
  }
  return error;
}

async function readAll(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new ClientError('The answer of the daemon is too large.');
  }
  return Buffer.concat(chunks).toString('utf8');
}
