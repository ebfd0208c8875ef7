// Brings an object back whose data is still kept.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { UndeleteBody } from '../requests.ts';
import { Ref } from '../schemas.ts';

export const undeleteRoutes: Routes = (app, context) => {
  app.post<{ Body: UndeleteBody }>(
    '/v1/undelete',
    {
      schema: {
        summary: 'Brings a deleted object back with its data.',
        body: UndeleteBody,
        response: { 202: Type.Object({ ref: Ref }, { additionalProperties: false }) },
      },
    },
    async (request, reply) => {
      const { ref, name } = request.body;
      await context.control.undelete(ref, { ...(name === undefined ? {} : { name }), actor: context.actor(request.raw.socket) });
      return reply.code(202).send({ ref });
    },
  );
};
