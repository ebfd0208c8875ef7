// What the loop writes to the ledger, and when: nothing where nothing changed, and one commit for what happens together.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Engine, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';

let engine: Engine;
let waits = 0;
let notes = 0;

async function started(text: string): Promise<void> {
  engine = new Engine();
  const { ledger } = engine;
  const transaction = ledger.transaction.bind(ledger);
  const note = ledger.note.bind(ledger);
  ledger.transaction = (work) => {
    waits++;
    return transaction(work);
  };
  ledger.note = (work) => {
    notes++;
    return note(work);
  };
  engine.source.files.set('a.yaml', text);
  await engine.reconciler.start();
  await engine.idle();
  waits = notes = 0;
}

afterEach(() => engine.reconciler.close());

function webs(count: number): string {
  return Array.from({ length: count }, (_, index) => instance(`w${index}`)).join('');
}

test('a full look at objects that have not changed writes nothing', async () => {
  await started(POOL + IMAGE + webs(5));
  assert.ok([...engine.reconciler.tracker.objects.values()].every(({ readiness }) => readiness?.ready === true));
  await engine.reconciler.sync();
  await engine.idle();
  assert.deepEqual({ waits, notes }, { waits: 0, notes: 0 });
});

test('deletions that are allowed together are one commit, and so are those that end together', async () => {
  await started(POOL + IMAGE + webs(3) + instance('web'));
  engine.write('a.yaml', POOL + IMAGE + instance('web'));
  await engine.until(() => engine.reconciler.tracker.objects.size === 2, 'the three are gone');
  await engine.idle();
  assert.ok(engine.ready(WEB));
  // Undeclared, allowed, begun, and at most one end for each.
  assert.ok(waits <= 6, `${waits} commits that wait for the disk`);
  assert.deepEqual(
    engine.ledger.objects.all().map(({ ref }) => ref.name),
    ['web', 'fast'],
  );
});
