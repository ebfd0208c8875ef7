import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRef } from '../../../../src/core/ref.ts';
import type { HostView } from '../../../../src/host/ports/view.ts';
import { observe } from '../../../../src/kinds/storage-pool/observe.ts';

const [STORED, KEPT, STALE] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

test('an unpacked image is stale when it is not stored and nothing deleted shares its blocks', async () => {
  const view = {
    pools: async () => new Map([['fast', { active: true }]]),
    volumes: async () => new Map([`image/${STORED}`, `image/${KEPT}`, `image/${STALE}`, 'container/web'].map((key) => [key, {}])),
    tombstones: async () => [{ name: 'one', shares: KEPT }, { name: 'another' }],
    images: async () => new Map([[STORED, {}]]),
  } as unknown as HostView;
  const observed = await observe(view, makeRef('StoragePool', 'fast'), undefined, AbortSignal.timeout(1000));
  assert.equal(observed.is, 'present');
  assert.deepEqual(observed.actual.staleImages, [STALE]);
  assert.equal(observed.actual.volumes, 1);
});
