import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { heavyWork } from '../../../src/host/heavy-work.ts';

test('a few at a time; one that is given up before its turn is not begun', async () => {
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const given = new AbortController();
  const works = gates.map(({ promise }, at) =>
    heavyWork(
      async () => {
        begun.push(at);
        await promise;
        return at;
      },
      at === 4 ? given.signal : new AbortController().signal,
    ),
  );
  await turn();
  assert.deepEqual(begun, [0, 1, 2, 3]);
  given.abort(new Error('given up'));
  await assert.rejects(works[4]!, /given up/);
  gates[0]!.resolve();
  await works[0];
  await turn();
  assert.deepEqual(begun, [0, 1, 2, 3, 5]);
  for (const { resolve } of gates) resolve();
  assert.deepEqual(await Promise.all(works.filter((_, at) => at !== 4)), [0, 1, 2, 3, 5]);
});
