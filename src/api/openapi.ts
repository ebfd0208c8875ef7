// /openapi.json, made from the schemas the routes are checked with.
import type { RouteOptions } from 'fastify';
import { AuditPageSchema, AuditVerdictSchema, HistoryRunSchema, WhySchema } from './explain-schemas.ts';
import {
  ApplyResultSchema,
  ConfirmationSchema,
  DaemonStatusSchema,
  EventSchema,
  HostShutdownSchema,
  ObjectDescriptionSchema,
  ObjectListSchema,
  ObjectStatusSchema,
  PlanChangeSchema,
  PlannedObjectSchema,
  PlanReportSchema,
  ProblemDocument,
  ProblemSchema,
  Ref,
  SourceStatusSchema,
  TombstoneSchema,
} from './schemas.ts';

/** Shapes that have a name in the document; docs/reference/cli-json.md refers to them. */
const NAMED: Readonly<Record<string, unknown>> = {
  Ref,
  Problem: ProblemSchema,
  ProblemDocument,
  ObjectStatus: ObjectStatusSchema,
  ObjectList: ObjectListSchema,
  ObjectDescription: ObjectDescriptionSchema,
  Confirmation: ConfirmationSchema,
  SourceStatus: SourceStatusSchema,
  Tombstone: TombstoneSchema,
  DaemonStatus: DaemonStatusSchema,
  PlanChange: PlanChangeSchema,
  PlannedObject: PlannedObjectSchema,
  PlanReport: PlanReportSchema,
  ApplyResult: ApplyResultSchema,
  Event: EventSchema,
  HostShutdown: HostShutdownSchema,
  Why: WhySchema,
  HistoryRun: HistoryRunSchema,
  AuditPage: AuditPageSchema,
  AuditVerdict: AuditVerdictSchema,
};

declare module 'fastify' {
  interface FastifySchema {
    summary?: string;
    description?: string;
    /** Media types of answers that are not JSON, by status. */
    produces?: Readonly<Record<string, string>>;
  }
}

interface RouteSchema {
  readonly summary?: string;
  readonly description?: string;
  readonly params?: ObjectSchema;
  readonly querystring?: ObjectSchema;
  readonly body?: unknown;
  readonly response?: Readonly<Record<string, unknown>>;
  /** Media types of answers that are not JSON, by status. */
  readonly produces?: Readonly<Record<string, string>>;
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, unknown>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** Collects routes as they are added (fastify's onRoute hook), and makes the document when it is asked for. */
export class OpenApiCollector {
  readonly #routes: RouteOptions[] = [];

  add(route: RouteOptions): void {
    this.#routes.push(route);
  }

  document(version: string): OpenApiDocument {
    const paths: OpenApiDocument['paths'] = {};
    for (const route of this.#routes) {
      const schema = (route.schema ?? {}) as RouteSchema;
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      for (const method of [route.method].flat()) {
        if (method === 'HEAD' || method === 'OPTIONS') continue;
        (paths[path] ??= {})[method.toLowerCase()] = operation(schema);
      }
    }
    return {
      openapi: '3.1.0',
      info: {
        title: 'Lockstep',
        version,
        description: 'REST API of lockstepd, over the unix socket `<run-dir>/lockstep.sock`. Errors are RFC 9457 problem documents.',
      },
      paths,
      components: { schemas: Object.fromEntries(Object.entries(NAMED).map(([name, schema]) => [name, named(schema, name)])) },
    };
  }
}

/** A copy in which the shapes that have a name are referred to by it. `self`: the one being described. */
function named(value: unknown, self?: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const name = Object.keys(NAMED).find((key) => NAMED[key] === value);
  if (name !== undefined && name !== self) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(value)) return value.map((member) => named(member));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, named(member)]));
}

function operation(schema: RouteSchema): Record<string, unknown> {
  const responses: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(schema.response ?? { 200: {} })) {
    const media = schema.produces?.[status] ?? 'application/json';
    const { description } = answer as { description?: string };
    responses[status] = { description: description ?? 'Done.', content: { [media]: { schema: named(answer) } } };
  }
  responses['default'] = {
    description: 'An error.',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDocument' } } },
  };
  return {
    ...(schema.summary === undefined ? {} : { summary: schema.summary }),
    ...(schema.description === undefined ? {} : { description: schema.description }),
    parameters: [...parameters('path', schema.params), ...parameters('query', schema.querystring)],
    ...(schema.body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: named(schema.body) } } } }),
    responses,
  };
}

function parameters(where: 'path' | 'query', schema: ObjectSchema | undefined): Record<string, unknown>[] {
  return Object.entries(schema?.properties ?? {}).map(([name, member]) => ({
    name,
    in: where,
    required: where === 'path' || (schema?.required?.includes(name) ?? false),
    ...(member.description === undefined ? {} : { description: member.description }),
    schema: member,
  }));
}
