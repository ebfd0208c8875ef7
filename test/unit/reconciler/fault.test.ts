import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Log, silentLog } from '../../../src/core/log.ts';
import { faultsFromEnvironment, noFaults } from '../../../src/reconciler/fault.ts';

test('counts nothing when nothing is asked for', () => {
  assert.equal(faultsFromEnvironment(undefined, silentLog), noFaults);
  assert.equal(faultsFromEnvironment('', silentLog), noFaults);
});

test('names each boundary with its number', () => {
  const said: unknown[] = [];
  const log = { ...silentLog, info: (value: unknown) => void said.push(value) } as unknown as Log;
  const boundary = faultsFromEnvironment('count', log);
  boundary('one');
  boundary('two');
  assert.deepEqual(said, [
    { boundary: 1, order: 'count', where: 'one' },
    { boundary: 2, order: 'count', where: 'two' },
  ]);
});

test('refuses an order it does not understand, instead of testing nothing', () => {
  for (const text of ['kill', 'kill@0', 'kill@x', 'kill@1\ncount', 'file:relative', 'counts']) {
    assert.throws(() => faultsFromEnvironment(text, silentLog), /LOCKSTEP_FAULT must be/, text);
  }
});
