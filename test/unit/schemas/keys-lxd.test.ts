// The option registry compared with LXD 5.0.2: which values it accepts and when they take effect, recorded by `npm run compare:lxd`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { judgeKeys } from '../../../scripts/compare-lxd/judge-keys.ts';
import type { KeyAnswers } from '../../../scripts/compare-lxd/keys.ts';
import { judgeAllKeys, judgeKnownKeys, type KnownKey } from '../../../scripts/compare-lxd/known-keys.ts';
import { isOptionScope, optionFor, optionsOf } from '../../../src/schemas/registry.ts';

const DATA = join(import.meta.dirname, '../../data/lxd-5.0.2');
const answers = JSON.parse(readFileSync(join(DATA, 'keys.json'), 'utf8')) as KeyAnswers;
const knownKeys = JSON.parse(readFileSync(join(DATA, 'known-keys.json'), 'utf8')) as KnownKey[];

test('keys accept what LXD 5.0.2 accepts and take effect as there, but for the differences that are meant', () => {
  const { unexpected, gone } = judgeKeys(answers);
  assert.deepEqual(unexpected, []);
  assert.deepEqual(gone, []);
});

test('more than 40 keys were asked about, with values LXD takes and values it refuses', () => {
  const keys = new Set(answers.values.map(({ scope, key }) => `${scope} ${key}`));
  assert.ok(keys.size >= 80, `${keys.size} keys`);
  assert.ok(answers.values.filter(({ accepted }) => accepted).length > 150);
  assert.ok(answers.values.filter(({ accepted }) => !accepted).length > 100);
});

test('what was seen to land live in LXD is live in the registry, what needed a restart is a restart', () => {
  const seen = answers.effects.filter(({ effect }) => effect === 'live' || effect === 'restart');
  assert.ok(seen.length >= 12, `${seen.length} effects were seen`);
  for (const { key, effect } of seen) assert.equal(optionFor('instance', key)?.verdict, effect, key);
});

test('an answer that changed is told', () => {
  const values = answers.values.map((answer) =>
    answer.key === 'limits.memory' && answer.value === '64MiB' ? { ...answer, accepted: false } : answer,
  );
  assert.deepEqual(judgeKeys({ ...answers, values }).unexpected, ['instance limits.memory="64MiB": Lockstep accepts it']);
  const effects = answers.effects.filter(({ key }) => key !== 'environment.FOO');
  assert.deepEqual(judgeKeys({ ...answers, effects }).gone, ['instance environment.FOO: takes effect both in LXD, restart here']);
});

test("the registry calls LXD's what LXD 5.0.2 knows, and Incus' what it does not", () => {
  assert.ok(knownKeys.length >= 300, `${knownKeys.length} keys`);
  const originOf = (scope: string, key: string): 'LXD' | 'Incus' | 'Lockstep' | undefined =>
    isOptionScope(scope) ? optionsOf(scope).find((option) => option.key === key)?.origin : undefined;
  assert.deepEqual(judgeKnownKeys(knownKeys, originOf), []);
  assert.equal(judgeKnownKeys([{ scope: 'instance', key: 'limits.cpu', known: false }], originOf).length, 1);
});

test('every instance key LXD 5.0.2 has is in the registry, but for virtual machines and former names', () => {
  const keys = readFileSync(join(DATA, 'instance-keys.txt'), 'utf8').trimEnd().split('\n');
  assert.ok(keys.length >= 50, `${keys.length} keys`);
  assert.deepEqual(judgeAllKeys(keys), []);
  assert.deepEqual(judgeAllKeys(['limits.unheard_of']), ['instance limits.unheard_of: not in the registry']);
});
