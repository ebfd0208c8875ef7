import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EVENT_FAMILIES, eventsFromEnvironment } from '../../../src/host/event-families.ts';

describe('LOCKSTEP_EVENTS', () => {
  test('says which families are listened to; all by default', () => {
    for (const text of [undefined, '', 'all']) assert.deepEqual(eventsFromEnvironment(text), new Set(EVENT_FAMILIES));
    assert.deepEqual(eventsFromEnvironment('none'), new Set());
    assert.deepEqual(eventsFromEnvironment('only:mounts,links'), new Set(['mounts', 'links']));
  });

  test('a typing error is refused: it would leave out more than was meant', () => {
    for (const text of ['off', 'only:', 'only:mount', 'only:mounts,', 'mounts']) {
      assert.throws(() => eventsFromEnvironment(text), { code: 'REQUEST_INVALID' }, text);
    }
  });
});
