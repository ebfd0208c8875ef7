// The difference between what should be and what is. Reads only.
import type { Routes } from '../deps.ts';
import { PlanBody } from '../requests.ts';
import { PlanReportSchema } from '../schemas.ts';
import { MANIFEST_LIMIT_BYTES } from './apply.ts';

export const planRoutes: Routes = (app, { control }) => {
  app.get(
    '/v1/plan',
    { schema: { summary: 'What the daemon would change now.', response: { 200: PlanReportSchema } } },
    async () => await control.plan(),
  );

  app.post<{ Body: PlanBody }>(
    '/v1/plan',
    {
      bodyLimit: MANIFEST_LIMIT_BYTES,
      schema: {
        summary: 'What would change if a stored source also held these files. Stores nothing.',
        body: PlanBody,
        response: { 200: PlanReportSchema },
      },
    },
    async (request) => {
      const { files, source, replace } = request.body;
      return await control.plan(files, { ...(source === undefined ? {} : { source }), ...(replace === undefined ? {} : { replace }) });
    },
  );
};
