// Shapes of what clients send. Strict: unknown members are refused, nothing is coerced.
import { type Static, Type } from 'typebox';
import { Kind, PlannedObjectSchema, Ref } from './schemas.ts';

const closed = { additionalProperties: false } as const;
const SEGMENT = '^[^\\u0000-\\u001f/]{1,255}$';
/** A stored source's name: a word, since it becomes part of actors, labels and file names. */
const SOURCE_NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$';

export const RefParams = Type.Object(
  {
    kind: Kind,
    project: Type.String({ pattern: SEGMENT, description: '`-` for kinds that belong to no project.' }),
    parent: Type.String({ pattern: SEGMENT, description: '`-` for kinds without a parent.' }),
    name: Type.String({ pattern: SEGMENT }),
  },
  closed,
);
export type RefParams = Static<typeof RefParams>;

export const KindParams = Type.Object({ kind: Kind }, closed);
export type KindParams = Static<typeof KindParams>;

export const ObjectQuery = Type.Object(
  {
    match: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 600,
        description: 'Only objects this short form may mean: `web`, `Instance/web`, a full key.',
      }),
    ),
    project: Type.Optional(Type.String({ pattern: SEGMENT, description: 'Only objects of this project and those that belong to none.' })),
  },
  closed,
);
export type ObjectQuery = Static<typeof ObjectQuery>;

const Files = Type.Array(
  Type.Object(
    {
      path: Type.String({
        minLength: 1,
        maxLength: 4096,
        pattern: '^[^\\u0000-\\u001f]+$',
        description: 'As people know it, for problems.',
      }),
      text: Type.String({ description: 'The whole manifest file.' }),
    },
    closed,
  ),
  { minItems: 1, maxItems: 10_000, description: 'Manifest files with their text.' },
);

export const PlanBody = Type.Object(
  {
    files: Files,
    source: Type.Optional(Type.String({ pattern: SOURCE_NAME, description: 'Stored source the files would go into. Default `api`.' })),
    replace: Type.Optional(Type.Boolean({ description: 'The files would be the whole content of that source.' })),
  },
  closed,
);
export type PlanBody = Static<typeof PlanBody>;

const SavedPlan = Type.Array(PlannedObjectSchema, {
  maxItems: 100_000,
  description: '`objects` of a plan made before: refused with PLAN_STALE, naming what moved, when a new plan would differ.',
});

export const ApplyBody = Type.Object(
  {
    files: Files,
    source: Type.Optional(Type.String({ pattern: SOURCE_NAME, description: 'Stored source to put the objects into. Default `api`.' })),
    prune: Type.Optional(Type.Boolean({ description: 'The files are the whole content of `source`; what they do not hold is deleted.' })),
    plan: Type.Optional(SavedPlan),
  },
  closed,
);
export type ApplyBody = Static<typeof ApplyBody>;

export const SyncBody = Type.Union([
  Type.Object(
    {
      source: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Only this source. Default all.' })),
      plan: Type.Optional(SavedPlan),
      ref: Type.Optional(Ref),
    },
    closed,
  ),
  Type.Null(),
]);
export type SyncBody = Static<typeof SyncBody>;

export const ConfirmBody = Type.Object(
  {
    source: Type.String({ minLength: 1, maxLength: 255 }),
    hash: Type.String({ minLength: 1, maxLength: 128 }),
    unprotect: Type.Optional(Type.Boolean({ description: 'Takes the protection off what is protected, so that it is deleted, too.' })),
  },
  closed,
);
export type ConfirmBody = Static<typeof ConfirmBody>;

export const UndeleteBody = Type.Object(
  {
    ref: Ref,
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'Name of one of its tombstones. Default: the newest of its deletion.' }),
    ),
  },
  closed,
);
export type UndeleteBody = Static<typeof UndeleteBody>;

export const PurgeBody = Type.Union([
  Type.Object({ ref: Ref }, { ...closed, description: 'All tombstones of one object.' }),
  Type.Object({ all: Type.Literal(true) }, closed),
]);
export type PurgeBody = Static<typeof PurgeBody>;

export const SourceParams = Type.Object({ name: Type.String({ pattern: SOURCE_NAME }) }, closed);
export type SourceParams = Static<typeof SourceParams>;

export const ForgetBody = Type.Object(
  {
    how: Type.Union([Type.Literal('keep'), Type.Literal('prune')], {
      description: '`keep`: its objects become objects of the stored source `api`. `prune`: they are deleted, once that is confirmed.',
    }),
  },
  closed,
);
export type ForgetBody = Static<typeof ForgetBody>;

const NUMBER = '^[0-9]{1,15}$';

export const EventQuery = Type.Object(
  {
    since: Type.Optional(Type.String({ pattern: NUMBER, description: 'Only events with a greater number. Default: the newest ones.' })),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: 'At most this many, 1 to 9999. Default 100.' })),
    follow: Type.Optional(
      Type.String({ pattern: '^(|1|true)$', description: 'Stream as server-sent events, as `Accept: text/event-stream` does.' }),
    ),
  },
  closed,
);
export type EventQuery = Static<typeof EventQuery>;

export const HistoryQuery = Type.Object(
  { limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: 'At most so many runs, 1 to 999. Default 20.' })) },
  closed,
);
export type HistoryQuery = Static<typeof HistoryQuery>;

export const AuditQuery = Type.Object(
  {
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: 'At most so many entries, 1 to 999. Default 100.' })),
    before: Type.Optional(Type.String({ pattern: NUMBER, description: 'Only entries with a smaller number.' })),
    since: Type.Optional(Type.String({ pattern: NUMBER, description: 'Only entries from then on, in milliseconds since the epoch.' })),
    object: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1100, description: 'Only about `Kind/project/parent/name`, or `source:NAME`.' }),
    ),
  },
  closed,
);
export type AuditQuery = Static<typeof AuditQuery>;

export const AuditVerifyQuery = Type.Object(
  {
    expect: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,14}:[0-9a-f]{64}$',
        description: 'A head that was noted elsewhere, `NUMBER:HASH`: the log must still hold it.',
      }),
    ),
  },
  closed,
);
export type AuditVerifyQuery = Static<typeof AuditVerifyQuery>;

export const ExecParams = Type.Object({ project: Type.String({ pattern: SEGMENT }), name: Type.String({ pattern: SEGMENT }) }, closed);
export type ExecParams = Static<typeof ExecParams>;

const Size = { minimum: 1, maximum: 65_535 } as const;
const Id = Type.Integer({ minimum: 0, maximum: 4_294_967_294 });

/** The first frame (text) on an exec WebSocket. */
export const ExecStart = Type.Object(
  {
    command: Type.Array(Type.String(), { minItems: 1, maxItems: 4096 }),
    environment: Type.Optional(Type.Record(Type.String(), Type.String())),
    cwd: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096, description: 'Absolute path in the container.' })),
    user: Type.Optional(Id),
    group: Type.Optional(Id),
    terminal: Type.Optional(
      Type.Object(
        {
          columns: Type.Integer(Size),
          rows: Type.Integer(Size),
          type: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$', description: 'TERM. Default xterm-256color.' })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type ExecStart = Static<typeof ExecStart>;

/** Later text frames from the client. */
export const ExecControl = Type.Union([
  Type.Object({ type: Type.Literal('resize'), columns: Type.Integer(Size), rows: Type.Integer(Size) }, closed),
  Type.Object({ type: Type.Literal('signal'), number: Type.Integer({ minimum: 1, maximum: 64 }) }, closed),
]);
export type ExecControl = Static<typeof ExecControl>;
