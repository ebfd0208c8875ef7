// The host goes down: all instances are stopped in order, and nothing is started before it has booted again.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { HostShutdownSchema } from '../schemas.ts';

export const hostShutdownRoutes: Routes = (app, context) => {
  app.post(
    '/v1/host-shutdown',
    {
      schema: {
        summary: 'Stops all running instances because the host is being shut down. Answers when nothing runs any more.',
        description:
          'Higher `boot.stop.priority` first, those of one priority together; each gets its `boot.host_shutdown_timeout` and is killed then. ' +
          'Nothing is started or changed before the host has booted again, also by a daemon that is started anew.',
        response: { 200: HostShutdownSchema },
      },
    },
    async (request) => await context.hostShutdown.start(context.actor(request.raw.socket)),
  );

  app.delete(
    '/v1/host-shutdown',
    {
      schema: {
        summary: 'Calls the shutdown of the host off: what was stopped is started again, as it is declared.',
        response: { 200: Type.Object({}, { additionalProperties: false }) },
      },
    },
    async (request) => {
      await context.hostShutdown.cancel(context.actor(request.raw.socket));
      return {};
    },
  );
};
