// What the reconciler keeps in memory about each object between rounds, and its face to the outside (ObjectStatus).
// All of it can be lost: a restart rebuilds it from ledger, sources and host.
import { type AppError, type ErrorCode, errorText } from '../core/errors.ts';
import type { Condition, ConditionType, ObjectStatus, StatusError } from '../core/object-status.ts';
import type { Reason } from '../core/reasons.ts';
import { type KindName, type RefKey, type ResourceRef, refKey } from '../core/ref.ts';
import type { KindTable, Observed, Readiness, Recorded } from '../kinds/kind.ts';
import type { Problem } from '../schemas/problem.ts';
import type { ObjectRow } from '../state/ledger.ts';
import { type DesiredObject, problemText } from './desired.ts';
import type { ByKey, ObjectPlan } from './plan.ts';
import { DriftRecord } from './drift-record.ts';
import { formerNameOf } from './recording.ts';
import { NO_TRACE, type Trace } from './trace.ts';

export interface Tracked {
  /** Changes when it is renamed, like the next. */
  key: RefKey;
  ref: ResourceRef;
  row: ObjectRow;
  desired: DesiredObject | undefined;
  /** Declared, but it cannot be resolved: its problems. It is left alone. */
  unresolved: readonly Problem[] | undefined;
  /** Objects it needs: of the desired spec, or as last applied. */
  needs: readonly RefKey[];
  recorded: Recorded;
  observed: Observed<unknown> | undefined;
  /** Of the last plan with nothing left to do; undefined while there is something. */
  readiness: Readiness | undefined;
  plan: ObjectPlan | undefined;
  /** A run carries out changes now; the object is looked at again when it ends. */
  running: boolean;
  /** Its deletion was allowed once; it stays so until it is declared again. */
  condemned: boolean;
  /** A change of ours made the object stop, or its last exit was counted already. */
  exitExpected: boolean;
  doing: { text: string; fraction?: number } | undefined;
  failures: number;
  error: StatusError | undefined;
  retry: AppError['retry'] | undefined;
  nextRetry: number | undefined;
  conditions: Map<ConditionType, Condition>;
  /** Its looks: why, and what came of them. */
  trace: Trace;
  /** What of it differs on the host without being declared, and how often that was repaired. */
  readonly drift: DriftRecord;
}

function asRenamed(row: ObjectRow): { renamedFrom?: ResourceRef } {
  const renamedFrom = formerNameOf(row);
  return renamedFrom === undefined ? {} : { renamedFrom };
}

export class Tracker {
  readonly objects = new Map<RefKey, Tracked>();
  /** No longer declared, and known to be so: to be deleted. */
  readonly undeclared = new Set<Tracked>();
  /** The current revision of each source that could be read. */
  revisions: ReadonlyMap<string, string> = new Map();
  readonly #dependants = new Map<RefKey, Set<RefKey>>();
  readonly #byKind = new Map<KindName, Set<Tracked>>();
  /** How many objects a source has. */
  readonly #owned = new Map<string, number>();
  readonly #formerNames = new Map<RefKey, Tracked>();
  readonly #kinds: KindTable;

  constructor(kinds: KindTable) {
    this.#kinds = kinds;
  }

  add(row: ObjectRow, recorded: Recorded, needs: readonly RefKey[]): Tracked {
    const key = refKey(row.ref);
    const tracked: Tracked = {
      key,
      ref: row.ref,
      row,
      desired: undefined,
      unresolved: undefined,
      needs: [],
      recorded,
      observed: undefined,
      readiness: undefined,
      plan: undefined,
      running: false,
      condemned: false,
      exitExpected: true,
      doing: undefined,
      failures: 0,
      error: undefined,
      retry: undefined,
      nextRetry: undefined,
      conditions: new Map(),
      trace: NO_TRACE,
      drift: new DriftRecord(row),
    };
    this.objects.set(key, tracked);
    if (recorded.renamedFrom !== undefined) this.#formerNames.set(refKey(recorded.renamedFrom), tracked);
    this.undeclared.add(tracked);
    this.#byKind.set(row.ref.kind, this.ofKind(row.ref.kind).add(tracked));
    this.#count(row.source, 1);
    this.setNeeds(tracked, needs);
    return tracked;
  }

