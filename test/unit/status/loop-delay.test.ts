import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoopDelay } from '../../../src/status/loop-delay.ts';

function block(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;) continue;
}

test('what holds the loop up while something is under way is measured, also at its end; what is between is not', async () => {
  const delay = new LoopDelay();
  delay.begin();
  await sleep(30);
  delay.end();
  await sleep(5);
  block(400);
  await sleep(5);
  delay.begin();
  block(60);
  delay.end();
  const { max, count } = delay.histogram;
  assert.ok(count >= 2);
  assert.ok(max / 1e6 >= 60 && max / 1e6 < 350, `${max / 1e6} ms`);
});
