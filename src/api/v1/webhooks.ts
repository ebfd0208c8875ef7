// Webhooks from git forges. The one route that is also served over TCP (webhook-server.ts), to callers that prove themselves by a signature.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { WEBHOOK_BODY_BYTES, type WebhookReceiver } from '../webhooks/receiver.ts';

const Accepted = Type.Object(
  { accepted: Type.Boolean({ description: 'Always true: the source is looked at soon.' }) },
  { additionalProperties: false },
);
const Params = Type.Object({ source: Type.String({ maxLength: 63, description: 'Name of the source.' }) }, { additionalProperties: false });

export function webhookRoutes(app: FastifyInstance, receiver: WebhookReceiver): void {
  // In a scope of its own: here alone, a body is any bytes and is not parsed.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: WEBHOOK_BODY_BYTES }, async (_request: unknown, body: Buffer) => body);
    scope.post<{ Params: { source: string } }>(
      '/v1/webhooks/:source',
      {
        bodyLimit: WEBHOOK_BODY_BYTES,
        onRequest: async (request) => receiver.admit(request.ip ?? 'local'),
        schema: {
          summary: 'A git forge says that a source has moved: GitHub, GitLab, Gitea, Forgejo, Bitbucket, or anything that signs with HMAC.',
          params: Params,
          response: { 202: Accepted },
        },
      },
      async (request, reply) => {
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        await receiver.receive(request.params.source, request.headers, body);
        return reply.code(202).send({ accepted: true });
      },
    );
  });
}
