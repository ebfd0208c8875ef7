import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecondLook } from '../../../src/host/second-look.ts';

/** What each look answers, one after the other, and what is asked for by name. */
function world(...there: readonly string[]): { look: SecondLook; asked: string[][]; there: Set<string> } {
  const asked: string[][] = [];
  const names = new Set(there);
  const look = new SecondLook('things', async (wanted) => {
    asked.push([...wanted]);
    return new Set(wanted.filter((name) => names.has(name)));
  });
  return { look, asked, there: names };
}

const listing = (...names: string[]): Map<string, true> => new Map(names.map((name) => [name, true]));

function answers(...readings: Map<string, true>[]): () => Promise<Map<string, true>> {
  return async () => readings.shift()!;
}

const itself = (found: Map<string, true>): Map<string, true> => found;

test('what an earlier reading held and a later one lacks is looked for, and while it is there the listing is not believed', async () => {
  const { look, asked } = world('a', 'b');
  await look.all(answers(listing('a', 'b')), itself);
  assert.deepEqual(asked, [], 'nothing was missing');
  await assert.rejects(look.all(answers(listing('a'), listing()), itself), { code: 'HOST_UNREADABLE', message: /things lacks "a"/ });
  assert.deepEqual(asked, [['b'], ['a', 'b']]);
  await assert.rejects(look.all(answers(listing('a'), listing('a')), itself), { code: 'HOST_UNREADABLE', message: /lacks "b"/ });
});

test('what is gone for both is gone, and not asked for again', async () => {
  const { look, asked, there } = world('a', 'b');
  await look.all(answers(listing('a', 'b')), itself);
  there.delete('b');
  assert.deepEqual([...(await look.all(answers(listing('a')), itself)).keys()], ['a']);
  await look.all(answers(listing('a')), itself);
  assert.deepEqual(asked, [['b']]);
});

test('what came between the two looks is in the second reading', async () => {
  const { look } = world('a', 'b');
  await look.all(answers(listing('a', 'b')), itself);
  assert.deepEqual([...(await look.all(answers(listing('a'), listing('a', 'b')), itself)).keys()], ['a', 'b']);
});

test('of a reading by name all that it lacks is looked for, also what was never seen', async () => {
  const { look, asked } = world('a');
  assert.equal((await look.some(['x'], async () => listing())).size, 0);
  await assert.rejects(
    look.some(['x', 'a'], async () => listing()),
    { code: 'HOST_UNREADABLE' },
  );
  assert.deepEqual(asked, [['x'], ['x', 'a'], ['x', 'a']]);
});

test('what was seen by name is missed in a reading of everything', async () => {
  const { look } = world('a');
  await look.some(['a'], async () => listing('a'));
  await assert.rejects(look.all(answers(listing(), listing()), itself), { code: 'HOST_UNREADABLE' });
});

test('when it cannot be looked for, nothing is known', async () => {
  const look = new SecondLook('things', () => Promise.reject(new Error('no')));
  await assert.rejects(
    look.some(['a'], async () => listing()),
    /no/,
  );
});
