// Who changed what and why. Read only: entries are written by what they tell of.
import type { Routes } from '../deps.ts';
import { AuditPageSchema, AuditVerdictSchema } from '../explain-schemas.ts';
import { AuditQuery, AuditVerifyQuery } from '../requests.ts';

const DEFAULT_LIMIT = 100;

export const auditRoutes: Routes = (app, { explain }) => {
  app.get<{ Querystring: AuditQuery }>(
    '/v1/audit',
    {
      schema: {
        summary: 'The audit log, newest first.',
        description: 'In pages: give `next` of an answer as `before` for the entries behind it.',
        querystring: AuditQuery,
        response: { 200: AuditPageSchema },
      },
    },
    async ({ query: { limit, before, since, object } }) =>
      explain.audit({
        limit: Number(limit ?? DEFAULT_LIMIT),
        ...(before === undefined ? {} : { before: Number(before) }),
        ...(since === undefined ? {} : { since: Number(since) }),
        ...(object === undefined ? {} : { ref: object }),
      }),
  );

  app.get<{ Querystring: AuditVerifyQuery }>(
    '/v1/audit/verify',
    {
      schema: {
        summary: 'Checks the chain of the audit log; `broken` names the first entry that is not as it was written.',
        querystring: AuditVerifyQuery,
        response: { 200: AuditVerdictSchema },
      },
    },
    async ({ query: { expect } }) => {
      const [seq, hash] = expect?.split(':') ?? [];
      return await explain.verifyAudit(seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash });
    },
  );
};
