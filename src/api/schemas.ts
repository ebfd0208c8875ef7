// Shapes of the REST API's answers. One TypeBox value each: it documents the answer in /openapi.json, and the tests check real answers
// against it. The types that fill them are the reconciler's own (reconciler/control.ts).
import { Type } from 'typebox';
import { ERRORS } from '../core/errors.ts';
import { KIND_NAMES, type KindName } from '../core/ref.ts';

const closed = { additionalProperties: false } as const;
// Names, paths and segments never hold control characters.
const SEGMENT = '^[^\\u0000-\\u001f/]{1,255}$';

export const Kind = Type.Unsafe<KindName>({ type: 'string', enum: [...KIND_NAMES], description: 'Kind of an object.' });

/** One of these words. */
export function words(list: readonly string[], description?: string) {
  return Type.Unsafe<string>({ type: 'string', enum: [...list], ...(description === undefined ? {} : { description }) });
}

export const Ref = Type.Object(
  {
    kind: Kind,
    project: Type.String({ pattern: SEGMENT, description: 'Project, or `-` for kinds that belong to none.' }),
    parent: Type.String({ pattern: SEGMENT, description: 'The pool of a volume, the network of a forward; `-` elsewhere.' }),
    name: Type.String({ pattern: SEGMENT }),
  },
  { ...closed, description: 'Identity of an object.' },
);

export const Millis = Type.Number({ description: 'Milliseconds since the epoch.' });

export const ErrorCodeSchema = words(Object.keys(ERRORS), 'Stable error code.');

export const ProblemSchema = Type.Object(
  {
    file: Type.String(),
    line: Type.Integer({ minimum: 1 }),
    column: Type.Integer({ minimum: 1, description: 'One-based, in UTF-16 units.' }),
    endLine: Type.Integer({ minimum: 1 }),
    endColumn: Type.Integer({ minimum: 1 }),
    severity: words(['error', 'warning']),
    rule: Type.String({ description: 'Stable rule id: `unknown-key`, `type`, `dangling-reference`.' }),
    field: Type.String({ description: 'Path in the document: `spec.config.limits.memory`.' }),
    message: Type.String(),
    hint: Type.Optional(Type.String()),
  },
  { ...closed, description: 'A mistake in a manifest, located.' },
);

export const ProblemDocument = Type.Object(
  {
    type: Type.String({ description: '`urn:lockstep:error:CODE`.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'One full sentence that names the object.' }),
    instance: Type.String({ description: 'Path of the request.' }),
    code: ErrorCodeSchema,
    hint: Type.Optional(Type.String({ description: 'What to do next.' })),
    causes: Type.Optional(Type.Array(Type.String(), { description: 'The errors behind this one, outermost first.' })),
    values: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
    problems: Type.Optional(Type.Array(ProblemSchema)),
  },
  { ...closed, description: 'An error (RFC 9457, application/problem+json).' },
);

const Condition = Type.Object(
  {
    type: words(['Ready', 'Reconciling', 'Stalled', 'Drifted', 'Overridden']),
    status: words(['True', 'False', 'Unknown']),
    reason: Type.String({ description: 'One of docs/reference/conditions.md, or an error code.' }),
    message: Type.String(),
    since: Millis,
  },
  closed,
);

export const ObjectErrorSchema = Type.Object(
  {
    code: ErrorCodeSchema,
    message: Type.String(),
    hint: Type.Optional(Type.String()),
    at: Millis,
    change: Type.Optional(Type.String({ description: 'The change that failed.' })),
    file: Type.Optional(Type.String({ description: 'The manifest that asked for it.' })),
    line: Type.Optional(Type.Integer()),
  },
  closed,
);

export const ObjectStatusSchema = Type.Object(
  {
    ref: Ref,
    uid: Type.String(),
    source: Type.String(),
    file: Type.Optional(Type.String({ description: 'Where it is declared; absent when it is not any more.' })),
    line: Type.Optional(Type.Integer()),
    conditions: Type.Array(Condition),
    summary: Type.String(),
    observedRevision: Type.Optional(Type.String({ description: 'Revision of the source that was last fully applied.' })),
    doing: Type.Optional(Type.Object({ text: Type.String(), fraction: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })) }, closed)),
    error: Type.Optional(ObjectErrorSchema),
    nextRetry: Type.Optional(Millis),
    details: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]), {
      description: 'Live facts of the kind: state, addresses, fingerprint, sizes.',
    }),
  },
  { ...closed, description: 'What is known of an object.' },
);

