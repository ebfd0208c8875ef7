// Between the ledger's rows and what planning works with. All writes of the reconciler to the ledger are here.
import { causeText } from '../core/cause.ts';
import { canonicalJson } from '../core/hash.ts';
import { type RefKey, refKey, type ResourceRef } from '../core/ref.ts';
import type { Buries, Finds, Purges } from '../kinds/changes.ts';
import { type FieldChange, mayEnd, type PlannedStep, type Recorded, type Verdict } from '../kinds/kind.ts';
import { documentJson } from '../schemas/parse.ts';
import type { Ledger, ObjectRow, TombstoneRow } from '../state/ledger.ts';
import type { DesiredObject } from './desired.ts';
import type { Causes } from './dirty.ts';
import type { AnyChange, ObjectPlan } from './plan.ts';

/** What is kept of an object whose last applied spec has to be known without its manifest. */
interface AppliedRecord {
  readonly spec: unknown;
  readonly needs: readonly RefKey[];
  /** Under what it was last seen as declared (drift.ts); '' while a change is under way. */
  readonly basis?: string;
}

export function recordedFrom(row: ObjectRow, ledger: Ledger, firstLookSinceBoot: boolean): Recorded {
  const buried = ledger.tombstones.of(row.uid);
  const tombstone = tombstoneOf(buried);
  const replacing = buried.find((one) => one.why === 'replacing');
  const renamedFrom = formerNameOf(row);
  const consent = ledger.consents.all().find((one) => one.uid === row.uid && one.confirmedAt !== null);
  return {
    uid: row.uid,
    ref: row.ref,
    source: row.source,
    allocations: ledger.allocations.of(row.uid),
    applied: appliedOf(row)?.spec,
    protected: row.protected,
    waiting: undefined,
    exits: [],
    startedAt: undefined,
    firstLookSinceBoot,
    ...(renamedFrom === undefined ? {} : { renamedFrom }),
    ...(consent === undefined ? {} : { agreed: consent.hash }),
    ...(tombstone === undefined ? {} : { tombstone: { pool: tombstone.pool, name: tombstone.name } }),
    ...(replacing === undefined ? {} : { replacing: { pool: replacing.pool, name: replacing.name } }),
  };
}

/** As its document says; it is kept there, so that a renamed object finds what lies under its former name also after a restart. */
export function formerNameOf({ ref, document }: Pick<ObjectRow, 'ref' | 'document'>): ResourceRef | undefined {
  if (!document.includes('"renamedFrom"')) return undefined;
  const { metadata } = JSON.parse(document) as { metadata?: { renamedFrom?: string } };
  return metadata?.renamedFrom === undefined ? undefined : { ...ref, name: metadata.renamedFrom };
}

/** What the object itself is in, or goes into: it is brought back from there. Former root volumes of it are not. */
function tombstoneOf(rows: readonly TombstoneRow[]): TombstoneRow | undefined {
  return rows.find((one) => one.why === 'returning') ?? rows.findLast((one) => one.why === 'deleted');
}

export function appliedOf(row: ObjectRow): AppliedRecord | undefined {
  return row.applied === null ? undefined : (JSON.parse(row.applied) as AppliedRecord);
}

/** The row a desired object should have; `before` keeps uid, history and protection. */
export function rowFor(desired: DesiredObject, before: ObjectRow | undefined, uid: string, now: number): ObjectRow {
  const { document } = desired;
  return {
    uid: before?.uid ?? uid,
    ref: desired.ref,
    source: desired.source,
    path: document.origin.file,
    line: document.origin.line,
    document: documentJson(document),
    applied: before?.applied ?? null,
    appliedHash: before?.appliedHash ?? null,
    appliedRevision: before?.appliedRevision ?? null,
    // Declaring protection holds at once; taking it back holds only once that revision was applied (settle below).
    protected: (before?.protected ?? false) || desired.protect,
    declared: true,
    createdAt: before?.createdAt ?? now,
  };
}

/** True when the row says something else than `next` apart from what applying writes. */
export function rowDiffers(before: ObjectRow | undefined, next: ObjectRow): boolean {
  return (
    before === undefined ||
    before.source !== next.source ||
    before.path !== next.path ||
    before.line !== next.line ||
    before.document !== next.document ||
    before.protected !== next.protected ||
    before.declared !== next.declared
  );
}

export interface BurialTime {
  readonly now: number;
  /** How long what is buried now is kept. */
  readonly retentionMs: number;
}

export interface OpenedRun {
  readonly plan: ObjectPlan;
  /** One intent per step. */
  readonly intents: readonly number[];
  /** Where the object's own data goes: a deletion that is tried again, or taken back, finds it there. */
  readonly tombstone: Recorded['tombstone'];
}

/**
 * Write-ahead: allocations, tombstones and intents of everything that starts together, in one transaction, before any of it starts.
 * `closing` are outcomes that waited to be written (a lost outcome is only observed again).
 */
