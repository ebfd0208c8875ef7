// Shapes of answers about how things came to be: why, history, audit log.
import { Type } from 'typebox';
import { CAUSES } from '../core/cause.ts';
import { REASONS } from '../core/reasons.ts';
import { ERRORS } from '../core/errors.ts';
import { Millis, ObjectErrorSchema, Ref, words } from './schemas.ts';

const closed = { additionalProperties: false } as const;

const Field = Type.Object(
  {
    field: Type.String({ description: 'As in the manifest: `config.limits.memory`.' }),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    secret: Type.Optional(Type.Literal(true)),
    knownAfterApply: Type.Optional(Type.Literal(true)),
  },
  closed,
);

export const HistoryRunSchema = Type.Object(
  {
    openedAt: Millis,
    closedAt: Type.Union([Millis, Type.Null()]),
    durationMs: Type.Union([Type.Number({ description: 'Milliseconds.' }), Type.Null()]),
    revision: Type.String({ description: 'Revision of the source that was applied.' }),
    source: Type.Optional(Type.String()),
    causes: Type.Array(Type.String(), { description: 'The events that made the daemon look.' }),
    outcome: Type.Union([Type.String(), Type.Null()], {
      description: '`done`, or how the first change that was not done ended; null while under way.',
    }),
    changes: Type.Array(
      Type.Object(
        {
          change: Type.String(),
          verdict: words(['create', 'live', 'replug', 'restart', 'recreate', 'rename', 'delete', 'repair', 'power']),
          summary: Type.String(),
          fields: Type.Array(Field),
          outcome: Type.Union([Type.String(), Type.Null()], {
            description:
              '`done`, `waiting`, `dropped`, `superseded`, `not-started`, `interrupted`, or an error code; null while under way.',
          }),
          closedAt: Type.Union([Millis, Type.Null()]),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'Changes that were planned together.' },
);

export const HistorySchema = Type.Object({ runs: Type.Array(HistoryRunSchema, { description: 'Newest first.' }) }, closed);

const Rule = Type.Object(
  {
    reason: words([...Object.keys(REASONS), ...Object.keys(ERRORS)], 'As in docs/reference/conditions.md.'),
    message: Type.String({ description: 'What it means here.' }),
    meaning: Type.Optional(Type.String({ description: 'What it means in general.' })),
    file: Type.Optional(Type.String()),
    line: Type.Optional(Type.Integer()),
    since: Type.Optional(Millis),
    until: Type.Optional(Type.Number({ description: 'Looked at again then, whatever happens. Milliseconds since the epoch.' })),
  },
  { ...closed, description: 'The rule behind what is done or not done.' },
);

export const WhySchema = Type.Object(
  {
    ref: Ref,
    uid: Type.Optional(Type.String()),
    ready: Type.Optional(
      Type.Object(
        {
          status: words(['True', 'False', 'Unknown']),
          reason: Type.String(),
          message: Type.String(),
          since: Millis,
        },
        closed,
      ),
    ),
    declared: Type.Optional(
      Type.Object(
        {
          source: Type.String(),
          location: Type.Optional(Type.String()),
          revision: Type.Optional(Type.String({ description: 'The source as it was last taken in.' })),
          changedIn: Type.Optional(Type.String({ description: 'The revision that brought what is declared now.' })),
          signer: Type.Optional(Type.String({ description: 'Who signed that revision, where the source checks it.' })),
          by: Type.Optional(Type.String({ description: 'Who put it into a stored source last.' })),
          byAt: Type.Optional(Millis),
          file: Type.String(),
          line: Type.Integer(),
        },
        closed,
      ),
    ),
    observedRevision: Type.Optional(Type.String()),
    rule: Rule,
    chain: Type.Array(
      Type.Object(
        {
          from: Ref,
          ref: Ref,
          asked: Type.Optional(Type.Object({ file: Type.String(), line: Type.Integer(), field: Type.String() }, closed)),
          rule: Rule,
          root: Type.Boolean({ description: 'Nobody else is behind this one.' }),
        },
        closed,
      ),
      { description: 'What it waits for, and what that waits for; the nearest first.' },
    ),
    chainCut: Type.Boolean({ description: 'There is more than the list holds.' }),
    error: Type.Optional(ObjectErrorSchema),
    lastLook: Type.Optional(
      Type.Object(
        {
          at: Millis,
          causes: Type.Array(Type.Object({ event: words(Object.keys(CAUSES)), text: Type.String(), at: Millis }, closed)),
        },
        closed,
      ),
    ),
    lastRun: Type.Optional(HistoryRunSchema),
    notes: Type.Array(Type.String()),
  },
  { ...closed, description: 'Why an object is as it is.' },
);

const AuditEntry = Type.Object(
  {
    seq: Type.Integer(),
    at: Millis,
    actor: Type.String({ description: '`uid:0`, or `source:NAME@REVISION`.' }),
    action: Type.String(),
    ref: Type.String({ description: 'The object, `source:NAME`, or nothing.' }),
    hash: Type.String({ description: 'Over the entry before and this one.' }),
    detail: Type.Object(
      {
        summary: Type.String(),
        outcome: Type.Optional(Type.String({ description: '`done`, `waiting` (begun), `interrupted`, or an error code.' })),
        fields: Type.Optional(Type.Array(Field, { description: 'Before and after. Secrets are fingerprints.' })),
        source: Type.Optional(Type.String()),
        revision: Type.Optional(Type.String()),
        file: Type.Optional(Type.String()),
        line: Type.Optional(Type.Integer()),
        signer: Type.Optional(Type.String()),
        causes: Type.Optional(Type.Array(Type.String())),
        objects: Type.Optional(Type.Array(Type.String())),
      },
      closed,
    ),
  },
  closed,
);

export const AuditPageSchema = Type.Object(
  {
    entries: Type.Array(AuditEntry, { description: 'Newest first.' }),
    next: Type.Optional(Type.Integer({ description: 'Give it as `before` for the next page.' })),
  },
  closed,
);

export const AuditVerdictSchema = Type.Object(
  {
    entries: Type.Integer({ description: 'Entries that were looked at.' }),
    head: Type.Optional(
      Type.Object({ seq: Type.Integer(), hash: Type.String() }, { ...closed, description: 'The last one that is in order.' }),
    ),
    broken: Type.Optional(
      Type.Object(
        { seq: Type.Integer(), problem: Type.String() },
        { ...closed, description: 'The first one that is not as it was written.' },
      ),
    ),
  },
  closed,
);
