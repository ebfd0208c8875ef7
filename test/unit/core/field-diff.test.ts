import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldDifferences } from '../../../src/core/field-diff.ts';

test('tells fields that came, went and changed, by their path', () => {
  const before = { config: { 'limits.cpu': '1', gone: 'x' }, same: { a: [1, 2] } };
  const after = { config: { 'limits.cpu': '2' }, same: { a: [1, 2] }, list: ['a'] };
  assert.deepEqual(fieldDifferences(before, after), [
    { field: 'config.gone', from: 'x' },
    { field: 'config.limits.cpu', from: '1', to: '2' },
    { field: 'list', to: '["a"]' },
  ]);
  assert.deepEqual(fieldDifferences(after, after), []);
  assert.deepEqual(fieldDifferences(undefined, { a: null, b: undefined }), [], 'nothing is nothing');
});

test('is bounded: long values, many fields, deep nesting', () => {
  const [long] = fieldDifferences(undefined, { text: 'x'.repeat(100_000) });
  assert.ok(long!.to!.length < 600);
  assert.match(long!.to!, /100000 characters, sha256 [0-9a-f]{16}/);
  const many = fieldDifferences(undefined, Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n])));
  assert.equal(many.length, 201);
  assert.equal(many.at(-1)?.field, '(4800 more fields)');
  let deep: unknown = 1;
  for (let n = 0; n < 50; n++) deep = { a: deep };
  assert.equal(fieldDifferences(undefined, deep).length, 1);
});
