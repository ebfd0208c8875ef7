// Everything at a glance: the daemon, its sources, all objects.
import type { Routes } from '../deps.ts';
import { DaemonStatusSchema } from '../schemas.ts';

export const statusRoutes: Routes = (app, { control }) => {
  app.get(
    '/v1/status',
    { schema: { summary: 'The daemon, its sources and all objects.', response: { 200: DaemonStatusSchema } } },
    async () => control.status(),
  );
};
