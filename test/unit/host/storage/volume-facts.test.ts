import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFacts, parseFacts } from '../../../../src/host/storage/volume-facts.ts';

const FINGERPRINT = 'a'.repeat(64);

test('facts survive being written and read', () => {
  for (const facts of [
    { type: 'container', name: 'web', image: FINGERPRINT, sizeBytes: 4 * 1024 ** 3 },
    { type: 'image', name: FINGERPRINT, image: undefined, sizeBytes: undefined },
    { type: 'custom', name: 'data.1', image: undefined, sizeBytes: 0 },
  ] as const) {
    assert.deepEqual(parseFacts(formatFacts(facts)), facts);
  }
});

test('text that is not ours is no fact', () => {
  const good = formatFacts({ type: 'container', name: 'web', image: FINGERPRINT, sizeBytes: 1 });
  for (const text of [
    '',
    'web',
    '2' + good.slice(1),
    `${good}:more`,
    good.replace('container', 'virtual'),
    good.replace('aaaa', '../..'),
    good + 'x',
  ]) {
    assert.equal(parseFacts(text), undefined, text);
  }
});
