// Merging compared with LXD 5.0.2: 500 random stacks of profiles and what it made of each, recorded by `npm run compare:lxd`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { expandStack } from '../../../scripts/compare-lxd/expand-stack.ts';
import type { StackCase } from '../../../scripts/compare-lxd/stacks.ts';

const cases: readonly StackCase[] = gunzipSync(readFileSync(join(import.meta.dirname, '../../data/lxd-5.0.2/stacks.jsonl.gz')))
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as StackCase);

test('500 stacks of profiles expand to exactly what LXD 5.0.2 makes of them', () => {
  assert.equal(cases.length, 500);
  for (const [at, { stack, expanded }] of cases.entries()) {
    assert.deepEqual(expandStack(stack), expanded, `stack ${at}: ${JSON.stringify(stack)}`);
  }
});

test('the stacks hold everything that makes merging hard', () => {
  const layers = cases.flatMap(({ stack }) => [...Object.values(stack.profiles), stack.instance]);
  const values = layers.flatMap(({ config, devices }) => [config, ...Object.values(devices)].flatMap((map) => Object.values(map)));
  assert.ok(values.filter((value) => value === '').length > 50, 'empty values');
  assert.ok(values.filter((value) => value === null).length > 50, 'nulls');
  const masks = cases.filter(({ expanded }) => Object.values(expanded.devices).some(({ type }) => type === 'none'));
  assert.ok(masks.length > 50, 'masked devices');
  assert.ok(cases.filter(({ stack }) => stack.apply === null).length > 20, 'profiles left unsaid');
  assert.ok(cases.filter(({ stack }) => stack.apply?.length === 0).length > 2, 'no profiles at all');
  assert.ok(cases.filter(({ stack }) => (stack.apply?.length ?? 0) > 2).length > 50, 'many profiles');
});
