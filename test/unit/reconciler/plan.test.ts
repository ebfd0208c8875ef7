import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import { type KindName, makeRef, type RefKey, refKey, type ResourceRef } from '../../../src/core/ref.ts';
import type { AnyKind, Observed } from '../../../src/kinds/kind.ts';
import { type ObjectPlan, plan, type PlanInput } from '../../../src/reconciler/plan.ts';
import { baseFacts, desiredOf, planInput, recordedOf } from '../../fakes/engine-input.ts';
import { type FakeSpec, FakeWorld, needOf } from '../../fakes/fake-kind.ts';

const world = new FakeWorld();
const kinds = new Map<KindName, AnyKind>([
  ['StoragePool', world.kind('StoragePool')],
  ['Instance', world.kind('Instance', { onlyStarts: true })],
]);
const web = makeRef('Instance', 'web');
const pool = makeRef('StoragePool', 'fast');
const ABSENT: Observed<unknown> = { is: 'absent' };

function one(ref: ResourceRef, spec: FakeSpec | undefined, seen: Observed<unknown>, over: Partial<PlanInput> = {}): ObjectPlan {
  const key = refKey(ref);
  const plans = plan(
    planInput({
      kinds,
      desired: spec === undefined ? new Map() : new Map([[key, desiredOf(ref, spec)]]),
      observed: new Map([[key, seen]]),
      recorded: new Map([[key, recordedOf(ref)]]),
      ...over,
    }),
  );
  assert.equal(plans.length, 1);
  return plans[0]!;
}

function present(over: Record<string, unknown> = {}): Observed<unknown> {
  return { is: 'present', actual: { value: 'a', filled: true, running: true, address: undefined, ...over } };
}

function names(steps: ObjectPlan['steps']): string[] {
  return steps.map((step) => step.change.do);
}

describe('plan', () => {
  test('lists the steps from absent to desired in order', () => {
    assert.deepEqual(names(one(web, { value: 'a' }, ABSENT).steps), ['create', 'start']);
  });

  test('a converged object has no steps and says whether it is ready', () => {
    const planned = one(web, { value: 'a' }, present());
    assert.deepEqual(planned.steps, []);
    assert.equal(planned.readiness?.ready, true);
  });

  test('unknown plans nothing, neither for a declared object nor for one to be deleted', () => {
    const unknown: Observed<unknown> = { is: 'unknown', because: new AppError('HOST_UNREADABLE') };
    const declared = one(web, { value: 'a' }, unknown);
    assert.deepEqual([...declared.steps, ...declared.held], []);
    assert.equal(declared.unknown?.code, 'HOST_UNREADABLE');
    const undeclared = one(web, undefined, unknown, { mayDelete: new Set([refKey(web)]) });
    assert.deepEqual([...undeclared.steps, ...undeclared.held], []);
    assert.equal(undeclared.gone, false);
  });

  test('holds creation back until its needs are ready, and names them', () => {
    const spec = { value: 'a', needs: [needOf(pool)] };
    const held = one(web, spec, ABSENT);
    assert.deepEqual(names(held.steps), []);
    assert.deepEqual(names(held.held), ['create', 'start']);
    assert.match(held.waitsFor!, /StoragePool "fast"/);
    const readiness = new Map([[refKey(pool), { ready: true, reason: 'Active', message: '' } as const]]);
    assert.deepEqual(names(one(web, spec, ABSENT, { readiness }).steps), ['create', 'start']);
  });

  test('a missing need does not hold back a live change', () => {
    assert.deepEqual(names(one(web, { value: 'b', needs: [needOf(pool)] }, present()).steps), ['setValue']);
  });

  test('back-off holds the start back and says when to look again', () => {
    const recorded = new Map([[refKey(web), recordedOf(web, { exits: [1, 2, 999_500] })]]);
    const planned = one(web, { value: 'a' }, present({ running: false }), { recorded });
    assert.deepEqual(names(planned.held), ['start']);
    assert.equal(planned.againAt, 999_500 + 2000);
  });

  test('a change that was begun and waits is not begun again before its deadline', () => {
    const waiting = { change: 'start', sinceMs: 999_000, deadlineMs: 5000 };
    const recorded = new Map([[refKey(web), recordedOf(web, { waiting })]]);
    const seen = present({ running: false });
    const before = one(web, { value: 'a' }, seen, { recorded });
    assert.deepEqual([names(before.steps), names(before.held), before.againAt], [[], ['start'], 1_004_000]);
    const after = one(web, { value: 'a' }, seen, { recorded, facts: baseFacts({ now: 1_004_000 }) });
    assert.deepEqual(names(after.steps), ['start']);
    const setBack = one(web, { value: 'a' }, seen, { recorded, facts: baseFacts({ now: 500_000 }) });
    assert.deepEqual(names(setBack.steps), ['start'], 'the clock was set back: how long it takes already is not known');
  });

  test('an undeclared object is deleted only when that is allowed', () => {
    const deleteWaits = new Map([[refKey(web), { waitsFor: 'a confirmation', rule: 'NeedsConfirmation' } as const]]);
    const waits = one(web, undefined, present(), { deleteWaits });
    assert.deepEqual([names(waits.steps), names(waits.held), waits.waitsFor], [[], ['delete'], 'a confirmation']);
    assert.deepEqual(names(one(web, undefined, present(), { mayDelete: new Set([refKey(web)]) }).steps), ['delete']);
  });

  test('is deleted after those that use it', () => {
    const all = new Map([
      [refKey(pool), recordedOf(pool)],
      [refKey(web), recordedOf(web)],
    ]);
    const planned = one(pool, undefined, present(), {
      recorded: all,
      keys: [refKey(pool)],
      mayDelete: new Set([refKey(pool)]),
      dependants: () => [refKey(web)],
    });
    assert.deepEqual(names(planned.steps), []);
    assert.match(planned.waitsFor!, /Instance "web", which uses it/);
  });

  test('an absent undeclared object is gone only when its deletion is allowed', () => {
    assert.equal(one(web, undefined, ABSENT, { mayDelete: new Set([refKey(web)]) }).gone, true);
    assert.equal(one(web, undefined, ABSENT).gone, false);
  });

  test('allocations of one round never collide, and planning twice gives the same', () => {
    const refs = ['a', 'b', 'c'].map((name) => makeRef('Instance', name));
    const facts = baseFacts({ taken: (scope) => new Set(scope === 'address' ? ['2'] : []) });
    const input = planInput({
      kinds,
      desired: new Map(refs.map((ref) => [refKey(ref), desiredOf(ref, { value: 'v', address: true })])),
      observed: new Map(refs.map((ref) => [refKey(ref), ABSENT])),
      recorded: new Map(refs.map((ref) => [refKey(ref), recordedOf(ref)])),
      facts,
    });
    const values = (plans: ObjectPlan[]): (string | undefined)[] => plans.map((planned) => planned.recorded.allocations.get('address'));
    const keys: RefKey[] = refs.map(refKey);
    assert.deepEqual(values(plan({ ...input, keys })), ['1', '3', '4']);
    assert.deepEqual(values(plan({ ...input, keys: keys.toReversed() })), ['1', '3', '4']);
  });
});
