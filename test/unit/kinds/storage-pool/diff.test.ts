import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRef } from '../../../../src/core/ref.ts';
import type { Facts } from '../../../../src/kinds/kind.ts';
import { storagePoolKind, type StoragePoolActual, type StoragePoolSpec } from '../../../../src/kinds/storage-pool/kind.ts';
import { targetOf } from '../../../../src/kinds/storage-pool/spec.ts';
import { baseFacts, recordedOf } from '../../../fakes/engine-input.ts';

const ref = makeRef('StoragePool', 'fast');
const facts = { ...baseFacts(), desired: () => undefined, actual: () => undefined, recorded: () => undefined } as unknown as Facts;
const GIB = 1024 ** 3;
const LOOP: StoragePoolSpec = { driver: 'btrfs', source: undefined, sizeBytes: 10 * GIB, mountOptions: undefined };

function actualOf(spec: StoragePoolSpec, over: Partial<StoragePoolActual> = {}): StoragePoolActual {
  return {
    target: targetOf(spec, 'fast', facts.paths),
    backing: true,
    ours: true,
    active: true,
    volumes: 0,
    tombstones: [],
    staleImages: [],
    ...over,
  };
}

function changes(desired: StoragePoolSpec | undefined, actual: StoragePoolActual | undefined, applied?: unknown): string[] {
  return storagePoolKind.diff({ ref, desired, actual, recorded: recordedOf(ref, { applied }), facts }).map(({ change }) => change.do);
}

function reason(spec: StoragePoolSpec, actual: StoragePoolActual): string {
  return storagePoolKind.condition(spec, actual, recordedOf(ref, { applied: spec }), facts).reason;
}

test('a declared pool that is absent is created where it belongs', () => {
  const [step] = storagePoolKind.diff({ ref, desired: LOOP, actual: undefined, recorded: recordedOf(ref), facts });
  assert.equal(step?.change.do, 'create');
  assert.deepEqual(step.change.do === 'create' && step.change.target.source, {
    type: 'loop',
    file: '/state/disks/fast.img',
    sizeBytes: 10 * GIB,
  });
});

test('a pool that is as declared needs nothing and is ready', () => {
  assert.deepEqual(changes(LOOP, actualOf(LOOP)), []);
  assert.equal(reason(LOOP, actualOf(LOOP)), 'Active');
});

test('a pool that is there but not mounted is activated, never created', () => {
  assert.deepEqual(changes(LOOP, actualOf(LOOP, { active: false }), LOOP), ['activate']);
  assert.deepEqual(changes(LOOP, actualOf(LOOP, { active: false })), ['activate']);
});

test('a pool that was there once and lost its backing is not made anew', () => {
  const lost = actualOf(LOOP, { active: false, ours: false, backing: false });
  assert.deepEqual(changes(LOOP, lost, LOOP), []);
  assert.equal(reason(LOOP, lost), 'BackingMissing');
  // The ledger was lost, too; the pool's own record says that it was whole.
  assert.deepEqual(changes(LOOP, { ...lost, made: true }), []);
});

test('a pool whose first creation was interrupted is created', () => {
  assert.deepEqual(changes(LOOP, actualOf(LOOP, { active: false, ours: false, backing: false })), ['create']);
});

test('what is not ours is left alone', () => {
  const foreign = actualOf(LOOP, { active: false, ours: false });
  assert.deepEqual(changes(LOOP, foreign, LOOP), []);
  assert.equal(reason(LOOP, foreign), 'Foreign');
});

test('a larger size grows the pool, a smaller one is refused with its present size', () => {
  const desired = { ...LOOP, sizeBytes: 20 * GIB };
  const [step] = storagePoolKind.diff({ ref, desired, actual: actualOf(LOOP), recorded: recordedOf(ref), facts });
  assert.deepEqual(step?.change, { do: 'grow', target: targetOf(desired, 'fast', facts.paths), from: 10 * GIB, to: 20 * GIB });
  const smaller = { ...LOOP, sizeBytes: 5 * GIB };
  assert.deepEqual(changes(smaller, actualOf(LOOP)), []);
  const readiness = storagePoolKind.condition(smaller, actualOf(LOOP), recordedOf(ref), facts);
  assert.equal(readiness.ready, false);
  assert.match(readiness.message, /10GiB/);
});

test('a size that is not declared is whatever the pool has', () => {
  const unsaid = { ...LOOP, sizeBytes: undefined };
  assert.deepEqual(changes(unsaid, actualOf(LOOP)), []);
  assert.equal(reason(unsaid, actualOf(LOOP)), 'Active');
});

test('another driver or source changes nothing and says why', () => {
  const dir: StoragePoolSpec = { driver: 'dir', source: undefined, sizeBytes: undefined, mountOptions: undefined };
  assert.deepEqual(changes(dir, actualOf(LOOP)), []);
  assert.equal(reason(dir, actualOf(LOOP)), 'Immutable');
  const moved = { ...LOOP, source: '/srv/pool', sizeBytes: undefined };
  assert.deepEqual(changes(moved, actualOf(LOOP)), []);
  assert.equal(reason(moved, actualOf(LOOP)), 'Immutable');
});

test('a pool with changes that cannot be is still activated after a reboot', () => {
  const moved = { ...LOOP, source: '/srv/pool', sizeBytes: undefined };
  assert.deepEqual(changes(moved, actualOf(LOOP, { active: false }), LOOP), ['activate']);
});

test('unpacked images that are not stored any more are removed', () => {
  assert.deepEqual(changes(LOOP, actualOf(LOOP, { staleImages: ['f'.repeat(64)] })), ['dropImages']);
});

test('a pool that is no longer declared is deleted, one that is absent needs nothing', () => {
  assert.deepEqual(changes(undefined, actualOf(LOOP)), ['delete']);
  assert.deepEqual(changes(undefined, undefined), []);
});

test('paths below /dev are devices, other sources directories', () => {
  const source = (path: string) => targetOf({ ...LOOP, source: path, sizeBytes: undefined }, 'fast', facts.paths).source;
  assert.deepEqual(source('/dev/vdb'), { type: 'device', path: '/dev/vdb' });
  assert.deepEqual(source('/srv/pool'), { type: 'path', path: '/srv/pool' });
});

test('a change is dropped when it makes no sense any more, and always when nothing is known', () => {
  const target = targetOf(LOOP, 'fast', facts.paths);
  const unknown = { is: 'unknown', because: new Error() as never } as const;
  const present = (over: Partial<StoragePoolActual>) => ({ is: 'present', actual: actualOf(LOOP, over) }) as const;
  for (const change of [
    { do: 'create', target },
    { do: 'activate', target },
    { do: 'delete', target },
  ] as const) {
    assert.equal(storagePoolKind.holds(change, unknown), false);
  }
  assert.equal(storagePoolKind.holds({ do: 'create', target }, present({})), false);
  assert.equal(storagePoolKind.holds({ do: 'activate', target }, present({})), false);
  assert.equal(storagePoolKind.holds({ do: 'activate', target }, present({ active: false })), true);
  assert.equal(storagePoolKind.holds({ do: 'grow', target, from: 1, to: 10 * GIB }, present({})), false);
  assert.equal(storagePoolKind.holds({ do: 'delete', target }, { is: 'absent' }), false);
});
