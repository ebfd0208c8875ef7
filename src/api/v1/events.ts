// Events as a list, or as a stream of server-sent events that can be resumed.
import { AppError } from '../../core/errors.ts';
import type { Routes } from '../deps.ts';
import { streamEvents } from '../event-stream.ts';
import { EventQuery } from '../requests.ts';
import { EventListSchema } from '../schemas.ts';

const MAX_STREAMS = 64;
const DEFAULT_LIMIT = 100;

export const eventRoutes: Routes = (app, { events }) => {
  const streams = new Set<AbortController>();
  app.addHook('preClose', async () => {
    for (const stream of streams) stream.abort();
  });

  app.get<{ Querystring: EventQuery }>(
    '/v1/events',
    {
      schema: {
        summary: 'What happened.',
        description:
          'With `follow` or `Accept: text/event-stream`: a stream. Each event has its number as `id`; the header Last-Event-ID (or `since`) resumes ' +
          'behind it, otherwise the stream starts with the next event. An event of type `missed` says that numbers in between are no longer stored. ' +
          'A client that reads too slowly is disconnected and can resume.',
        querystring: EventQuery,
        response: { 200: EventListSchema },
      },
    },
    async (request, reply) => {
      const { since, limit, follow } = request.query;
      const asked = follow !== undefined || (request.headers.accept ?? '').includes('text/event-stream');
      if (!asked) {
        const count = Number(limit ?? DEFAULT_LIMIT);
        return { events: since === undefined ? events.latest(count) : events.since(Number(since), count) };
      }
      const last = request.headers['last-event-id'];
      if (last !== undefined && !/^[0-9]{1,15}$/.test(String(last))) {
        throw new AppError('REQUEST_INVALID', {}, { message: 'The header Last-Event-ID must be the number of an event.' });
      }
      if (streams.size >= MAX_STREAMS) {
        throw new AppError('TOO_MANY_REQUESTS', { limit: MAX_STREAMS }, { message: `${MAX_STREAMS} clients follow events already.` });
      }
      const stop = new AbortController();
      streams.add(stop);
      reply.hijack();
      try {
        await streamEvents(reply.raw, events, last ?? since, stop.signal);
      } finally {
        streams.delete(stop);
      }
      return reply;
    },
  );
};
