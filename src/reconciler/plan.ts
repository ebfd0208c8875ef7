// The plan: the difference between what should be and what is, as changes per object. Pure and synchronous.
//
//   for each object, in order of name:   desired?   observed    ->  steps, allocations, what it waits for
//     allocate  (values this object needs and has not)
//     diff      (kind)
//     gates     needs of the object; dependants before a delete; restart back-off; turns of a roll-out (rollout.ts)
//
// `plan`, dry run, drift report and preview are this same call; execute.ts carries out what it returns.
import { type AppError, toAppError } from '../core/errors.ts';
import type { HoldRule } from '../core/reasons.ts';
import { type RefKey, type ResourceRef, refKey, refText } from '../core/ref.ts';
import { finish, type Sliced } from '../core/slices.ts';
import type {
  Allocation,
  AnyKind,
  Consent,
  Described,
  Facts,
  KindTable,
  Need,
  Observed,
  PlannedStep,
  Readiness,
  Recorded,
} from '../kinds/kind.ts';
import type { DesiredObject } from './desired.ts';
import { type DriftContext, judgeDrift } from './drift.ts';
import { Proposals } from './proposals.ts';
import { NO_ROLLOUT, type RolloutState, takeTurns } from './rollout.ts';

export type AnyChange = { readonly do: string };

/** A Map, or a view on what is kept elsewhere. */
export interface ByKey<Value> {
  get(key: RefKey): Value | undefined;
}

export interface PlanInput {
  readonly kinds: KindTable;
  /** The objects to plan. */
  readonly keys: Iterable<RefKey>;
  readonly desired: ByKey<DesiredObject>;
  readonly observed: ByKey<Observed<unknown>>;
  /** Of every object in the ledger, and of every desired one (provisional while only previewing). */
  readonly recorded: ByKey<Recorded>;
  /** What was last known of other objects: met needs are asked of it. */
  readonly readiness: ByKey<Readiness>;
  /** Undeclared objects that may be deleted now, and why the others wait. */
  readonly mayDelete: ReadonlySet<RefKey>;
  readonly deleteWaits: ReadonlyMap<RefKey, DeleteWait>;
  /** Who needs this object, among all that exist. */
  readonly dependants: (key: RefKey) => readonly RefKey[];
  /** What is known of the object's drift; undefined: it is declared anew, or nothing is known. Left out: nothing is taken for drift. */
  readonly drift?: (desired: DesiredObject) => DriftContext | undefined;
  /** Who is down for what changed, and who waits for a turn. */
  readonly rollout?: RolloutState;
  readonly facts: BaseFacts;
}

export interface DeleteWait {
  /** What for, as a noun phrase. */
  readonly waitsFor: string;
  readonly rule: HoldRule;
  /** Look again at this time (epoch ms). */
  readonly againAt?: number;
}

export type BaseFacts = Omit<Facts, 'desired' | 'actual' | 'recorded' | 'free'>;

export interface ObjectPlan {
  readonly key: RefKey;
  readonly ref: ResourceRef;
  readonly kind: AnyKind;
  readonly recorded: Recorded;
  readonly desired: DesiredObject | undefined;
  /** To be carried out now, in order. */
  readonly steps: readonly PlannedStep<AnyChange>[];
  /** Planned, but not to be started yet, and why. */
  readonly held: readonly PlannedStep<AnyChange>[];
  readonly waitsFor: string | undefined;
  /** The rule behind `waitsFor`. */
  readonly heldBy?: HoldRule | undefined;
  /** A person is asked to agree to what is held. */
  readonly asks?: Consent | undefined;
  /** Look again at this time (epoch ms). */
  readonly againAt: number | undefined;
  readonly allocations: readonly Allocation[];
  readonly unknown: AppError | undefined;
  /** Set when there is nothing left to do, or nothing but what waits for somebody else (PlannedStep.hold). */
  readonly readiness: Readiness | undefined;
  /** Undeclared, absent, nothing left: its row can go. */
  readonly gone: boolean;
  /** What differs although nothing declared has changed, whatever becomes of it. */
  readonly drift: readonly PlannedStep<AnyChange>[];
  /** Of the drift: what is left as it is, because it is only reported or fought over. */
  readonly left: readonly PlannedStep<AnyChange>[];
  /** Fields that something else keeps changing back, and until when each is left alone (epoch ms). */
  readonly fights: ReadonlyMap<string, number>;
}

