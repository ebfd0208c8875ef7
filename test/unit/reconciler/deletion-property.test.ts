// Random worlds, random contents of a source, random faults of readings: what is still declared is never deleted, nothing is deleted
// because of a reading that is not complete, and never more than the budget without a word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RefKey } from '../../../src/core/ref.ts';
import { deletionLimit } from '../../../src/reconciler/deletion.ts';
import { Engine, IMAGE, instance, POOL } from '../../fakes/engine.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const BASE = 'base.yaml';

type Step =
  | { readonly do: 'declare' | 'remove'; readonly names: readonly string[] }
  | { readonly do: 'break' | 'unreadable'; readonly name: string }
  | { readonly do: 'incomplete' | 'complete' | 'down' | 'up' }
  | { readonly do: 'hide' | 'show'; readonly names: readonly string[] }
  | { readonly do: 'confirm' };

const some = fc.subarray(NAMES, { minLength: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('declare' as const, 'remove' as const), names: some }),
  fc.record({ do: fc.constantFrom('break' as const, 'unreadable' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ do: fc.constantFrom('incomplete' as const, 'complete' as const, 'down' as const, 'up' as const) }),
  fc.record({ do: fc.constantFrom('hide' as const, 'show' as const), names: some }),
  fc.record({ do: fc.constant('confirm' as const) }),
);

const keyOf = (name: string): RefKey => `Instance/default/-/${name}` as RefKey;

test('nothing that is declared is deleted, nothing by an incomplete reading, no more than the budget', { timeout: 120_000 }, async () => {
  let deletes = 0;
  await fc.assert(
    fc.asyncProperty(some, fc.array(step, { minLength: 1, maxLength: 8 }), async (first, steps) => {
      const engine = new Engine();
      const { source, world } = engine;
      source.files.set(BASE, POOL + IMAGE);
      for (const name of first) source.files.set(`${name}.yaml`, instance(name));
      await engine.reconciler.start();
      await engine.idle();
      let sinceConfirmed = 0;
      try {
        for (const one of steps) {
          const deletesBefore = world.applied.filter((text) => text.startsWith('delete ')).length;
          const total = world.things.size;
          const allowedBefore = new Set(
            [...engine.reconciler.tracker.objects.values()].filter((each) => each.condemned).map((each) => each.key),
          );
          await take(engine, one);
          await engine.reconciler.sync();
          await engine.idle();
          const deleted = world.applied.filter((text) => text.startsWith('delete ')).slice(deletesBefore);
          for (const text of deleted) {
            const name = text.slice(`delete ${keyOf('')}`.length);
            assert.ok(!source.files.has(`${name}.yaml`), `${text} although its file is there`);
          }
          if (source.down || !source.complete || [...source.files.values()].includes(undefined)) {
            // What was allowed before (and could not be seen, or waited) may go.
            const fresh = deleted.filter((text) => !allowedBefore.has(text.slice('delete '.length) as RefKey));
            assert.deepEqual(fresh, [], 'by an incomplete reading');
          }
          deletes += deleted.length;
          sinceConfirmed = one.do === 'confirm' ? 0 : sinceConfirmed + deleted.length;
          assert.ok(sinceConfirmed <= deletionLimit(total + sinceConfirmed), `${sinceConfirmed} of ${total} without a word`);
        }
      } finally {
        await engine.reconciler.close();
      }
    }),
    { numRuns: 60, ...(process.env['LOCKSTEP_SEED'] === undefined ? {} : { seed: Number(process.env['LOCKSTEP_SEED']) }) },
  );
  assert.ok(deletes > 0, `${deletes} deletions in all`);
});

async function take({ source, world, control }: Engine, one: Step): Promise<void> {
  switch (one.do) {
    case 'declare':
      for (const name of one.names) source.files.set(`${name}.yaml`, instance(name));
      break;
    case 'remove':
      for (const name of one.names) source.files.delete(`${name}.yaml`);
      break;
    case 'break':
      if (source.files.has(`${one.name}.yaml`)) source.files.set(`${one.name}.yaml`, 'kind: [');
      break;
    case 'unreadable':
      if (source.files.has(`${one.name}.yaml`)) source.files.set(`${one.name}.yaml`, undefined);
      break;
    case 'incomplete':
    case 'complete':
      source.complete = one.do === 'complete';
      break;
    case 'down':
    case 'up':
      source.down = one.do === 'down';
      break;
    case 'hide':
      for (const name of one.names) world.hidden.add(keyOf(name));
      break;
    case 'show':
      for (const name of one.names) world.hidden.delete(keyOf(name));
      break;
    default:
      for (const { source: name, hash } of control.status().confirmations) await control.confirm(name, hash, { actor: 'uid:0' });
  }
}
