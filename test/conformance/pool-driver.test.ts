// What every storage backend has to do, through the port: in memory always, the real ones as root where the kernel has them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AppError, type ErrorCode } from '../../src/core/errors.ts';
import { makePaths } from '../../src/core/paths.ts';
import type { ImagePort } from '../../src/host/ports/images.ts';
import type { PoolTarget, StoragePort, VolumeReading } from '../../src/host/ports/storage.ts';
import { poolDrivers } from '../../src/host/storage/registry.ts';
import { MemoryImages } from '../fakes/memory-images.ts';
import { MemoryStorage } from '../fakes/memory-storage.ts';
import { dirPool, loopPool, makeStateRoot } from '../host/state-root.ts';

interface Subject {
  readonly storage: StoragePort;
  readonly images: ImagePort;
  target(name: string): PoolTarget;
  cleanUp(): Promise<void>;
}

function inMemory(driver: 'dir' | 'btrfs'): Subject {
  const images = new MemoryImages();
  const paths = makePaths('/state', '/run/tt');
  return {
    images,
    storage: new MemoryStorage(images),
    target: (name) => (driver === 'dir' ? dirPool(paths, name) : loopPool(paths, name)),
    cleanUp: async () => {},
  };
}

function real(driver: 'dir' | 'btrfs'): Subject {
  const root = makeStateRoot();
  return { ...root, target: (name) => (driver === 'dir' ? dirPool(root.paths, name) : loopPool(root.paths, name)) };
}

async function whyNot(driver: 'dir' | 'btrfs'): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'needs root';
  const probe = await poolDrivers[driver].probe(AbortSignal.timeout(10_000));
  return probe.usable ? false : (probe.reason ?? 'not usable here');
}

const SUBJECTS = [
  { name: 'dir in memory', make: () => inMemory('dir'), skip: false },
  { name: 'btrfs in memory', make: () => inMemory('btrfs'), skip: false },
  { name: 'dir', make: () => real('dir'), skip: await whyNot('dir') },
  { name: 'btrfs on a loop file', make: () => real('btrfs'), skip: await whyNot('btrfs') },
] as const;

const { signal } = new AbortController();

async function refuses(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof AppError, `an AppError, not ${String(error)}`);
    assert.equal(error.code, code);
    return true;
  });
}

