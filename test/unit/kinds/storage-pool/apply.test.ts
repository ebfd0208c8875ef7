// Pools from nothing to declared and back on a host in memory: applying a plan leaves nothing to plan, also when it was interrupted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { makeRef } from '../../../../src/core/ref.ts';
import type { Host } from '../../../../src/host/ports/host.ts';
import type { HostView } from '../../../../src/host/ports/view.ts';
import type { ApplyRun } from '../../../../src/kinds/changes.ts';
import type { Facts } from '../../../../src/kinds/kind.ts';
import { storagePoolKind, type StoragePoolSpec } from '../../../../src/kinds/storage-pool/kind.ts';
import { baseFacts, recordedOf } from '../../../fakes/engine-input.ts';
import { MemoryImages } from '../../../fakes/memory-images.ts';
import { FOREIGN, MemoryStorage, type StorageFault } from '../../../fakes/memory-storage.ts';

const ref = makeRef('StoragePool', 'fast');
const facts = { ...baseFacts(), desired: () => undefined, actual: () => undefined, recorded: () => undefined } as unknown as Facts;
const { signal } = new AbortController();
const GIB = 1024 ** 3;
const LOOP: StoragePoolSpec = { driver: 'btrfs', source: undefined, sizeBytes: 10 * GIB, mountOptions: undefined };

class Bench {
  readonly images = new MemoryImages();
  readonly storage = new MemoryStorage(this.images);
  readonly host = { storage: this.storage, images: this.images } as unknown as Host;
  applied: StoragePoolSpec | undefined;
  readonly progress: string[] = [];

  view(): HostView {
    const { storage, images } = this;
    return {
      pools: () => storage.listPools(),
      volumes: (pool: string) => storage.listVolumes(pool),
      tombstones: (pool: string) => storage.listTombstones(pool),
      images: () => images.list(),
    } as unknown as HostView;
  }

  async observe() {
    return await storagePoolKind.observe(this.view(), ref, recordedOf(ref), signal);
  }

  /** Plans and applies once; names of the changes. */
  async round(desired: StoragePoolSpec | undefined): Promise<string[]> {
    const now = await this.observe();
    assert.notEqual(now.is, 'unknown');
    const actual = now.is === 'present' ? now.actual : undefined;
    const steps = storagePoolKind.diff({ ref, desired, actual, recorded: recordedOf(ref, { applied: this.applied }), facts });
    const run: ApplyRun = { signal, step: async (_name, work) => await work(), progress: (text) => void this.progress.push(text) };
    for (const { change } of steps) {
      assert.ok(storagePoolKind.holds(change, now), `${change.do} holds right after it was planned`);
      await storagePoolKind.apply(this.host, ref, change, run);
    }
    this.applied = desired;
    return steps.map(({ change }) => change.do);
  }

  async settle(desired: StoragePoolSpec | undefined): Promise<void> {
    await this.round(desired);
    assert.deepEqual(await this.round(desired), []);
  }
}

test('a pool is made, grown, activated after a reboot, and removed without remains', async () => {
  const bench = new Bench();
  await bench.settle(LOOP);
  assert.deepEqual(bench.progress, ['making a pool of 10GiB']);
  await bench.settle({ ...LOOP, sizeBytes: 20 * GIB });
  assert.equal(bench.storage.facts.backings.get('/state/disks/fast.img')?.sizeBytes, 20 * GIB);
  bench.storage.reboot();
  assert.deepEqual(await bench.round(LOOP), ['activate']);
  await bench.settle(undefined);
  assert.equal(bench.storage.facts.backings.size, 0);
  assert.equal(bench.storage.facts.records.size, 0);
});

for (const method of ['createPool', 'deletePool'] as const) {
  test(`an interrupted ${method} is finished by the next round`, async () => {
    const bench = new Bench();
    if (method === 'deletePool') await bench.settle(LOOP);
    bench.storage.faults.set(method, 'half');
    await assert.rejects(bench.round(method === 'createPool' ? LOOP : undefined), AppError);
    bench.storage.faults.clear();
    await bench.settle(method === 'createPool' ? LOOP : undefined);
    assert.equal((await bench.observe()).is, method === 'createPool' ? 'present' : 'absent');
  });
}

test('copies of an image that is gone are removed, those of one that is stored stay', async () => {
  const bench = new Bench();
  await bench.settle(LOOP);
  const image = await bench.images.create({ type: 'build-busybox' }, 'h', 'u', () => {}, signal);
  const volume = { name: 'web', fingerprint: image.fingerprint, ownerId: 1_000_000, sizeBytes: undefined };
  await bench.storage.createContainerVolume('fast', volume, signal);
  assert.deepEqual(await bench.round(LOOP), []);
  await bench.images.release(image.fingerprint, 'u', signal);
  await bench.settle(LOOP);
  assert.deepEqual([...bench.storage.volumesOf('fast').keys()], ['containers/web']);
});

test('a pool with volumes is not deleted, and says so', async () => {
  const bench = new Bench();
  await bench.settle(LOOP);
  bench.storage.volumesOf('fast').set('custom/data', { complete: true, sizeBytes: undefined, image: undefined, ownerId: 0 });
  await assert.rejects(bench.round(undefined), (error: AppError) => error.code === 'POOL_IN_USE');
  assert.equal((await bench.observe()).is, 'present');
});

test('a place that holds something of others is refused and stays as it is', async () => {
  const bench = new Bench();
  bench.storage.plug('/state/disks/fast.img', FOREIGN);
  await assert.rejects(bench.round(LOOP), (error: AppError) => error.code === 'POOL_FOREIGN');
  assert.equal(bench.storage.facts.backings.get('/state/disks/fast.img')?.marked, FOREIGN);
});

test('a listing that fails or hangs plans nothing', async () => {
  for (const method of ['listPools', 'listVolumes', 'listTombstones'] as const satisfies readonly (keyof MemoryStorage)[]) {
    const bench = new Bench();
    await bench.settle(LOOP);
    bench.storage.faults.set(method, 'fail' satisfies StorageFault);
    assert.equal((await bench.observe()).is, 'unknown', method);
  }
});
