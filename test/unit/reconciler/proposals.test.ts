import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Proposals } from '../../../src/reconciler/proposals.ts';

const candidates = (): string[] => ['1', '2', '3', '4'];

test('the first free candidate, and never one that was proposed or is taken', () => {
  const proposals = new Proposals({ taken: () => new Set(['2']) });
  const given: (string | undefined)[] = [];
  for (let at = 0; at < 4; at++) {
    const value = proposals.free('range', candidates);
    given.push(value);
    if (value !== undefined) proposals.add('range', value);
  }
  assert.deepEqual(given, ['1', '3', '4', undefined]);
});

test('a value proposed under a longer name is taken in its scope, also when nobody had asked before', () => {
  const proposals = new Proposals({ taken: (scope) => new Set(scope === 'hwaddr' ? ['a'] : []) });
  proposals.add('hwaddr:eth0', 'b');
  assert.deepEqual([...proposals.taken('hwaddr')], ['a', 'b']);
  proposals.add('hwaddr:eth1', 'c');
  assert.ok(proposals.taken('hwaddr').has('c'));
  assert.equal(proposals.taken('subnet4').size, 0);
});
