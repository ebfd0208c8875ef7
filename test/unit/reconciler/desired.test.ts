import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RefKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import { computeDesired, copyOfCache, type DesiredState, emptyDesiredCache } from '../../../src/reconciler/desired.ts';

const BASE = `apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: fast }
spec: { driver: dir }
---
apiVersion: lockstep/v1
kind: Image
metadata: { name: box }
spec: { source: { build: { type: busybox } } }
`;
const PROFILE = `apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec: { devices: { root: { type: disk, path: /, pool: fast } } }
`;
const WEB = `apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec: { image: box }
`;
const KEY = 'Instance/default/-/web' as RefKey;

function desired(texts: Readonly<Record<string, string>>, cache = emptyDesiredCache()): DesiredState {
  const files = Object.entries(texts).map(([path, text]) => ({ path, text }));
  const snapshot = { source: 'git', revision: 'r', files, complete: true, since: 0 };
  return computeDesired([{ name: 'git', snapshot }], [], kinds, cache);
}

test('an instance whose profile has a problem is left alone and says what the profile lacks', () => {
  const { problems, unresolved, objects } = desired({ 'a.yaml': BASE, 'p.yaml': PROFILE.replace('devices:', 'devises:'), 'w.yaml': WEB });
  assert.deepEqual(
    problems.map(({ file, rule }) => `${file} ${rule}`),
    ['p.yaml unknown-key'],
  );
  assert.equal(objects.has(KEY), false);
  assert.deepEqual(
    unresolved.get(KEY)?.map(({ file, rule }) => `${file} ${rule}`),
    ['p.yaml unknown-key'],
  );
});

test('an unchanged object is not resolved again, and one whose profile changed is', () => {
  const cache = emptyDesiredCache();
  const texts = { 'a.yaml': BASE, 'p.yaml': PROFILE, 'w.yaml': WEB };
  const first = desired(texts, cache).objects.get(KEY);
  assert.equal(desired({ ...texts, 'x.yaml': WEB.replace('web', 'other') }, cache).objects.get(KEY)?.spec, first?.spec);
  const edited = PROFILE.replace('spec: {', 'spec: { config: { limits.cpu: 3 },');
  const changed = desired({ ...texts, 'p.yaml': edited }, cache).objects.get(KEY);
  assert.notEqual(changed?.specHash, first?.specHash);
});

test('a preview of other files leaves what is remembered as it is', () => {
  const cache = emptyDesiredCache();
  const texts = { 'a.yaml': BASE, 'p.yaml': PROFILE, 'w.yaml': WEB };
  const first = desired(texts, cache).objects.get(KEY);
  desired({ 'w.yaml': WEB.replace('box', 'gone') }, copyOfCache(cache));
  assert.equal(desired(texts, cache).objects.get(KEY)?.document, first?.document);
});
