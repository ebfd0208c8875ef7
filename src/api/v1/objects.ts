// Objects: lists, one in detail, and deletion by name.
import { Type } from 'typebox';
import { AppError } from '../../core/errors.ts';
import { refKey, refText, scopeOf, type ResourceRef } from '../../core/ref.ts';
import type { Routes } from '../deps.ts';
import { KindParams, ObjectQuery, RefParams } from '../requests.ts';
import { ObjectDescriptionSchema, ObjectListSchema, Ref } from '../schemas.ts';

export const objectRoutes: Routes = (app, context) => {
  const { control } = context;

  function list(query: ObjectQuery, kind?: string) {
    const matches = query.match === undefined ? undefined : new Set(control.find(query.match).map(refKey));
    return {
      objects: control
        .status()
        .objects.filter(
          ({ ref }) =>
            (kind === undefined || ref.kind === kind) &&
            (matches === undefined || matches.has(refKey(ref))) &&
            (query.project === undefined || ref.project === '-' || ref.project === query.project),
        ),
    };
  }

  app.get<{ Querystring: ObjectQuery }>(
    '/v1/objects',
    { schema: { summary: 'All objects.', querystring: ObjectQuery, response: { 200: ObjectListSchema } } },
    async (request) => list(request.query),
  );

  app.get<{ Params: KindParams; Querystring: ObjectQuery }>(
    '/v1/objects/:kind',
    { schema: { summary: 'All objects of a kind.', params: KindParams, querystring: ObjectQuery, response: { 200: ObjectListSchema } } },
    async (request) => list(request.query, request.params.kind),
  );

  app.get<{ Params: RefParams }>(
    '/v1/objects/:kind/:project/:parent/:name',
    {
      schema: {
        summary: 'One object with its spec, allocations and history.',
        params: RefParams,
        response: { 200: ObjectDescriptionSchema },
      },
    },
    async (request) => control.describe(toRef(request.params)),
  );

  app.delete<{ Params: RefParams }>(
    '/v1/objects/:kind/:project/:parent/:name',
    {
      schema: {
        summary: 'Deletes an object that was made through the API.',
        description: 'Refused with OWNED_BY_OTHER_SOURCE, with file and line, for what a manifest declares.',
        params: RefParams,
        response: { 202: Type.Object({ ref: Ref }, { additionalProperties: false }) },
      },
    },
    async (request, reply) => {
      const ref = toRef(request.params);
      await control.delete(ref, context.actor(request.raw.socket));
      return reply.code(202).send({ ref });
    },
  );
};

/** Refuses segments that the kind has not, so that one object has one address. */
export function toRef(ref: RefParams): ResourceRef {
  const scope = scopeOf(ref.kind);
  if (scope.project === (ref.project === '-') || scope.parent === (ref.parent === '-')) {
    const shape = `${ref.kind}/${scope.project ? 'PROJECT' : '-'}/${scope.parent ? 'PARENT' : '-'}/NAME`;
    throw new AppError('NAME_INVALID', {}, { message: `${refText(ref)} is addressed as ${shape}.` });
  }
  return { kind: ref.kind, project: ref.project, parent: ref.parent, name: ref.name };
}