  /** What is declared of it now; or, with `unresolved`, that it is declared and why that cannot be used. */
  declare(tracked: Tracked, desired: DesiredObject | undefined, unresolved: readonly Problem[] | undefined): void {
    tracked.desired = desired;
    tracked.unresolved = unresolved;
    if (desired === undefined && unresolved === undefined) this.undeclared.add(tracked);
    else this.undeclared.delete(tracked);
  }

  setRow(tracked: Tracked, row: ObjectRow): void {
    this.#count(tracked.row.source, -1);
    tracked.row = row;
    this.#count(row.source, 1);
  }

  /** The same object under another name: whatever runs for it goes on as it is. */
  rename(tracked: Tracked, row: ObjectRow): void {
    this.objects.delete(tracked.key);
    this.#formerNames.set(tracked.key, tracked);
    const { needs } = tracked;
    this.setNeeds(tracked, []);
    tracked.key = refKey(row.ref);
    tracked.ref = row.ref;
    tracked.recorded = { ...tracked.recorded, ref: row.ref, ...asRenamed(row) };
    this.objects.set(tracked.key, tracked);
    this.setNeeds(tracked, needs);
    this.setRow(tracked, row);
  }

  /** By its name, or by the one it had while this daemon ran: events about its container come under that until it is renamed, too. */
  find(key: RefKey): Tracked | undefined {
    const tracked = this.objects.get(key) ?? this.#formerNames.get(key);
    return tracked !== undefined && this.objects.get(tracked.key) === tracked ? tracked : undefined;
  }

  ofKind(kind: KindName): Set<Tracked> {
    return this.#byKind.get(kind) ?? new Set();
  }

  /** How many objects the source has, those to be deleted included. */
  owned(source: string): number {
    return this.#owned.get(source) ?? 0;
  }

  #count(source: string, more: number): void {
    this.#owned.set(source, this.owned(source) + more);
  }

  setNeeds(tracked: Tracked, needs: readonly RefKey[]): void {
    for (const need of tracked.needs) this.#dependants.get(need)?.delete(tracked.key);
    tracked.needs = needs;
    for (const need of needs) {
      const users = this.#dependants.get(need) ?? new Set();
      this.#dependants.set(need, users.add(tracked.key));
    }
  }

  /** Objects that exist and need this one. */
  dependants(key: RefKey): RefKey[] {
    return [...(this.#dependants.get(key) ?? [])].filter((user) => this.objects.has(user));
  }

  remove(tracked: Tracked): void {
    this.setNeeds(tracked, []);
    this.objects.delete(tracked.key);
    this.undeclared.delete(tracked);
    this.ofKind(tracked.ref.kind).delete(tracked);
    this.#count(tracked.row.source, -1);
  }

  readonly readiness: ByKey<Readiness> = { get: (key) => this.objects.get(key)?.readiness };
  /** What was last seen of each object. */
  readonly observed: ByKey<Observed<unknown>> = { get: (key) => this.objects.get(key)?.observed };
  readonly recorded: ByKey<Recorded> = { get: (key) => this.objects.get(key)?.recorded };

  /** What is applied and as its source has it now is at the source's revision, whichever commit it was that last touched it. */
  #observedRevision({ row, desired, readiness }: Tracked): { observedRevision?: string } {
    const current = desired?.kept === false && readiness !== undefined && row.appliedHash === desired.specHash;
    const revision = (current ? this.revisions.get(desired.source) : undefined) ?? row.appliedRevision;
    return revision === null ? {} : { observedRevision: revision };
  }

  status(tracked: Tracked): ObjectStatus {
    const kind = this.#kinds.get(tracked.ref.kind);
    const actual = tracked.observed?.is === 'present' ? tracked.observed.actual : undefined;
    const conditions = [...tracked.conditions.values()];
    return {
      ref: tracked.ref,
      uid: tracked.row.uid,
      source: tracked.row.source,
      ...(tracked.row.declared ? { file: tracked.row.path, line: tracked.row.line } : {}),
      conditions,
      summary: summaryOf(tracked),
      ...this.#observedRevision(tracked),
      ...(tracked.doing === undefined ? {} : { doing: tracked.doing }),
      ...(tracked.error === undefined ? {} : { error: tracked.error }),
      ...(tracked.nextRetry === undefined ? {} : { nextRetry: tracked.nextRetry }),
      details: actual === undefined || kind === undefined ? {} : kind.details(actual, tracked.recorded),
    };
  }
}