export const ConfirmationSchema = Type.Object(
  {
    action: words(['delete', 'recreate', 'restart', 'adopt'], 'What would be done to the objects.'),
    source: Type.String({ description: 'The source that owns the objects.' }),
    hash: Type.String({ description: 'A confirmation holds for exactly the list with this hash.' }),
    objects: Type.Array(Ref),
    protected: Type.Array(Ref, { description: 'Not declared either, but protected: they stay unless `unprotect` is given.' }),
    reason: Type.String(),
    askedAt: Millis,
  },
  { ...closed, description: 'What waits for a person: deletions of a source, a new root volume or a restart of an instance.' },
);

export const SourceStatusSchema = Type.Object(
  {
    name: Type.String(),
    location: Type.String({ description: 'Empty when it is no longer configured.' }),
    state: words(
      ['read', 'stored', 'unconfigured', 'forgotten'],
      '`unconfigured`: its objects stay as they are until it is forgotten. `forgotten`: they are to be deleted.',
    ),
    revision: Type.Optional(Type.String()),
    objects: Type.Integer(),
    problems: Type.Array(ProblemSchema),
    error: Type.Optional(Type.String()),
    lastRead: Type.Optional(Millis),
  },
  { ...closed, description: 'Where manifests come from.' },
);

export const TombstoneSchema = Type.Object(
  {
    ref: Ref,
    pool: Type.String(),
    name: Type.String(),
    why: words(
      ['deleted', 'replaced', 'returning'],
      '`deleted`: with its object. `replaced`: a former root volume. `returning`: on its way back.',
    ),
    buriedAt: Millis,
    expiresAt: Millis,
    bytes: Type.Optional(Type.Integer({ description: 'What removing it frees, once it was measured.' })),
  },
  { ...closed, description: 'Deleted data that can still be brought back.' },
);

export const ForgottenObjectsSchema = Type.Object(
  {
    source: Type.String(),
    objects: Type.Array(Ref, { description: 'Kept, or to be deleted once that is confirmed.' }),
    left: Type.Array(Ref, { description: 'Could not be kept; they stay as they are.' }),
  },
  closed,
);

export const DaemonStatusSchema = Type.Object(
  {
    version: Type.String(),
    pid: Type.Integer(),
    startedAt: Millis,
    prefix: Type.String(),
    stateDir: Type.String(),
    ready: Type.Boolean({ description: 'The ledger is recovered and everything was looked at once.' }),
    draining: Type.Boolean({ description: 'The host is being shut down: nothing is started or changed before it has booted again.' }),
    objects: Type.Array(ObjectStatusSchema),
    sources: Type.Array(SourceStatusSchema),
    confirmations: Type.Array(ConfirmationSchema),
    tombstones: Type.Array(TombstoneSchema, { description: 'What can be brought back, oldest first.' }),
    settled: Type.Boolean({ description: 'All objects Ready, no problems, no confirmation asked for.' }),
  },
  closed,
);

export const ObjectListSchema = Type.Object({ objects: Type.Array(ObjectStatusSchema) }, closed);

export const ObjectDescriptionSchema = Type.Object(
  {
    status: ObjectStatusSchema,
    document: Type.Unknown({ description: 'The manifest document; secrets are fingerprints.' }),
    spec: Type.Unknown({ description: 'The resolved spec; secrets are fingerprints.' }),
    allocations: Type.Record(Type.String(), Type.String()),
    history: Type.Array(
      Type.Object(
        {
          change: Type.String(),
          openedAt: Millis,
          closedAt: Type.Union([Millis, Type.Null()]),
          outcome: Type.Union([Type.String(), Type.Null()]),
          revision: Type.String(),
        },
        closed,
      ),
    ),
  },
  closed,
);

const FieldChangeSchema = Type.Object(
  {
    field: Type.String({ description: 'As in the manifest: `config.limits.memory`.' }),
    from: Type.Optional(Type.String({ description: 'Old value. Absent: there was none.' })),
    to: Type.Optional(Type.String({ description: 'New value. Absent: it is taken away, or known after apply.' })),
    secret: Type.Optional(Type.Literal(true, { description: '`from` and `to` only say whether there is a value.' })),
    knownAfterApply: Type.Optional(Type.Literal(true, { description: 'The new value is found out while applying.' })),
  },
  closed,
);

export const PlanChangeSchema = Type.Object(
  {
    ref: Ref,
    change: Type.String({ description: 'Name of the change: `create`, `setLimits`.' }),
    verdict: words(
      ['create', 'live', 'replug', 'restart', 'recreate', 'rename', 'delete', 'repair', 'power'],
      'How it lands: live without interruption, replug takes one device away for a moment, restart and recreate take the object down, ' +
        'repair puts back what was changed from outside, power starts, stops or freezes.',
    ),
    summary: Type.String({ description: 'One clause: `shut down, to start with what has changed`.' }),
    fields: Type.Array(FieldChangeSchema),
    downtime: Type.Optional(Type.String({ description: 'Expected downtime in words, with what the figure is from.' })),
    expectedDowntimeMs: Type.Optional(Type.Number({ minimum: 0 })),
    downtimeFrom: Type.Optional(
      words(
        ['restarts', 'start', 'limit'],
        'What `expectedDowntimeMs` is from: its last restarts; its last starts (the shutdown comes on top); `limit`: there is no figure yet.',
      ),
    ),
    shutdownLimitMs: Type.Optional(
      Type.Number({ minimum: 0, description: 'The guest may take this long to shut down before it is stopped by force.' }),
    ),
    file: Type.Optional(Type.String({ description: 'Where it is declared.' })),
    line: Type.Optional(Type.Integer({ minimum: 1 })),
    waitsFor: Type.Optional(Type.String({ description: 'Why it does not start at once.' })),
    pending: Type.Optional(Type.Literal(true, { description: 'Planned with or without the files that were given.' })),
  },
  closed,
);

