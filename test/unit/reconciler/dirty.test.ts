import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeText } from '../../../src/core/cause.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { Dirty } from '../../../src/reconciler/dirty.ts';

const WEB = 'Instance/default/-/web' as RefKey;
const DB = 'Instance/default/-/db' as RefKey;

function events(dirty: Dirty, key: RefKey): string[] {
  return (dirty.take(() => true).get(key) ?? []).map((cause) => cause.event);
}

test('many events for one object are one look, with the first few causes', () => {
  const dirty = new Dirty(systemClock);
  for (let n = 0; n < 1000; n++) dirty.add(WEB, { event: 'LinkChanged', about: `link${n}` });
  assert.equal(dirty.size, 1);
  const [causes] = [...dirty.take(() => true).values()];
  assert.deepEqual(
    causes?.map((cause) => cause.about),
    ['link0', 'link1', 'link2', 'link3'],
  );
  assert.equal(dirty.size, 0);
});

test('the same event about the same thing is kept once', () => {
  const dirty = new Dirty(systemClock);
  dirty.add(WEB, { event: 'Sync' });
  dirty.add(WEB, { event: 'Sync' });
  dirty.add(WEB, { event: 'RetryDue' });
  assert.deepEqual(events(dirty, WEB), ['Sync', 'RetryDue']);
});

test('what may not be looked at yet stays, with its causes', () => {
  const dirty = new Dirty(systemClock);
  dirty.add(WEB, { event: 'Sync' });
  dirty.add(DB, { event: 'ChangeEnded' });
  assert.deepEqual([...dirty.take((key) => key === WEB).keys()], [WEB]);
  assert.ok(dirty.some((key) => key === DB));
  assert.deepEqual(events(dirty, DB), ['ChangeEnded']);
});

test('a round that failed gives back what it took, older causes first', () => {
  const dirty = new Dirty(systemClock);
  dirty.add(WEB, { event: 'SourceChanged' });
  const taken = dirty.take(() => true);
  dirty.add(WEB, { event: 'Sync' });
  dirty.putBack(taken);
  assert.deepEqual(events(dirty, WEB), ['SourceChanged', 'Sync']);
});

test('a cause reads as a clause, with and without what it was about', () => {
  assert.equal(causeText({ event: 'LinkChanged', about: 'ls-lan' }), 'network link ls-lan changed');
  assert.equal(causeText({ event: 'TimerDue' }), 'a time limit was over');
  assert.equal(causeText({ event: 'TimerDue', about: 'its back-off' }), 'a time limit was over (its back-off)');
  assert.equal(causeText({ event: 'SourceChanged', about: '$&' }), '$& changed what it declares', 'names are no replacement patterns');
});
