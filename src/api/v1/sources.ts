// Where manifests come from, with their revision and problems.
import { Type } from 'typebox';
import type { Routes } from '../deps.ts';
import { SourceStatusSchema } from '../schemas.ts';

const SourceList = Type.Object({ sources: Type.Array(SourceStatusSchema) }, { additionalProperties: false });

export const sourceRoutes: Routes = (app, { control }) => {
  app.get('/v1/sources', { schema: { summary: 'All sources.', response: { 200: SourceList } } }, async () => ({
    sources: control.status().sources,
  }));
};