export function openRuns(
  ledger: Ledger,
  plans: readonly { readonly plan: ObjectPlan; readonly causes: Causes }[],
  closing: readonly { id: number; outcome: string; at: number }[],
  { now, retentionMs }: BurialTime,
  unsettled: readonly ObjectRow[] = [],
): OpenedRun[] {
  return ledger.transaction(() => {
    for (const row of unsettled) ledger.objects.put(row);
    for (const { id, outcome, at } of closing) ledger.intents.close(id, outcome, at);
    const opened: OpenedRun[] = [];
    for (const { plan, causes } of plans) {
      for (const { what, value } of plan.allocations) ledger.allocations.add({ uid: plan.recorded.uid, what, value });
      let tombstone: Recorded['tombstone'];
      for (const { change } of plan.steps) {
        if (finds(change)) recordFound(ledger, change, now, now + retentionMs);
        if (!buries(change) || change.do !== 'delete') continue;
        recordTombstone(ledger, plan, change, now, now + retentionMs);
        ({ tombstone } = change);
      }
      const intents = ledger.intents.open(
        plan.steps.map((step) => ({
          uid: plan.recorded.uid,
          ref: plan.key,
          change: describeIntent(plan, step, causes),
          openedAt: now,
          revision: plan.desired?.revision ?? '',
        })),
      );
      opened.push({ plan, intents, tombstone });
    }
    return opened;
  });
}

/** What an intent's row tells of its change, without a secret. */
export interface RecordedChange {
  readonly change: string;
  readonly verdict: Verdict;
  readonly summary: string;
  readonly fields: readonly FieldChange[];
  /** The source that declared it; undefined in rows of older versions. */
  readonly source?: string;
  /** The events that made us look. */
  readonly causes: readonly string[];
  /** Nothing declared asked for it. */
  readonly origin?: 'drift' | 'upkeep';
}

function describeIntent(plan: ObjectPlan, { change, origin }: PlannedStep<AnyChange>, causes: Causes): string {
  const { verdict, summary, fields } = plan.kind.describe(change, plan.desired?.document.origin);
  const source = plan.desired?.source ?? plan.recorded.source;
  return canonicalJson({
    do: change.do,
    verdict,
    summary,
    fields,
    source,
    causes: causes.map(causeText),
    ...(origin === undefined ? {} : { origin }),
  });
}

export function parseRecordedChange(text: string): RecordedChange {
  const { do: change, ...rest } = JSON.parse(text) as Omit<RecordedChange, 'change'> & { do: string };
  return { ...rest, change, causes: rest.causes ?? [] };
}

function buries(change: AnyChange): change is AnyChange & Buries {
  return 'tombstone' in change && change.tombstone !== undefined;
}

function finds(change: AnyChange): change is AnyChange & Finds {
  return 'found' in change && change.do === 'keep';
}

/** How its object was declared is not known: it can be seen and purged, and ends by itself. It may be a former root of one that lives. */
function recordFound(ledger: Ledger, { found }: Finds, buriedAt: number, expiresAt: number): void {
  for (const { uid, ref, pool, name } of found) {
    if (ledger.tombstones.of(uid).some((one) => one.pool === pool && one.name === name)) continue;
    ledger.tombstones.put({ uid, ref, pool, name, why: 'replaced', object: 'null', buriedAt, expiresAt });
  }
}

function recordTombstone(ledger: Ledger, plan: ObjectPlan, change: AnyChange & Buries, now: number, expiresAt: number): void {
  const { uid, ref } = plan.recorded;
  const row = ledger.objects.get(ref);
  ledger.tombstones.put({
    uid,
    ref,
    pool: change.tombstone.pool,
    name: change.tombstone.name,
    why: change.do === 'delete' ? 'deleted' : 'replacing',
    object: canonicalJson(row ?? null),
    buriedAt: now,
    expiresAt,
  });
}

/**
 * The tombstone of a former root volume is recorded right before it is made: what is planned behind a shutdown is planned again when that
 * has ended. Whether it was made is known when its place is taken, and recorded right before that; what happens again in between, after a
 * failure or a crash, goes on with the name that is recorded. Returns what is recorded of the object now.
 */
export function recordReplacement(
  ledger: Ledger,
  { plan, recorded }: { readonly plan: ObjectPlan; readonly recorded: Recorded },
  change: AnyChange,
  { now, retentionMs }: BurialTime,
): Recorded {
  if (change.do !== 'delete' && buries(change)) {
    ledger.transaction(() => recordTombstone(ledger, plan, change, now, now + retentionMs));
    return { ...recorded, replacing: change.tombstone };
  }
  if (!replaces(change)) return recorded;
  ledger.transaction(() => becomeReplaced(ledger, recorded.uid));
  const { replacing: _, ...rest } = recorded;
  return rest;
}

function replaces(change: AnyChange): boolean {
  return 'buried' in change && change.buried !== undefined;
}

