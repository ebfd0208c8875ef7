import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish, inSlices, type Sliced } from '../../../src/core/slices.ts';

function* busy(steps: number, eachMs: number): Sliced<number> {
  for (let step = 0; step < steps; step++) {
    const until = performance.now() + eachMs;
    while (performance.now() < until);
    yield;
  }
  return steps;
}

test('all at once gives the result', () => {
  assert.equal(finish(busy(3, 0)), 3);
});

test('in slices: others get their turn meanwhile, and the result is the same', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  assert.equal(await inSlices(busy(40, 2)), 40);
  clearInterval(timer);
  assert.ok(turns >= 3, `${turns} turns of a timer`);
});

test('what is short is not interrupted', async () => {
  let turn = false;
  setImmediate(() => (turn = true));
  await inSlices(busy(3, 0));
  assert.equal(turn, false);
});

test('an error ends it', async () => {
  function* failing(): Sliced<void> {
    yield;
    throw new Error('no');
  }
  await assert.rejects(inSlices(failing()), /no/);
  assert.throws(() => finish(failing()), /no/);
});
