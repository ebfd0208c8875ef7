import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { makeRef } from '../../../src/core/ref.ts';
import { revisionOf } from '../../../src/sources/revision.ts';
import { StoredSource } from '../../../src/sources/stored.ts';
import { openLedger } from '../../../src/state/open.ts';

const signal = new AbortController().signal;

test('gives the stored objects of its own name, one file each, and a revision that follows their text', async () => {
  const ledger = openLedger(':memory:');
  const { documents } = ledger;
  let now = 1000;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
  const source = new StoredSource('api', documents, clock);
  const web = { ref: makeRef('Instance', 'web'), source: 'api', text: 'kind: Instance\n', updatedAt: 1 };
  documents.put(web);
  documents.put({ ...web, ref: makeRef('Instance', 'other'), source: 'team' });

  const first = await source.read(signal);
  assert.deepEqual(first.files, [{ path: 'api:Instance/default/-/web', text: 'kind: Instance\n' }]);
  assert.equal(first.complete, true);
  assert.equal(first.since, 1000);

  now = 2000;
  const same = await source.read(signal);
  assert.deepEqual([same.revision, same.since], [first.revision, 1000]);

  documents.put({ ...web, text: 'kind: Profile\n' });
  const changed = await source.read(signal);
  assert.notEqual(changed.revision, first.revision);
  assert.equal(changed.since, 2000);
  ledger.close();
});

test('a hint reaches the watcher until the source is closed', async () => {
  const ledger = openLedger(':memory:');
  const { documents } = ledger;
  const source = new StoredSource('api', documents);
  let hints = 0;
  await source.watch(() => (hints += 1));
  source.notify();
  await source.close();
  source.notify();
  assert.equal(hints, 1);
  ledger.close();
});

test('a revision depends on paths, contents and readability, not on order', () => {
  const a = { path: 'a', text: 'x' };
  const b = { path: 'b', text: 'y' };
  assert.equal(revisionOf([a, b]), revisionOf([b, a]));
  const others = [
    [a],
    [a, { path: 'b', text: 'z' }],
    [a, { path: 'c', text: 'y' }],
    [a, { path: 'b', text: undefined, error: 'y' }],
    [{ path: 'a', text: 'xby' }],
    [],
  ];
  assert.equal(new Set([[a, b], ...others].map((files) => revisionOf(files))).size, others.length + 1);
});