function becomeReplaced(ledger: Ledger, uid: string): void {
  for (const row of ledger.tombstones.of(uid)) if (row.why === 'replacing') ledger.tombstones.put({ ...row, why: 'replaced' });
}

/** What was to be brought back is back; what was to be buried never was. */
export function recordWhole(ledger: Ledger, { tombstone, replacing, ...rest }: Recorded): Recorded {
  for (const one of [tombstone, replacing]) if (one !== undefined) ledger.tombstones.remove(one.pool, one.name);
  return rest;
}

/** An object that is gone: its row goes; what it had allocated stays with its tombstone, if there is one. */
export function forgetObject(ledger: Ledger, uid: string): void {
  const rows = ledger.tombstones.of(uid);
  if (rows.length > 0) ledger.allocations.move(uid, tombstoneOwner(uid));
  // It was to be brought back, and was deleted before it was.
  for (const row of rows) if (row.why === 'returning') ledger.tombstones.put({ ...row, why: 'deleted' });
  // Its root was buried already, or its deletion would have gone into the same tombstone.
  becomeReplaced(ledger, uid);
  ledger.objects.remove(uid);
}

/** Until its object is gone, what it is deleted into may not be there yet, or may be what it is brought back from: it does not end. */
export function tombstonesOf(ledger: Ledger): readonly TombstoneRow[] {
  const isThere = ({ uid }: TombstoneRow): boolean => ledger.objects.byUid(uid) !== undefined;
  return ledger.tombstones.all().map((row) => (row.why === 'deleted' && isThere(row) ? { ...row, why: 'replacing' } : row));
}

/** It is about to be removed, and cannot be brought back from here on. False: it is wanted again since that was planned. */
export function condemnTombstone(ledger: Ledger, { pool, name }: Purges['purged'], now: number): boolean {
  const row = tombstonesOf(ledger).find((one) => one.pool === pool && one.name === name);
  if (row === undefined || !mayEnd(row)) return false;
  if (row.expiresAt > now) ledger.transaction(() => ledger.tombstones.put({ ...row, expiresAt: now }));
  return true;
}

/** A tombstone was removed for good: returns what is free again, which is nothing while its object or another one of it is there. */
export function forgetTombstone(ledger: Ledger, { uid, pool, name }: Purges['purged']): ReadonlyMap<string, string> {
  const owner = tombstoneOwner(uid);
  return ledger.transaction(() => {
    ledger.tombstones.remove(pool, name);
    if (ledger.tombstones.of(uid).length > 0) return new Map();
    const freed = ledger.allocations.of(owner);
    ledger.allocations.release(owner);
    return freed;
  });
}

/** Allocations of a tombstone are held under a uid of their own, so that the row can go and they cannot. */
export function tombstoneOwner(uid: string): string {
  return `tombstone:${uid}`;
}

/** The object behind an owner of allocations, be it alive or a tombstone. */
export function objectUid(owner: string): string {
  return owner.replace(/^tombstone:/, '');
}

/** Somebody asked for another try: repairs before this are not counted any more, also after a restart (drift-record.ts). */
export function recordNewBeginning(ledger: Ledger, { uid, ref, source }: ObjectRow, at: number): void {
  const change = canonicalJson({ do: 'beginAnew', verdict: 'live', summary: 'begin anew, as asked', fields: [], source, causes: [] });
  for (const id of ledger.intents.open([{ uid, ref: refKey(ref), change, openedAt: at, revision: '' }]))
    ledger.intents.close(id, 'done', at);
}

/** Does the row not say yet that this was applied? */
export function isNewlyApplied(row: ObjectRow, desired: DesiredObject): boolean {
  return !desired.kept && (row.appliedHash !== desired.specHash || row.protected !== desired.protect);
}

/** The row of an object that is about to be changed because of what is declared: what it was last seen as counts no more. */
export function unsettledRow(row: ObjectRow): ObjectRow {
  const applied = appliedOf(row);
  return applied === undefined ? row : { ...row, applied: canonicalJson({ ...applied, basis: '' }) };
}

/** After a converged look: what was applied, from which revision and under which basis. Returns the new row when something was written. */
export function recordApplied(
  ledger: Ledger,
  row: ObjectRow,
  desired: DesiredObject,
  redacted: unknown,
  basis: { readonly known: string | undefined; readonly now: string },
): ObjectRow | undefined {
  if (desired.kept || (!isNewlyApplied(row, desired) && basis.known === basis.now)) return undefined;
  const record: AppliedRecord = { spec: redacted, needs: desired.needs.map((need) => refKey(need.ref)), basis: basis.now };
  const next: ObjectRow = {
    ...row,
    applied: canonicalJson(record),
    appliedHash: desired.specHash,
    appliedRevision: desired.revision,
    protected: desired.protect,
  };
  ledger.objects.put(next);
  return next;
}