export function plan(input: PlanInput): ObjectPlan[] {
  return finish(planInSlices(input));
}

export function* planInSlices(input: PlanInput): Sliced<ObjectPlan[]> {
  const proposals = new Proposals(input.facts);
  const updated = new Map<RefKey, Recorded>();
  const recorded: ByKey<Recorded> = { get: (key) => updated.get(key) ?? input.recorded.get(key) };
  const facts: Facts = {
    ...input.facts,
    taken: (scope) => proposals.taken(scope),
    free: (scope, candidates) => proposals.free(scope, candidates),
    desired: (ref) => input.desired.get(refKey(ref))?.spec,
    actual: (ref) => {
      const seen = input.observed.get(refKey(ref));
      return seen?.is === 'present' ? seen.actual : undefined;
    },
    recorded: (ref) => recorded.get(refKey(ref)),
  };
  const plans: ObjectPlan[] = [];
  for (const key of [...input.keys].toSorted()) {
    const planned = planObject(key, input, facts, recorded);
    if (planned === undefined) continue;
    for (const { what, value } of planned.allocations) proposals.add(what, value);
    if (planned.allocations.length > 0) updated.set(key, planned.recorded);
    plans.push(planned);
    yield;
  }
  return takeTurns(plans, input.rollout ?? NO_ROLLOUT, (planned) => waitingForTurn(planned, facts));
}

/** Until it is its turn it serves as it did. */
function waitingForTurn(planned: ObjectPlan, facts: Facts): ObjectPlan {
  if (planned.steps.length > 0 || planned.desired === undefined) return planned;
  const { ready, usable, running } = readinessOf(planned.kind, planned.desired, facts.actual(planned.ref), planned.recorded, facts);
  const message = `It waits for ${planned.waitsFor}.`;
  const readiness: Readiness = { ready: false, usable: ready || usable === true, reason: 'WaitingForTurn', message };
  return { ...planned, readiness: running === undefined ? readiness : { ...readiness, running } };
}

function planObject(key: RefKey, input: PlanInput, facts: Facts, all: ByKey<Recorded>): ObjectPlan | undefined {
  const desired = input.desired.get(key);
  const before = all.get(key);
  const seen = input.observed.get(key);
  if (before === undefined || seen === undefined) return undefined;
  const kind = input.kinds.get(before.ref.kind);
  if (kind === undefined) return undefined;
  const base = {
    key,
    ref: before.ref,
    kind,
    recorded: before,
    desired,
    steps: [],
    held: [],
    waitsFor: undefined,
    againAt: undefined,
    allocations: [],
    unknown: undefined,
    readiness: undefined,
    gone: false,
    drift: [],
    left: [],
    fights: new Map<string, number>(),
  } satisfies ObjectPlan;
  if (seen.is === 'unknown') return { ...base, unknown: seen.because };
  try {
    return planSeen(base, seen, input, facts);
  } catch (error) {
    // No plan can be made for this one (no free ids; what is taken cannot be read): the others go on.
    return { ...base, unknown: toAppError(error) };
  }
}

function planSeen(base: ObjectPlan, seen: Observed<unknown>, input: PlanInput, facts: Facts): ObjectPlan {
  const { kind, desired, recorded: before } = base;
  const actual = seen.is === 'present' ? seen.actual : undefined;
  const allocations = desired === undefined ? [] : kind.allocate(desired.spec, before, facts);
  const recorded: Recorded =
    allocations.length === 0
      ? before
      : { ...before, allocations: new Map([...before.allocations, ...allocations.map((one) => [one.what, one.value] as const)]) };
  const steps = kind.diff({ ref: before.ref, desired: desired?.spec, actual, recorded, facts });
  const planned = { ...base, recorded, allocations };
  if (desired === undefined) return planDelete(planned, steps, seen.is === 'absent' || kind.declarationOnly === true, input);
  const { go, ...judged } = judgeDrift(kind, steps, input.drift?.(desired), input.facts.now);
  const againAt = judged.fights.size === 0 ? undefined : Math.min(...judged.fights.values());
  if (go.length > 0) {
    const gates = gate(go, planned, desired.needs, input);
    const gated = { ...planned, ...judged, ...gates, againAt: gates.againAt ?? againAt };
    if (gated.steps.length > 0 || gated.held[0]?.hold === undefined) return gated;
    return { ...gated, readiness: readinessOf(kind, desired, actual, recorded, facts) };
  }
  if (againAt === undefined) return { ...planned, ...judged, readiness: readinessOf(kind, desired, actual, recorded, facts) };
  const readiness: Readiness = { ready: false, reason: 'Fight', message: 'Something outside of Lockstep keeps changing it.' };
  return { ...planned, ...judged, againAt, readiness };
}

