// Deleted data that is kept for a while: what there is, and its early end.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { PurgeBody } from '../requests.ts';
import { TombstoneSchema } from '../schemas.ts';

const TombstoneList = Type.Object({ tombstones: Type.Array(TombstoneSchema) }, { additionalProperties: false });

export const tombstoneRoutes: Routes = (app, context) => {
  const { control } = context;
  app.get(
    '/v1/tombstones',
    { schema: { summary: 'What can be brought back, oldest first.', response: { 200: TombstoneList } } },
    async () => ({ tombstones: control.status().tombstones }),
  );

  app.post<{ Body: PurgeBody }>(
    '/v1/purge',
    {
      schema: {
        summary: 'Ends tombstones now.',
        description: 'Answers with those that end; their data is removed soon after, and cannot be brought back.',
        body: PurgeBody,
        response: { 202: TombstoneList },
      },
    },
    async ({ body, raw }, reply) => {
      const target = 'ref' in body ? body.ref : 'all';
      return reply.code(202).send({ tombstones: await control.purge(target, context.actor(raw.socket)) });
    },
  );
};
