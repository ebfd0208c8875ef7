// How things came to be: why an object is as it is, and its history.
import type { Routes } from '../deps.ts';
import { HistorySchema, WhySchema } from '../explain-schemas.ts';
import { HistoryQuery, RefParams } from '../requests.ts';
import { toRef } from './objects.ts';

const DEFAULT_RUNS = 20;

export const explainRoutes: Routes = (app, { explain }) => {
  app.get<{ Params: RefParams }>(
    '/v1/objects/:kind/:project/:parent/:name/why',
    {
      schema: {
        summary: 'Why an object is as it is: where it is declared, the rule behind the last action or inaction, and what it waits for.',
        params: RefParams,
        response: { 200: WhySchema },
      },
    },
    async (request) => explain.why(toRef(request.params)),
  );

  app.get<{ Params: RefParams; Querystring: HistoryQuery }>(
    '/v1/objects/:kind/:project/:parent/:name/history',
    {
      schema: {
        summary: 'What was done to an object, newest first; also of one that is gone.',
        params: RefParams,
        querystring: HistoryQuery,
        response: { 200: HistorySchema },
      },
    },
    async (request) => ({ runs: explain.history(toRef(request.params), Number(request.query.limit ?? DEFAULT_RUNS)) }),
  );
};
