// Deletions over the limit wait until a person has seen the list.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { ConfirmBody } from '../requests.ts';
import { ConfirmationSchema } from '../schemas.ts';

const ConfirmationList = Type.Object({ confirmations: Type.Array(ConfirmationSchema) }, { additionalProperties: false });

export const confirmationRoutes: Routes = (app, context) => {
  const { control } = context;
  app.get(
    '/v1/confirmations',
    { schema: { summary: 'What waits for a confirmation.', response: { 200: ConfirmationList } } },
    async () => ({
      confirmations: control.status().confirmations,
    }),
  );

  app.post<{ Body: ConfirmBody }>(
    '/v1/confirmations',
    {
      schema: {
        summary: 'Confirms exactly the list with this hash.',
        description: 'Refused with CONFIRMATION_STALE when the list has changed since it was shown.',
        body: ConfirmBody,
        response: { 200: ConfirmationSchema },
      },
    },
    async ({ body, raw }) => {
      const unprotect = body.unprotect === true ? { unprotect: true } : {};
      return await control.confirm(body.source, body.hash, { ...unprotect, actor: context.actor(raw.socket) });
    },
  );
};
