// A plan as it is handed out: changes in words with place and downtime, counts, and what a saved plan is bound to. Pure.
//
// Given files that are not applied yet, only objects that they change belong to the plan; what is planned for others with or without them
// is shown as pending, and binds nothing.
import { errorText } from '../core/errors.ts';
import { hashOf } from '../core/hash.ts';
import { KIND_NAMES, type RefKey, refKey, type ResourceRef } from '../core/ref.ts';
import type { Verdict } from '../kinds/kind.ts';
import type { IntentRow } from '../state/ledger.ts';
import type { PlanChange, PlanCounts, PlannedConfirmation, PlannedObject, PlanReport } from './control.ts';
import type { ForeseenDeletions } from './deletions.ts';
import type { DesiredObject, DesiredState, SourceInput } from './desired.ts';
import { downtimeOf } from './downtime.ts';
import { describe, type ObjectPlan } from './plan.ts';

/** Manifests that are not applied yet. */
export interface GivenFiles {
  readonly source: string;
  readonly paths: ReadonlySet<string>;
}

export interface ReportInput {
  readonly plans: readonly ObjectPlan[];
  readonly desired: DesiredState;
  readonly sources: readonly SourceInput[];
  /** What is declared now. */
  readonly before: ReadonlyMap<RefKey, DesiredObject>;
  /** Undefined: the plan is of what the sources hold. */
  readonly given: GivenFiles | undefined;
  /** Deletions that somebody will have to agree to. */
  readonly asks: ForeseenDeletions['asks'];
  readonly intents: (uid: string) => readonly IntentRow[];
  /** Specs may hold secrets: what leaves the daemon is keyed. */
  readonly fingerprint: (secret: string) => string;
}

/** Of several changes of an object, the weightiest is what it is counted as. */
const WEIGHT: Readonly<Record<Verdict, number>> = {
  delete: 8,
  create: 7,
  recreate: 6,
  rename: 5.5,
  restart: 5,
  power: 4,
  replug: 3,
  repair: 2,
  live: 1,
};

export function makeReport(input: ReportInput): PlanReport {
  // What others need comes first: storage and networks before instances.
  const plans = input.plans.toSorted(
    (a, b) => KIND_NAMES.indexOf(a.ref.kind) - KIND_NAMES.indexOf(b.ref.kind) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
  const changes: PlanChange[] = [];
  const objects: PlannedObject[] = [];
  for (const planned of plans) {
    const pending = isPending(planned, input);
    const described = changesOf(planned, input, pending);
    changes.push(...described);
    if (!pending && (described.length > 0 || planned.unknown !== undefined)) objects.push(boundTo(planned, described, input));
  }
  const unknown = plans.flatMap(({ ref, unknown: because }) => (because === undefined ? [] : [{ ref, because: errorText(because) }]));
  const unchanged = plans
    .filter((one) => one.desired !== undefined && one.unknown === undefined && stepsOf(one).length === 0)
    .map(({ ref }) => ref);
  return {
    revisions: Object.fromEntries(input.sources.map(({ name, snapshot }) => [name, snapshot?.revision ?? ''])),
    counts: count(changes, unchanged.length),
    changes,
    unchanged,
    problems: input.desired.problems,
    unknown,
    confirmations: input.asks.map((ask) => confirmationOf(ask, plans)),
    objects,
    hash: hashOf(objects),
  };
}

function confirmationOf(
  { source, objects, protected: kept, reason }: ReportInput['asks'][number],
  plans: readonly ObjectPlan[],
): PlannedConfirmation {
  const refs = new Map(plans.map(({ key, ref }) => [key, ref]));
  const refsOf = (keys: readonly RefKey[]): ResourceRef[] => keys.flatMap((key) => refs.get(key) ?? []);
  const command = objects.length === 0 ? `lockstep confirm ${source} --unprotect` : `lockstep confirm ${source}`;
  return { source, objects: refsOf(objects), protected: refsOf(kept), reason, command };
}

function stepsOf(planned: ObjectPlan): ObjectPlan['steps'] {
  return [...planned.steps, ...planned.held];
}

function isPending({ key, desired }: ObjectPlan, { given, before }: ReportInput): boolean {
  if (given === undefined) return false;
  if (desired !== undefined && desired.source === given.source && given.paths.has(desired.document.origin.file)) return false;
  return desired?.specHash === before.get(key)?.specHash;
}

function changesOf(planned: ObjectPlan, { intents }: ReportInput, pending: boolean): PlanChange[] {
  const origin = planned.desired?.document.origin;
  return stepsOf(planned).map((step, index) => {
    const described = describe(planned, step);
    return {
      ref: planned.ref,
      change: step.change.do,
      ...described,
      ...(described.shutdownLimitMs === undefined ? {} : downtimeOf(described, intents(planned.recorded.uid))),
      ...(origin === undefined ? {} : { file: origin.file, line: origin.line }),
      ...(planned.waitsFor !== undefined && index >= planned.steps.length ? { waitsFor: planned.waitsFor } : {}),
      ...(pending ? { pending } : {}),
    };
  });
}

/** Two hashes, so that a refusal can say which side moved: the same spec with other changes means that the host has. */
function boundTo(planned: ObjectPlan, changes: readonly PlanChange[], { fingerprint }: ReportInput): PlannedObject {
  // The changes themselves, not when or behind what they start, how long they take, or where they are written.
  const bound = changes.map(({ change, verdict, summary, fields }) => ({ change, verdict, summary, fields }));
  return {
    ref: planned.ref,
    ...(planned.desired === undefined ? {} : { desired: fingerprint(planned.desired.specHash) }),
    changes: hashOf([bound, planned.unknown === undefined ? null : planned.unknown.code]),
  };
}

function count(changes: readonly PlanChange[], unchanged: number): PlanCounts {
  const heaviest = new Map<RefKey, Verdict>();
  for (const { ref, verdict, pending } of changes) {
    const key = refKey(ref);
    const known = heaviest.get(key);
    if (pending !== true && (known === undefined || WEIGHT[verdict] > WEIGHT[known])) heaviest.set(key, verdict);
  }
  const verdicts = [...heaviest.values()];
  const of = (verdict: Verdict): number => verdicts.filter((one) => one === verdict).length;
  const [create, remove] = [of('create'), of('delete')];
  return { create, change: verdicts.length - create - remove, restart: of('restart'), recreate: of('recreate'), delete: remove, unchanged };
}
