// Where manifests come from, with their revision and problems; and the end of a source that is no longer configured.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { ForgetBody, SourceParams } from '../requests.ts';
import { ForgottenObjectsSchema, SourceStatusSchema } from '../schemas.ts';

const SourceList = Type.Object({ sources: Type.Array(SourceStatusSchema) }, { additionalProperties: false });

export const sourceRoutes: Routes = (app, context) => {
  const { control } = context;
  app.get('/v1/sources', { schema: { summary: 'All sources.', response: { 200: SourceList } } }, async () => ({
    sources: control.status().sources,
  }));

  app.post<{ Params: SourceParams; Body: ForgetBody }>(
    '/v1/sources/:name/forget',
    {
      schema: {
        summary: 'Ends a source that is no longer configured.',
        description: 'Refused with CONFLICT while it is configured. What is pruned still needs a confirmation.',
        params: SourceParams,
        body: ForgetBody,
        response: { 202: ForgottenObjectsSchema },
      },
    },
    async ({ params, body, raw }, reply) =>
      reply.code(202).send(await control.forgetSource(params.name, body.how, context.actor(raw.socket))),
  );
};