for (const { name, make, skip } of SUBJECTS) {
  describe(name, { skip }, () => {
    let subject: Subject;
    let storage: StoragePort;
    let fingerprint: string;
    let quotas: boolean;

    before(async () => {
      subject = make();
      storage = subject.storage;
      const image = await subject.images.create({ type: 'build-busybox' }, 'hash', 'uid', () => {}, signal);
      fingerprint = image.fingerprint;
      quotas = storage.capabilities(subject.target('any').driver).quotas;
    });
    after(async () => await subject.cleanUp());

    async function pool(poolName: string): Promise<PoolTarget> {
      const target = subject.target(poolName);
      await storage.createPool(target, signal);
      return target;
    }

    async function volume(poolName: string, volumeName: string): Promise<VolumeReading | undefined> {
      return (await storage.listVolumes(poolName)).get(`container/${volumeName}`);
    }

    async function make1(poolName: string, volumeName: string): Promise<void> {
      await storage.createContainerVolume(poolName, { name: volumeName, fingerprint, ownerId: 1_000_000, sizeBytes: undefined }, signal);
    }

    test('a pool that was made is listed, ours, active, and can be made again', async () => {
      const target = await pool('one');
      await storage.createPool(target, signal);
      const listed = (await storage.listPools()).get('one');
      assert.equal(listed?.active, true);
      assert.equal(listed?.ours, true);
      assert.equal(listed?.target.driver, target.driver);
      assert.ok((listed?.sizeBytes ?? 0) > 0);
      assert.equal((await storage.listVolumes('one')).size, 0);
    });

    test('volumes of a pool that is not there cannot be listed', async () => {
      await refuses(storage.listVolumes('nothing'), 'POOL_MISSING');
    });

    test('a container volume knows its image and is made only once', async () => {
      await pool('two');
      await make1('two', 'web');
      await make1('two', 'web');
      const reading = await volume('two', 'web');
      assert.equal(reading?.complete, true);
      assert.equal(reading?.image, fingerprint);
      assert.ok(reading?.path.endsWith('/containers/web'));
    });

    test('of the volumes asked for by name, those that are there are listed', async () => {
      await pool('some');
      await make1('some', 'web');
      await make1('some', 'db');
      const only = ['web', 'gone'].map((name) => ({ type: 'container' as const, name }));
      const listed = await storage.listVolumes('some', only);
      assert.deepEqual([...listed.keys()], ['container/web']);
      assert.deepEqual(listed.get('container/web'), await volume('some', 'web'));
      await refuses(storage.listVolumes('nothing', only), 'POOL_MISSING');
    });

    test('a volume of that name from another image is left alone', async () => {
      await pool('three');
      await make1('three', 'web');
      const request = { name: 'web', fingerprint: '0'.repeat(64), ownerId: 1_000_000, sizeBytes: undefined };
      await refuses(storage.createContainerVolume('three', request, signal), 'VOLUME_IN_USE');
      assert.equal((await volume('three', 'web'))?.image, fingerprint);
    });

    test('an image that is not stored makes no volume', async () => {
      await pool('four');
      const request = { name: 'web', fingerprint: 'f'.repeat(64), ownerId: 1_000_000, sizeBytes: undefined };
      await refuses(storage.createContainerVolume('four', request, signal), 'IMAGE_MISSING');
      assert.equal(await volume('four', 'web'), undefined);
    });

    test('a size is kept where there are quotas and refused where there are none', async () => {
      await pool('five');
      await make1('five', 'web');
      const setting = storage.setVolumeSize('five', { type: 'container', name: 'web' }, 64 * 1024 ** 2, signal);
      if (!quotas) return await refuses(setting, 'FEATURE_MISSING');
      await setting;
      assert.equal((await volume('five', 'web'))?.sizeBytes, 64 * 1024 ** 2);
      await storage.setVolumeSize('five', { type: 'container', name: 'web' }, undefined, signal);
      assert.equal((await volume('five', 'web'))?.sizeBytes, undefined);
    });

    test('a buried volume is a tombstone, comes back whole under another name, and ends when purged', async () => {
      await pool('six');
      await make1('six', 'web');
      const web = { type: 'container', name: 'web' } as const;
      await storage.buryVolume('six', web, 'u-1.17', signal);
      await storage.buryVolume('six', web, 'u-1.17', signal);
      assert.equal(await volume('six', 'web'), undefined);
      assert.deepEqual(
        (await storage.listTombstones('six')).map(({ name }) => name),
        ['u-1.17'],
      );
      const from = await storage.unburyVolume('six', 'u-1.17', { type: 'container', name: 'back' }, signal);
      assert.ok(from !== undefined && from === (await volume('six', 'back'))?.image, 'from what it was made');
      assert.equal(await storage.unburyVolume('six', 'u-1.17', { type: 'container', name: 'back' }, signal), from);
      assert.equal((await volume('six', 'back'))?.complete, true);
      assert.deepEqual(await storage.listTombstones('six'), []);
      await storage.buryVolume('six', { type: 'container', name: 'back' }, 'u-1.18', signal);
      await storage.purgeTombstone('six', 'u-1.18', signal);
      await storage.purgeTombstone('six', 'u-1.18', signal);
      assert.deepEqual(await storage.listTombstones('six'), []);
      await refuses(storage.buryVolume('six', web, 'u-1.19', signal), 'VOLUME_MISSING');
    });

    test("a renamed volume is whole under its new name, and takes nobody else's", async () => {
      await pool('rename');
      await make1('rename', 'web');
      const web = { type: 'container', name: 'web' } as const;
      await storage.renameVolume('rename', web, 'site', signal);
      await storage.renameVolume('rename', web, 'site', signal);
      assert.equal(await volume('rename', 'web'), undefined);
      assert.equal((await volume('rename', 'site'))?.complete, true);
      await make1('rename', 'web');
      await refuses(storage.renameVolume('rename', web, 'site', signal), 'VOLUME_IN_USE');
      await refuses(storage.renameVolume('rename', { type: 'container', name: 'none' }, 'other', signal), 'VOLUME_MISSING');
    });

    test('a tombstone does not replace a volume that took its name', async () => {
      await pool('seven');
      await make1('seven', 'web');
      const web = { type: 'container', name: 'web' } as const;
      await storage.buryVolume('seven', web, 'u-1.17', signal);
      await make1('seven', 'web');
      await refuses(storage.unburyVolume('seven', 'u-1.17', web, signal), 'VOLUME_IN_USE');
      assert.deepEqual(
        (await storage.listTombstones('seven')).map(({ name }) => name),
        ['u-1.17'],
      );
    });

    test('deleting twice is fine', async () => {
      await pool('eight');
      await make1('eight', 'web');
      await storage.deleteVolume('eight', { type: 'container', name: 'web' }, signal);
      await storage.deleteVolume('eight', { type: 'container', name: 'web' }, signal);
      assert.equal(await volume('eight', 'web'), undefined);
    });

    test('a pool is not deleted while volumes or tombstones are in it, and leaves nothing when it is', async () => {
      const target = await pool('nine');
      await make1('nine', 'web');
      await refuses(storage.deletePool(target, signal), 'POOL_IN_USE');
      await storage.buryVolume('nine', { type: 'container', name: 'web' }, 'u-1.17', signal);
      await refuses(storage.deletePool(target, signal), 'POOL_IN_USE');
      assert.equal((await storage.readPool(target)).active, true);
      await storage.purgeTombstone('nine', 'u-1.17', signal);
      await storage.deletePool(target, signal);
      await storage.deletePool(target, signal);
      assert.equal((await storage.listPools()).has('nine'), false);
      assert.equal((await storage.readPool(target)).backing, false);
    });

    test('what was in a pool is there again after it was deactivated and activated', async () => {
      const target = await pool('ten');
      await make1('ten', 'web');
      await storage.deactivatePool(target, signal);
      const inactive = await storage.readPool(target);
      assert.equal(inactive.backing, true);
      assert.equal(inactive.ours, true);
      await storage.activatePool(target, signal);
      assert.equal((await volume('ten', 'web'))?.complete, true);
    });

    test('a pool that was never made is not activated', async () => {
      await refuses(storage.activatePool(subject.target('eleven'), signal), 'POOL_MISSING');
      assert.equal((await storage.readPool(subject.target('eleven'))).backing, false);
    });
  });
}