/** Somebody asks for another try: nothing that failed, ended or was fought over before counts any more. */
export function beginAnew(tracked: Tracked): void {
  tracked.nextRetry = undefined;
  tracked.drift.forgive();
  tracked.recorded = { ...tracked.recorded, exits: [] };
}

/** Works out the conditions after a look or a run; keeps `since` where nothing changed. Returns those whose status changed. */
export function updateConditions(tracked: Tracked, now: number): Condition[] {
  const changed: Condition[] = [];
  const set = (type: ConditionType, status: Condition['status'], reason: Reason | ErrorCode, message: string): void => {
    const before = tracked.conditions.get(type);
    const same = before?.status === status;
    const next: Condition = { type, status, reason, message, since: same ? before.since : now };
    tracked.conditions.set(type, next);
    if (!same) changed.push(next);
  };
  const { plan, readiness, error } = tracked;
  const textProblem = problemText(tracked.unresolved ?? tracked.desired?.problems ?? []);
  // What waits for somebody else's word is not being worked on; the kind says what its object is meanwhile.
  const planned =
    plan !== undefined &&
    plan.steps.length + plan.held.length > 0 &&
    !(plan.steps.length === 0 && readiness !== undefined && plan.heldBy !== 'WaitingForTurn');
  const busy = tracked.running || tracked.doing !== undefined || planned;

  if (tracked.unresolved !== undefined) {
    set('Ready', 'Unknown', 'ManifestInvalid', `${textProblem} It is left as it is.`);
  } else if (plan?.unknown !== undefined) {
    set('Ready', 'Unknown', 'HostUnreadable', errorText(plan.unknown));
  } else if (error !== undefined) {
    set('Ready', 'False', error.code, error.message);
  } else if (tracked.desired === undefined && tracked.condemned && plan !== undefined && !busy) {
    set('Ready', 'True', 'KeptForUndelete', 'It is deleted; its data is kept until it can no longer be brought back.');
  } else if (tracked.desired === undefined) {
    const held = plan?.waitsFor;
    if (held === undefined) set('Ready', 'False', 'Deleting', 'It is being deleted.');
    else set('Ready', 'False', plan?.heldBy ?? 'Deleting', `Its deletion waits for ${held}.`);
  } else if (readiness !== undefined && !busy) {
    set('Ready', readiness.ready ? 'True' : 'False', readiness.reason, readiness.message);
  } else if (plan?.waitsFor !== undefined && plan.steps.length === 0) {
    set('Ready', 'False', plan.heldBy ?? 'Waiting', `It waits for ${plan.waitsFor}.`);
  } else {
    set('Ready', 'False', 'Reconciling', tracked.doing?.text ?? 'Changes are being applied.');
  }
  set('Reconciling', busy ? 'True' : 'False', busy ? 'ChangesPlanned' : 'UpToDate', plan?.waitsFor ?? '');
  const drifted = tracked.drift.condition();
  set('Drifted', drifted.status, drifted.reason, drifted.message);
  if (drifted.reason === 'Fight') set('Stalled', 'True', 'Fight', drifted.message);
  else if (error !== undefined && tracked.retry !== 'backoff') set('Stalled', 'True', error.code, error.message);
  else if (textProblem !== '') set('Stalled', 'True', 'ManifestInvalid', `${textProblem} The last valid version stays in force.`);
  else if (plan?.desired === undefined && plan?.waitsFor !== undefined && plan.held.length > 0)
    set('Stalled', 'True', 'DeletionWaits', `Its deletion waits for ${plan.waitsFor}.`);
  else set('Stalled', 'False', 'Working', '');
  return changed;
}

function summaryOf(tracked: Tracked): string {
  const ready = tracked.conditions.get('Ready');
  const stalled = tracked.conditions.get('Stalled');
  if (tracked.doing !== undefined && tracked.running) return tracked.doing.text;
  if (stalled?.status === 'True' && ready?.status === 'True') return `${ready.reason}; ${stalled.reason}: ${stalled.message}`;
  if (ready === undefined) return 'Not looked at yet';
  const drifted = tracked.conditions.get('Drifted');
  if (drifted?.reason === 'ReportOnly' && ready.status === 'True') return `${ready.reason}; drifted: ${drifted.message}`;
  return ready.message === '' ? ready.reason : `${ready.reason}: ${ready.message}`;
}
