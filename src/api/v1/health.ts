// Liveness, readiness and metrics, for systemd, monitors and Prometheus.
import { Type } from 'typebox';
import { AppError } from '../../core/errors.ts';
import type { Routes } from '../deps.ts';

const Ok = Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false });

export const healthRoutes: Routes = (app, context) => {
  app.get('/healthz', { schema: { summary: 'The daemon answers.', response: { 200: Ok } } }, async () => ({ status: 'ok' as const }));

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'The ledger is recovered and everything was looked at once; 503 with the reason until then.',
        response: { 200: Ok },
      },
    },
    async () => {
      if (!context.control.status().ready) {
        throw new AppError(
          'UNAVAILABLE',
          {},
          { message: 'The daemon is not ready: its first look at the sources and the host is not done yet.' },
        );
      }
      return { status: 'ok' as const };
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Metrics for Prometheus.',
        response: { 200: Type.String() },
        produces: { 200: 'text/plain' },
      },
    },
    async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await context.metrics()),
  );
};
