// Whose turn it is. What one revision restarts, recreates or renames is a batch; of a batch only so many objects are down at a time, each
// Ready before the next, and one that fails stops those that have not begun. Pure: part of planning, after everything else was decided.
//
//   plans ──> which begin something disruptive ──> by batch, in order of name ──> within the limit: as planned; else: held, and why
//
// Nothing else is held up: live changes, starts, other batches, and objects that the batch has taken down already.
import type { RefKey, ResourceRef } from '../core/ref.ts';
import type { Verdict } from '../kinds/kind.ts';
import type { MaxUnavailable } from '../schemas/kinds/update.ts';
import type { AnyChange, ObjectPlan } from './plan.ts';

const DISRUPTIVE: ReadonlySet<Verdict> = new Set<Verdict>(['restart', 'recreate', 'rename']);

/** An object that a batch has begun to change. */
export interface Member {
  readonly key: RefKey;
  readonly ref: ResourceRef;
  readonly batch: string;
  /** `failed`: it did not become Ready by itself, and may never. */
  readonly state: 'up' | 'down' | 'failed';
}

export interface RolloutState {
  /** At most one per object: the newest batch that has touched it. */
  readonly members: ReadonlyMap<RefKey, Member>;
  /** Those that wait for their turn, by batch. */
  readonly waiting: ReadonlyMap<RefKey, string>;
}

export const NO_ROLLOUT: RolloutState = { members: new Map(), waiting: new Map() };

/** What one revision of a source changes belongs together. */
export function batchOf(source: string, revision: string): string {
  return `${source}@${revision}`;
}

export function isDisruptive(verdict: Verdict): boolean {
  return DISRUPTIVE.has(verdict);
}

/** Index of the first step that takes the object down, or -1. */
export function disruptionAt(plan: ObjectPlan): number {
  if (plan.desired === undefined || plan.kind.maxUnavailable === undefined) return -1;
  return plan.steps.findIndex(({ change }) => isDisruptive(verdictOf(plan, change)));
}

function verdictOf(plan: ObjectPlan, change: AnyChange): Verdict {
  return plan.kind.describe(change, undefined).verdict;
}

export function limitOf(max: MaxUnavailable, touched: number): number {
  return 'count' in max ? max.count : Math.max(1, Math.floor((touched * max.percent) / 100));
}

/** Holds the disruptive steps of those whose turn it is not. `settled` makes what an object is while it only waits for its turn. */
export function takeTurns(plans: readonly ObjectPlan[], state: RolloutState, settled: (plan: ObjectPlan) => ObjectPlan): ObjectPlan[] {
  const candidates = plans.flatMap((plan) => {
    const at = disruptionAt(plan);
    if (at < 0) return [];
    const batch = batchOf(plan.desired!.source, plan.desired!.revision);
    const member = state.members.get(plan.key);
    // It is down for this batch already.
    return member?.batch === batch && member.state !== 'up' ? [] : [{ plan, at, batch }];
  });
  if (candidates.length === 0) return [...plans];
  const held = new Map<RefKey, ObjectPlan>();
  for (const [batch, group] of Map.groupBy(candidates, (one) => one.batch)) {
    const turns = new Turns(
      batch,
      group.map(({ plan }) => plan.key),
      state,
    );
    for (const { plan, at } of group) {
      const waitsFor = turns.take(plan);
      if (waitsFor !== undefined) held.set(plan.key, settled(holdAt(plan, at, waitsFor)));
    }
  }
  return plans.map((plan) => held.get(plan.key) ?? plan);
}

function holdAt(plan: ObjectPlan, at: number, waitsFor: string): ObjectPlan {
  const held = [...plan.steps.slice(at), ...plan.held];
  return { ...plan, steps: plan.steps.slice(0, at), held, waitsFor, heldBy: 'WaitingForTurn', againAt: undefined };
}

/** The turns of one batch in one planning. */
class Turns {
  readonly #touched: number;
  readonly #down: string[];
  readonly #failed: string[];
  readonly #first: string[] = [];

  constructor(batch: string, candidates: readonly RefKey[], { members, waiting }: RolloutState) {
    const source = batch.slice(0, batch.lastIndexOf('@'));
    const all = [...members.values()];
    const own = all.filter((member) => member.batch === batch);
    const others = [...waiting].filter(([, of]) => of === batch).map(([key]) => key);
    this.#touched = new Set([...own.map((member) => member.key), ...others, ...candidates]).size;
    // What an earlier revision of the same source has taken down and not brought back yet counts as well.
    const ofSource = all.filter((member) => member.batch.slice(0, member.batch.lastIndexOf('@')) === source);
    this.#down = ofSource.filter((member) => member.state === 'down').map((member) => member.ref.name);
    this.#failed = own.filter((member) => member.state === 'failed').map((member) => member.ref.name);
  }

  /** What it has to wait for, or undefined: then it is its turn. */
  take({ ref, kind, desired }: ObjectPlan): string | undefined {
    const limit = limitOf(kind.maxUnavailable!(desired!.spec), this.#touched);
    if (this.#failed.length > 0) {
      return `its turn: ${listText(this.#failed)} ${this.#failed.length > 1 ? 'are' : 'is'} not Ready after the same change`;
    }
    // One that an earlier revision has taken down has its place already.
    const down = this.#down.filter((name) => name !== ref.name);
    if (down.length + this.#first.length < limit) {
      this.#first.push(ref.name);
      return undefined;
    }
    const [names, what] = down.length > 0 ? [down, 'being changed'] : [this.#first, 'first'];
    return `its turn: ${limit} of ${this.#touched} at a time, ${listText(names)} ${names.length > 1 ? 'are' : 'is'} ${what}`;
  }
}

function listText(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
