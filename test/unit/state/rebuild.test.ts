import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuidv7 } from '../../../src/core/hash.ts';
import { makeRef, refKey } from '../../../src/core/ref.ts';
import { openLedger } from '../../../src/state/open.ts';
import { rebuildNetworks, rebuildOwnership, restoreOwnership } from '../../../src/state/rebuild.ts';

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

test('documents with secrets in them are not taken for what was declared; those of the API are stored again', () => {
  const ledger = openLedger(':memory:');
  const secret = { spec: { config: { 'environment.TOKEN': `sha256:${'0'.repeat(32)}` } } };
  const [a, b] = [makeRef('Instance', 'a'), makeRef('Instance', 'b')];
  const records = [record({ uid: uuidv7(1), ref: a, source: 'api', document: secret }), record({ uid: uuidv7(2), ref: b, source: 'api' })];
  restoreOwnership(ledger, rebuildOwnership(records), 77);
  assert.deepEqual([ledger.objects.get(a)?.source, ledger.objects.get(a)?.document], ['api.lost', '']);
  assert.equal(ledger.objects.get(b)?.source, 'api');
  assert.deepEqual(
    ledger.documents.all().map((row) => row.ref.name),
    ['b'],
  );
  ledger.close();
});

test('a ledger that is older than the host takes the newer uid, and what it knows is not written again', () => {
  const ledger = openLedger(':memory:');
  const old = uuidv7(1);
  restoreOwnership(ledger, rebuildOwnership([record({ uid: old })]), 1);
  const { objects } = restoreOwnership(ledger, rebuildOwnership([record({ uid: uuidv7(2), allocations: { idrange: '5' } })]), 2);
  assert.deepEqual(objects, [REF]);
  assert.equal(ledger.objects.byUid(old), undefined);
  const { uid } = ledger.objects.get(REF)!;
  assert.deepEqual(restoreOwnership(ledger, rebuildOwnership([record({ uid })]), 3).objects, []);
  assert.equal(ledger.confirmations.all()[0]?.askedAt, 2);
  ledger.close();
});

test('networks are known by the alias of their bridge', () => {
  const uid = uuidv7(5);
  const link = { hwaddr: '00:16:3e:00:00:01', addresses: [] };
  const { objects } = rebuildNetworks('ls', [
    { ...link, name: 'ls-lan', alias: `lockstep:ls:${uid}` },
    { ...link, name: 'ls-other', alias: undefined },
    { ...link, name: 'xx-lan', alias: `lockstep:xx:${uid}` },
  ]);
  assert.deepEqual(
    objects.map(({ row, allocations }) => [row.ref.name, row.uid, allocations.map(({ value }) => value)]),
    [['lan', uid, ['ls-lan', '00:16:3e:00:00:01']]],
  );
});