const COUNTED = {
  create: 'Objects to be made.',
  change: 'Objects to be changed, those that restart or are replaced among them.',
  restart: 'Objects that restart.',
  recreate: 'Objects that are replaced.',
  delete: 'Objects to be deleted.',
  unchanged: 'Declared objects for which nothing is planned.',
} as const;

const PlanCountsSchema = Type.Object(
  Object.fromEntries(Object.entries(COUNTED).map(([name, description]) => [name, Type.Integer({ minimum: 0, description })])),
  { ...closed, description: 'Objects, each counted as its weightiest change, without pending ones.' },
);

export const PlannedObjectSchema = Type.Object(
  {
    ref: Ref,
    desired: Type.Optional(Type.String({ maxLength: 200, description: 'Keyed hash of what is declared. Absent: not declared any more.' })),
    changes: Type.String({ maxLength: 200, description: 'Hash of its changes.' }),
  },
  { ...closed, description: 'What a saved plan is bound to, for one object.' },
);

const PlannedConfirmationSchema = Type.Object(
  {
    source: Type.String(),
    objects: Type.Array(Ref, { description: 'None of them is deleted before somebody has agreed.' }),
    protected: Type.Array(Ref, { description: 'They stay even then, unless it is agreed to with `--unprotect`.' }),
    reason: Type.String({ description: 'Why it is asked for, as a sentence.' }),
    command: Type.String({ description: 'What somebody has to run on the host once the plan is in force.' }),
  },
  {
    ...closed,
    description: 'Deletions of a source that will wait for a confirmation: too many at once, all of it, or protected ones only.',
  },
);

export const PlanReportSchema = Type.Object(
  {
    revisions: Type.Record(Type.String(), Type.String(), { description: 'Revisions it was made from, by source.' }),
    counts: PlanCountsSchema,
    changes: Type.Array(PlanChangeSchema, { description: 'In order, what others need first.' }),
    unchanged: Type.Array(Ref, { description: 'Declared objects for which nothing is planned.' }),
    problems: Type.Array(ProblemSchema),
    unknown: Type.Array(Type.Object({ ref: Ref, because: Type.String() }, closed), {
      description: 'Objects whose actual state cannot be read: nothing is planned for them.',
    }),
    confirmations: Type.Array(PlannedConfirmationSchema),
    objects: Type.Array(PlannedObjectSchema, {
      description: 'Give these to apply or sync as `plan` to be refused (PLAN_STALE) when a new plan would differ.',
    }),
    hash: Type.String({ description: 'Hash over `objects`: equal for plans that would do the same.' }),
  },
  { ...closed, description: 'The difference between what is declared and what is.' },
);

export const ApplyResultSchema = Type.Object(
  {
    objects: Type.Array(Type.Object({ ref: Ref, result: words(['created', 'changed', 'unchanged']) }, closed)),
    problems: Type.Array(ProblemSchema, { description: 'Warnings; errors refuse the whole request.' }),
  },
  closed,
);

export const HostShutdownSchema = Type.Object(
  {
    instances: Type.Array(
      Type.Object(
        {
          name: Type.String({ description: 'Name of the container.' }),
          priority: Type.Integer({ description: '`boot.stop.priority`: higher was stopped first.' }),
          outcome: words(['stopped', 'killed', 'failed']),
          durationMs: Type.Integer({ description: 'Milliseconds until it was down.' }),
          error: Type.Optional(Type.String()),
        },
        closed,
      ),
      { description: 'In the order of their turns.' },
    ),
  },
  closed,
);

export const EventSchema = Type.Object(
  {
    seq: Type.Integer({ description: 'Grows by one per event; survives restarts.' }),
    time: Millis,
    type: words(['change', 'condition', 'source', 'problem', 'progress', 'daemon']),
    severity: words(['info', 'warning', 'error']),
    ref: Type.Optional(Ref),
    reason: Type.String(),
    message: Type.String(),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  closed,
);

export const EventListSchema = Type.Object({ events: Type.Array(EventSchema) }, closed);
