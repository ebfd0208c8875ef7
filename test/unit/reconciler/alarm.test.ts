import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { Alarm } from '../../../src/reconciler/alarm.ts';

function nextTick(ms: number): Promise<void> {
  return systemClock.sleep(ms);
}

test('rings once per key at the earliest time that was asked for', async () => {
  const rung: string[] = [];
  const alarm = new Alarm<string>(systemClock, (keys) => rung.push(...keys));
  const now = systemClock.now();
  alarm.set('late', now + 10_000);
  alarm.set('soon', now + 60);
  alarm.set('soon', now + 20);
  alarm.set('soon', now + 5000);
  await nextTick(45);
  assert.deepEqual(rung, ['soon']);
  await nextTick(60);
  assert.deepEqual(rung, ['soon'], 'a later time does not ring a second time');
  alarm.close();
});

test('what is due on a far day, or by a clock that was set back, costs nothing meanwhile', async () => {
  let asked = 0;
  const now = (): number => (asked++, Date.now());
  const alarm = new Alarm<string>({ ...systemClock, now }, () => {});
  // Longer than a timer of Node's can be: that would ring at once.
  alarm.set('far', Date.now() + 30 * 24 * 3600_000);
  await nextTick(100);
  alarm.close();
  assert.ok(asked < 5, `asked ${asked} times`);
});

test('a deleted key does not ring, and nothing rings after close', async () => {
  const rung: string[] = [];
  const alarm = new Alarm<string>(systemClock, (keys) => rung.push(...keys));
  alarm.set('a', systemClock.now() + 10);
  alarm.set('b', systemClock.now() + 10);
  alarm.delete('a');
  await nextTick(30);
  assert.deepEqual(rung, ['b']);
  alarm.set('c', systemClock.now() + 10);
  alarm.close();
  await nextTick(30);
  assert.deepEqual(rung, ['b']);
});
