import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelayMs } from '../../../src/reconciler/retry.ts';

test('retries come later and later, up to five minutes', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 9, 10, 100].map((failures) => retryDelayMs(failures, 0)),
    [1000, 2000, 4000, 8000, 256_000, 300_000, 300_000],
  );
});

test('jitter adds up to a fifth, never takes away', () => {
  assert.equal(retryDelayMs(1, 0.5), 1100);
  assert.ok(retryDelayMs(20, 0.999) < 360_001);
});
