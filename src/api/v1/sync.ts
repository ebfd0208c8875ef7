// Look again now.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { SyncBody } from '../requests.ts';

const Synced = Type.Object(
  { settled: Type.Boolean({ description: 'All objects were Ready when the round was planned.' }) },
  { additionalProperties: false },
);

export const syncRoutes: Routes = (app, context) => {
  const { control } = context;
  app.post<{ Body: SyncBody | undefined }>(
    '/v1/sync',
    {
      schema: {
        summary:
          'Reads the sources again and looks at every object; with `ref`, at that object only, and a back-off or fight of it ends. Answers when the round is planned.',
        body: SyncBody,
        response: { 200: Synced },
      },
    },
    async (request) => {
      const { source, plan, ref } = request.body ?? {};
      const actor = context.actor(request.raw.socket);
      if (ref === undefined) await control.sync(source, actor, plan);
      else await control.tryAgain(ref, actor);
      return { settled: control.status().settled };
    },
  );
};