function readinessOf(kind: AnyKind, desired: DesiredObject, actual: unknown, recorded: Recorded, facts: Facts): Readiness {
  if (actual !== undefined) return kind.condition(desired.spec, actual, recorded, facts);
  return { ready: false, reason: 'Absent', message: 'It is not there, and nothing is planned for it.' };
}

function planDelete(planned: ObjectPlan, steps: readonly PlannedStep<AnyChange>[], absent: boolean, input: PlanInput): ObjectPlan {
  const { key } = planned;
  if (!input.mayDelete.has(key)) {
    const wait = input.deleteWaits.get(key);
    return { ...planned, held: steps, waitsFor: wait?.waitsFor ?? 'its turn', heldBy: wait?.rule, againAt: wait?.againAt };
  }
  if (steps.length === 0) return { ...planned, gone: absent || planned.kind.declarationOnly === true };
  const dependants = input.dependants(key);
  if (dependants.length > 0) {
    const names = dependants.map((one) => refText(input.recorded.get(one)!.ref));
    return {
      ...planned,
      held: steps,
      waitsFor: `the deletion of ${listText(names)}, which ${names.length > 1 ? 'use' : 'uses'} it`,
      heldBy: 'WaitingForUsers',
    };
  }
  return { ...planned, steps };
}

/** Splits the steps at the first one that may not start yet: everything from there on is held. */
function gate(
  steps: readonly PlannedStep<AnyChange>[],
  { kind, recorded: { waiting } }: ObjectPlan,
  needs: readonly Need[],
  input: PlanInput,
): Pick<ObjectPlan, 'steps' | 'held' | 'waitsFor' | 'heldBy' | 'asks' | 'againAt'> {
  const { now } = input.facts;
  if (
    waiting !== undefined &&
    waiting.change === steps[0]?.change.do &&
    now >= waiting.sinceMs &&
    now < waiting.sinceMs + waiting.deadlineMs
  ) {
    return {
      steps: [],
      held: steps,
      waitsFor: `"${waiting.change}" to take effect`,
      heldBy: 'TakingEffect',
      againAt: waiting.sinceMs + waiting.deadlineMs,
    };
  }
  const unmet = needs.filter((need) => !isMet(need, input.readiness.get(refKey(need.ref))));
  for (const [index, step] of steps.entries()) {
    const tooEarly = step.notBefore !== undefined && step.notBefore > now;
    const making = kind.makes?.(step.change) ?? step.change.do === 'create';
    const missing = kind.waitsForNeeds(step.change) ? unmet.filter((need) => need.only === undefined || making) : [];
    const blocked = missing.length > 0;
    if (step.hold !== undefined) {
      const { waitsFor, rule, consent } = step.hold;
      return { steps: steps.slice(0, index), held: steps.slice(index), waitsFor, heldBy: rule, asks: consent, againAt: undefined };
    }
    if (!tooEarly && !blocked) continue;
    const waitsFor = blocked ? listText(missing.map(needText)) : `its back-off to end in ${Math.ceil((step.notBefore! - now) / 1000)} s`;
    return {
      steps: steps.slice(0, index),
      held: steps.slice(index),
      waitsFor,
      heldBy: blocked ? 'WaitingForNeeds' : 'RestartBackOff',
      againAt: tooEarly ? step.notBefore : undefined,
    };
  }
  return { steps, held: [], waitsFor: undefined, againAt: undefined };
}

export function isMet(need: Need, readiness: Readiness | undefined): boolean {
  const serves = readiness?.ready === true || readiness?.usable === true;
  return serves && (need.condition !== 'Running' || readiness.running === true);
}

function needText(need: Need): string {
  return need.condition === 'Running' ? `${refText(need.ref)} to run` : refText(need.ref);
}

function listText(names: readonly string[]): string {
  if (names.length <= 3) return names.join(', ');
  return `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

/** A change in words, with the place in the manifest that asked for it. */
export function describe(planned: ObjectPlan, step: PlannedStep<AnyChange>): Described {
  return planned.kind.describe(step.change, planned.desired?.document.origin);
}
