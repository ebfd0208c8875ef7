// The API's own description.
import type { FastifyInstance } from 'fastify';
import type { OpenApiCollector } from '../openapi.ts';

export function openApiRoutes(app: FastifyInstance, collector: OpenApiCollector, version: string): void {
  app.get('/openapi.json', { schema: { summary: 'This description (OpenAPI 3.1).' } }, async () => collector.document(version));
}
