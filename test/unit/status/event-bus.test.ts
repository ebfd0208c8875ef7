import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../src/core/errors.ts';
import type { LockstepEvent, NewEvent } from '../../../src/core/events.ts';
import { openLedger } from '../../../src/state/open.ts';
import { EventBus, type EventStore } from '../../../src/status/event-bus.ts';

/** Longer than events are gathered for in these tests. */
function turn(): Promise<void> {
  return sleep(10);
}

function event(reason: string): NewEvent {
  return { type: 'change', severity: 'info', reason, message: `${reason} happened.` };
}

function reasons(events: readonly LockstepEvent[]): string[] {
  return events.map((one) => one.reason);
}

test('an event is stored, then handed to every subscriber in order', async () => {
  const ledger = openLedger(':memory:');
  const bus = new EventBus(ledger, { gatherMs: 1 });
  const seen: LockstepEvent[] = [];
  bus.subscribe((one) => {
    assert.equal(ledger.events.since(one.seq - 1, 1)[0]?.seq, one.seq, 'already stored');
    seen.push(one);
  });
  const others: LockstepEvent[] = [];
  const unsubscribe = bus.subscribe((one) => others.push(one));
  bus.emit(event('A'));
  bus.emit(event('B'));
  assert.equal(seen.length, 0);
  await turn();
  unsubscribe();
  bus.emit(event('C'));
  await turn();
  assert.deepEqual(reasons(seen), ['A', 'B', 'C']);
  assert.deepEqual(
    seen.map((one) => one.seq),
    [1, 2, 3],
  );
  assert.deepEqual(reasons(others), ['A', 'B']);
  bus.close();
  ledger.close();
});

test('emitting inside a ledger transaction is fine, also when that is rolled back', async () => {
  const ledger = openLedger(':memory:');
  const bus = new EventBus(ledger, { gatherMs: 1 });
  assert.throws(() =>
    ledger.transaction(() => {
      bus.emit(event('Inside'));
      throw new Error('rolled back');
    }),
  );
  await turn();
  assert.deepEqual(reasons(bus.latest(10)), ['Inside']);
  bus.close();
  ledger.close();
});

test('a reader goes from stored to live events without a gap or a twin', async () => {
  const ledger = openLedger(':memory:');
  const bus = new EventBus(ledger, { gatherMs: 1 });
  bus.emit(event('Before'));
  const got = [...bus.since(0, 100)];
  bus.emit(event('Between'));
  const unsubscribe = bus.subscribe((one) => got.push(one));
  got.push(...bus.since(got.at(-1)!.seq, 100));
  bus.emit(event('After'));
  await turn();
  assert.deepEqual(reasons(got), ['Before', 'Between', 'After']);
  unsubscribe();
  bus.close();
  ledger.close();
});

test('events that come together are one commit', async () => {
  const ledger = openLedger(':memory:');
  let commits = 0;
  const store: EventStore = {
    events: ledger.events,
    note: (work) => {
      commits += 1;
      return ledger.note(work);
    },
  };
  const bus = new EventBus(store, { gatherMs: 1 });
  for (let n = 0; n < 100; n++) bus.emit(event(`E${n}`));
  await turn();
  assert.equal(commits, 1);
  assert.equal(bus.latest(1000).length, 100);
  bus.close();
  ledger.close();
});

test('events that could not be stored are kept up to a bound and stored once there is space', async () => {
  const ledger = openLedger(':memory:');
  let full = true;
  const errors: unknown[] = [];
  const store: EventStore = {
    events: ledger.events,
    note: (work) => {
      if (full) throw new AppError('DISK_FULL');
      return ledger.note(work);
    },
  };
  const bus = new EventBus(store, { gatherMs: 1, retryMs: 20, failed: (error) => errors.push(error) });
  for (let n = 0; n < 1500; n++) {
    bus.emit(event(`E${n}`));
    if (n % 100 === 0) await turn();
  }
  await turn();
  assert.ok(errors.length > 0 && errors.length < 20, `${errors.length} errors`);
  full = false;
  await sleep(100);
  const stored = ledger.events.latest(10_000);
  assert.equal(stored.length, 1000);
  assert.equal(stored.at(-1)?.reason, 'E1499');
  bus.close();
  ledger.close();
});

test('closing stores what was emitted last', () => {
  const ledger = openLedger(':memory:');
  const bus = new EventBus(ledger, { gatherMs: 1 });
  bus.emit(event('Last'));
  bus.close();
  bus.emit(event('TooLate'));
  assert.deepEqual(reasons(ledger.events.latest(10)), ['Last']);
  ledger.close();
});
