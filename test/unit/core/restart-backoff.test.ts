import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restartNotBefore } from '../../../src/core/restart-backoff.ts';

test('what ends for the first time is started at once; then it takes longer and longer', () => {
  assert.equal(restartNotBefore([], 1000), undefined);
  assert.equal(restartNotBefore([1000], 1000), undefined);
  assert.equal(restartNotBefore([1000, 2000], 2000), 3000);
  assert.equal(restartNotBefore([1000, 2000, 3000], 3000), 5000);
});

test('a clock that was set back keeps nothing down', () => {
  assert.equal(restartNotBefore([7_200_000 - 1000, 7_200_000], 0), undefined);
});
