import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMaxUnavailable } from '../../../src/schemas/kinds/update.ts';
import { manifest, parse } from './manifests.ts';

function problems(update: string): string[] {
  return parse(manifest('Instance', 'web', `spec: { image: busybox, update: ${update} }`)).problems.map(({ line, field, message, hint }) =>
    `${line} ${field}: ${message} ${hint ?? ''}`.trim(),
  );
}

test('the update rules are taken as they are written', () => {
  for (const good of [
    '{}',
    '{ restart: Manual, recreate: Auto, image: Follow, maxUnavailable: 2 }',
    '{ maxUnavailable: 25% }',
    '{ recreate: Never }',
  ]) {
    assert.deepEqual(problems(good), [], good);
  }
});

test('what is not supported yet, or makes no sense, is told at its place', () => {
  assert.match(problems('{ restart: Window }')[0]!, /^4 spec\.update\.restart: .*not supported yet\. Use "Auto" or "Manual"\.$/);
  assert.match(problems('{ restart: auto }')[0]!, /Did you mean "Auto"\?/);
  for (const bad of ['0', '-1', '101%', '0%', '1.5', '"10 %"', 'all', '10000'])
    assert.equal(problems(`{ maxUnavailable: ${bad} }`).length, 1, bad);
  assert.match(problems('{ maxUnavailable: true }')[0]!, /must be a whole number or text, not true/);
  assert.match(problems('{ policy: Auto }')[0]!, /It is `restart`, `recreate` or `image`/);
});

test('a number or a percentage', () => {
  assert.deepEqual(parseMaxUnavailable(3), { count: 3 });
  assert.deepEqual(parseMaxUnavailable('3'), { count: 3 });
  assert.deepEqual(parseMaxUnavailable('100%'), { percent: 100 });
  assert.equal(parseMaxUnavailable('3%%'), undefined);
});
