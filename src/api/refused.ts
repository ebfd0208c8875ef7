// Which requests are told to the audit log when they are refused, and in which words. Nothing of a body is told but the name of what it is about:
// manifests may hold secrets.
import type { FastifyRequest } from 'fastify';
import type { ErrorCode } from '../core/errors.ts';
import { isKindName, makeRef, refKey } from '../core/ref.ts';
import type { Refusal } from '../reconciler/refusals.ts';
import type { ProblemDocument } from './problem-document.ts';

export type Refused = (refusal: Refusal) => void;

const CHANGING: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
/** They change nothing. */
const READING: ReadonlySet<string> = new Set(['/v1/plan']);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Undefined: it changes nothing, or it was not refused but failed. */
export function refusalOf(
  request: FastifyRequest,
  actor: string,
  { code, status }: Pick<ProblemDocument, 'code' | 'status'>,
): Refusal | undefined {
  if (status >= 500 || !CHANGING.has(request.method)) return undefined;
  const route = request.routeOptions.url;
  if (route !== undefined && READING.has(route)) return undefined;
  const words =
    route === undefined ? `${request.method} of an address that is not there` : `${request.method} ${route.replaceAll(/\/:\w+/g, '')}`;
  return { actor, request: words, ref: subjectOf(request.params, request.body), code };
}

/** An upgrade to a command in an instance. */
export function execRefusal(actor: string, target: { readonly project: string; readonly name: string }, code: ErrorCode): Refusal {
  return { actor, request: 'exec', ref: refOf({ kind: 'Instance', ...target }) ?? '', code };
}

/** They are what the caller sent, checked or not. */
function subjectOf(params: unknown, body: unknown): string {
  const ref = isRecord(body) ? body['ref'] : undefined;
  for (const candidate of [params, ref]) {
    const found = isRecord(candidate) ? refOf(candidate) : undefined;
    if (found !== undefined) return found;
  }
  const named = [isRecord(params) ? (params['source'] ?? params['name']) : undefined, isRecord(body) ? body['source'] : undefined];
  const source = named.find((one) => typeof one === 'string' && NAME.test(one));
  return source === undefined ? '' : `source:${source as string}`;
}

function refOf({ kind, project, parent, name }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof kind !== 'string' || !isKindName(kind) || typeof name !== 'string' || !NAME.test(name)) return undefined;
  const at = (text: unknown): string => (typeof text === 'string' && NAME.test(text) ? text : '-');
  return refKey(makeRef(kind, name, { project: at(project), parent: at(parent) }));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
