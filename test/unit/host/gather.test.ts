import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gather } from '../../../src/host/gather.ts';

function counting(): { asked: string[][]; gather: Gather<string> } {
  const asked: string[][] = [];
  const gather = new Gather<string>(async (names) => {
    asked.push([...names]);
    if (names.includes('broken')) throw new Error('unreadable');
    return new Map(names.filter((name) => name !== 'gone').map((name) => [name, `<${name}>`]));
  });
  return { asked, gather };
}

test('what is asked in one turn of the event loop is one question, also from continuations of that turn', async () => {
  const { asked, gather } = counting();
  const later = Promise.resolve()
    .then(() => undefined)
    .then(() => gather.get('c'));
  assert.deepEqual(await Promise.all([gather.get('a'), gather.get('b'), gather.get('a'), gather.get('gone'), later]), [
    '<a>',
    '<b>',
    '<a>',
    undefined,
    '<c>',
  ]);
  assert.deepEqual(asked, [['a', 'b', 'gone', 'c']]);
  await gather.get('a');
  assert.equal(asked.length, 2, 'an answer is not kept for the next turn');
});

test('a joint question that fails has failed for each, and the next one is asked anew', async () => {
  const { gather } = counting();
  const both = await Promise.allSettled([gather.get('a'), gather.get('broken')]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await gather.get('a'), '<a>');
});
