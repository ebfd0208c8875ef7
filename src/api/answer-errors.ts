// What every server of ours answers when something goes wrong: a problem document, and a line in the log.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { errorChain } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { notFoundDocument, type ProblemDocument, problemDocument } from './problem-document.ts';

/** `refused`: told of every answer that is a refusal or a failure. */
export function answerErrors(
  app: FastifyInstance,
  log: Log,
  refused: (request: FastifyRequest, problem: ProblemDocument) => void = () => {},
): void {
  app.setErrorHandler(async (error, request, reply) => {
    const document = problemDocument(error, pathOf(request.url));
    const line = { method: request.method, path: document.instance, status: document.status, code: document.code };
    if (document.status >= 500 && document.status !== 503) {
      log.error({ ...line, errors: errorChain(error).messages }, 'a request failed');
    } else {
      log.debug(line, 'a request was refused');
    }
    refused(request, document);
    return reply.code(document.status).type('application/problem+json').send(document);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const document = notFoundDocument(request.method, pathOf(request.url));
    refused(request, document);
    return reply.code(document.status).type('application/problem+json').send(document);
  });
}

/** Without the query: it may hold what people search for. */
function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
