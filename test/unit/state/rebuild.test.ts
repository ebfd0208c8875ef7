import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuidv7 } from '../../../src/core/hash.ts';
import { makeRef, refKey } from '../../../src/core/ref.ts';
import { openLedger } from '../../../src/state/open.ts';
import { rebuildOwnership, restoreOwnership } from '../../../src/state/rebuild.ts';

const REF = makeRef('Instance', 'web');

function record({ name = 'web', ...more }: Record<string, unknown> & { name?: string } = {}): { file: string; text: string } {
  const all = { uid: uuidv7(5000), ref: REF, source: 'main', path: 'web.yaml', line: 4, document: '{"kind":"Instance"}', ...more };
  return { file: `/x/${name}/instance.json`, text: JSON.stringify(all) };
}

test('a record becomes the object’s row and its allocations', () => {
  const uid = uuidv7(1_700_000_000_123);
  const { objects, problems } = rebuildOwnership([
    record({ uid, allocations: { idrange: '1000000', 'hwaddr:eth0': 'aa' }, protected: true }),
  ]);
  assert.deepEqual(problems, []);
  assert.deepEqual(objects, [
    {
      row: {
        uid,
        ref: REF,
        source: 'main',
        path: 'web.yaml',
        line: 4,
        document: '{"kind":"Instance"}',
        applied: null,
        appliedHash: null,
        appliedRevision: null,
        protected: true,
        declared: true,
        createdAt: 1_700_000_000_123,
      },
      allocations: [
        { uid, what: 'idrange', value: '1000000' },
        { uid, what: 'hwaddr:eth0', value: 'aa' },
      ],
    },
  ]);
});

test('a ref may be a key, and a document may be JSON itself', () => {
  const { objects } = rebuildOwnership([record({ ref: refKey(REF), document: { kind: 'Instance' } })]);
  assert.deepEqual(objects[0]?.row.ref, REF);
  assert.equal(objects[0]?.row.document, '{"kind":"Instance"}');
});

for (const [what, text] of [
  ['is cut off', '{"uid": "0190'],
  ['is no object', '[]'],
  ['has no uid', JSON.stringify({ ref: REF })],
  ['has a hostile name', JSON.stringify({ uid: uuidv7(1), ref: { ...REF, name: 'a/b' } })],
  ['has an unknown kind', JSON.stringify({ uid: uuidv7(1), ref: { ...REF, kind: 'Thing' } })],
] as const) {
  test(`a record that ${what} is a problem and hides no other`, () => {
    const { objects, problems } = rebuildOwnership([{ file: '/x/bad/instance.json', text }, record()]);
    assert.equal(objects.length, 1);
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, /\/x\/bad\/instance\.json/);
  });
}

test('two records of one object, or of one value, are reported and the first counts', () => {
  const uid = uuidv7(1);
  const first = record({ uid, name: 'a', allocations: { idrange: '5' } });
  const other = makeRef('Instance', 'db');
  const { objects, problems } = rebuildOwnership([
    first,
    record({ uid, name: 'b', ref: other }),
    record({ name: 'c' }),
    record({ name: 'd', ref: other, allocations: { idrange: '5' } }),
  ]);
  assert.deepEqual(
    objects.map((one) => [one.row.ref.name, one.allocations.length]),
    [
      ['web', 1],
      ['db', 0],
    ],
  );
  assert.equal(problems.length, 3);
});

test('restoring writes rows and allocations and forbids deletes by a mark', () => {
  const ledger = openLedger(':memory:');
  restoreOwnership(ledger, rebuildOwnership([record({ allocations: { idrange: '5' } })]), 77);
  assert.equal(ledger.objects.get(REF)?.declared, true);
  assert.ok(ledger.allocations.taken('idrange').has('5'));
  const [asked] = ledger.confirmations.all();
  assert.deepEqual([asked?.source, asked?.objects, asked?.askedAt, asked?.confirmedAt], ['@ledger', [refKey(REF)], 77, null]);
  ledger.close();
});
