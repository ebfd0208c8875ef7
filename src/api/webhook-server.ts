// The one thing that may listen on the network, and only when it is configured: webhooks, nothing else of the API.
import Fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { toAppError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { answerErrors } from './answer-errors.ts';
import { type Refused, refusalOf } from './refused.ts';
import { webhookRoutes } from './v1/webhooks.ts';
import { WEBHOOK_BODY_BYTES, type WebhookReceiver } from './webhooks/receiver.ts';

const MAX_CONNECTIONS = 256;
/** A whole request has to arrive within this time: slow senders hold nothing up. */
const REQUEST_MS = 10_000;

export interface WebhookServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with CONFLICT when the address cannot be listened on. */
export async function listenForWebhooks(
  receiver: WebhookReceiver,
  listen: { readonly host: string; readonly port: number },
  log: Log,
  refused: Refused = () => {},
): Promise<WebhookServer> {
  const app = Fastify({
    logger: false,
    bodyLimit: WEBHOOK_BODY_BYTES,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    connectionTimeout: REQUEST_MS * 2,
    keepAliveTimeout: 5000,
    routerOptions: { maxParamLength: 255 },
  });
  answerErrors(app, log, (request, problem) => {
    const refusal = refusalOf(request, `address:${request.ip}`, problem);
    if (refusal !== undefined) refused(refusal);
  });
  webhookRoutes(app, receiver);
  app.server.maxConnections = MAX_CONNECTIONS;
  app.server.headersTimeout = REQUEST_MS;
  try {
    await app.listen(listen);
  } catch (error) {
    await app.close();
    throw toAppError(error, 'CONFLICT', { ...listen });
  }
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
}
