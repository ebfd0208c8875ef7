// Pools on the real kernel, looked at from outside: owners and modes on disk, mounts, loop devices, quotas, what a crash leaves.
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AppError, type ErrorCode } from '../../src/core/errors.ts';
import { parseMountinfo } from '../../src/host/mountinfo.ts';
import type { PoolTarget } from '../../src/host/ports/storage.ts';
import { mustRun } from '../../src/host/run/run.ts';
import { loopsOf } from '../../src/host/storage/loop.ts';
import { storageAddon } from '../../src/host/storage/native.ts';
import { PoolRecords } from '../../src/host/storage/pool-records.ts';
import { dirPool, loopPool, makeStateRoot, type StateRoot } from './state-root.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const { signal } = new AbortController();
const MIB = 1024 ** 2;
const OWNER = 1_234_567;

function isMounted(path: string): boolean {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).some(({ mountPoint }) => mountPoint === path);
}

async function refuses(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(work, (error) => error instanceof AppError && (assert.equal(error.code, code, error.message), true));
}

describe('pools on this host', { skip }, () => {
  let root: StateRoot;
  let fingerprint: string;

  before(async () => {
    root = makeStateRoot();
    fingerprint = (await root.images.create({ type: 'build-busybox' }, 'hash', 'uid', () => {}, signal)).fingerprint;
  });
  after(async () => await root.cleanUp());

  test('pools that are made side by side agree on who made them', async () => {
    const fresh = makeStateRoot();
    try {
      // The identity of a state directory is made with its first pool, so the first ones are what races.
      const records = new PoolRecords(fresh.paths);
      const owners = await Promise.all(Array.from({ length: 50 }, () => records.owner()));
      assert.deepEqual(new Set(owners), new Set([await new PoolRecords(fresh.paths).owner()]));
    } finally {
      await fresh.cleanUp();
    }
  });

  async function make(pool: string, name: string, sizeBytes?: number): Promise<string> {
    await root.storage.createContainerVolume(pool, { name, fingerprint, ownerId: OWNER, sizeBytes }, signal);
    return join(root.paths.pool(pool), 'containers', name);
  }

  for (const target of [(name: string) => dirPool(root.paths, name), (name: string) => loopPool(root.paths, name)]) {
    test('files of a volume belong to 0 on disk, and only the owner passes its directory', async () => {
      const { name, driver } = target('a');
      const pool = `${driver}-${name}`;
      await root.storage.createPool(target(pool), signal);
      const path = await make(pool, 'web');
      const top = statSync(path);
      assert.deepEqual([top.uid, top.gid, top.mode & 0o7777], [OWNER, OWNER, 0o100]);
      const busybox = statSync(join(path, 'rootfs/bin/busybox'));
      assert.deepEqual([busybox.uid, busybox.gid, busybox.mode & 0o7777], [0, 0, 0o755]);
      assert.equal(lstatSync(join(path, 'rootfs/sbin/init')).isSymbolicLink(), true);
      assert.equal(statSync(join(path, 'rootfs/tmp')).mode & 0o7777, 0o1777);
      assert.equal(statSync(join(root.paths.pool(pool), 'images')).mode & 0o777, 0o700);
      assert.equal(statSync(join(root.paths.pool(pool), 'containers')).mode & 0o777, 0o711);
    });

    test('a half-made volume and a half-unpacked image are made again', async () => {
      const { driver } = target('b');
      const pool = `${driver}-b`;
      await root.storage.createPool(target(pool), signal);
      const place = root.paths.pool(pool);
      mkdirSync(join(place, 'containers/web/rootfs'), { recursive: true });
      mkdirSync(join(place, 'images', `.new-${fingerprint}`, 'rootfs'), { recursive: true });
      writeFileSync(join(place, 'images', `.new-${fingerprint}`, 'rootfs/half'), 'x');
      assert.equal((await root.storage.listVolumes(pool)).get('container/web')?.complete, false);
      const path = await make(pool, 'web');
      assert.equal(statSync(join(path, 'rootfs/bin/busybox')).isFile(), true);
      assert.deepEqual(readdirSync(join(place, 'images')), [fingerprint]);
      assert.equal((await root.storage.listVolumes(pool)).get('container/web')?.complete, true);
    });

    test('deleting a volume follows no link out of it', async () => {
      const { driver } = target('c');
      const pool = `${driver}-c`;
      await root.storage.createPool(target(pool), signal);
      const path = await make(pool, 'web');
      const outside = join(root.paths.stateDir, `outside-${driver}`);
      mkdirSync(outside);
      writeFileSync(join(outside, 'keep'), 'x');
      symlinkSync(outside, join(path, 'rootfs/escape'));
      writeFileSync(join(path, 'rootfs', '-rf\n*'), 'x');
      await root.storage.deleteVolume(pool, { type: 'container', name: 'web' }, signal);
      assert.equal(readFileSync(join(outside, 'keep'), 'utf8'), 'x');
      assert.deepEqual(readdirSync(join(root.paths.pool(pool), 'containers')), []);
    });
  }

  test('what an interrupted snapshot has left is in the way of nothing, and goes with the volume', async () => {
    await root.storage.createPool(loopPool(root.paths, 'cut'), signal);
    const containers = join(root.paths.pool('cut'), 'containers');
    await make('cut', 'first');
    const interrupt = async (name: string): Promise<void> => {
      mkdirSync(join(containers, `.new-${name}`));
      await storageAddon().btrfs.snapshot(join(containers, 'first'), join(containers, `.new-${name}`, name));
    };
    await interrupt('web');
    await make('cut', 'web');
    assert.deepEqual(readdirSync(containers), ['first', 'web'], 'made again');
    await interrupt('gone');
    await root.storage.deleteVolume('cut', { type: 'container', name: 'gone' }, signal);
    assert.deepEqual(readdirSync(containers), ['first', 'web'], 'deleted before it was there');
    await interrupt('web');
    await root.storage.deactivatePool(loopPool(root.paths, 'cut'), signal);
    await root.storage.activatePool(loopPool(root.paths, 'cut'), signal);
    assert.deepEqual(readdirSync(containers), ['first', 'web'], 'swept when the pool is activated');
  });

  test('a place with something in it is refused and left as it was', async () => {
    const place = join(root.paths.stateDir, 'full');
    mkdirSync(place);
    writeFileSync(join(place, 'data'), 'mine');
    const target: PoolTarget = { ...dirPool(root.paths, 'full'), source: { type: 'path', path: place } };
    await refuses(root.storage.createPool(target, signal), 'POOL_FOREIGN');
    assert.deepEqual(readdirSync(place), ['data']);
    assert.equal((await root.storage.listPools()).has('full'), false);
  });

  test('a directory elsewhere is mounted at the pool and is empty again after its deletion', async () => {
    const place = join(root.paths.stateDir, 'elsewhere');
    mkdirSync(place);
    const target: PoolTarget = { ...dirPool(root.paths, 'far'), source: { type: 'path', path: place } };
    await root.storage.createPool(target, signal);
    assert.equal(isMounted(root.paths.pool('far')), true);
    await make('far', 'web');
    assert.equal(statSync(join(place, 'containers/web/rootfs/bin/busybox')).isFile(), true);
    await refuses(root.storage.createPool({ ...target, name: 'other', path: root.paths.pool('other') }, signal), 'POOL_FOREIGN');
    await root.storage.deleteVolume('far', { type: 'container', name: 'web' }, signal);
    await root.storage.deletePool(target, signal);
    assert.equal(isMounted(root.paths.pool('far')), false);
    assert.deepEqual(readdirSync(place), []);
  });

  test('a loop pool is sparse, mounted, detached when deactivated, and found again by a new daemon', async () => {
    const target = loopPool(root.paths, 'loop');
    await root.storage.createPool(target, signal);
    const file = root.paths.disk('loop');
    assert.ok(statSync(file).blocks * 512 < 100 * MIB, 'the file is sparse');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await make('loop', 'web');
    await root.storage.deactivatePool(target, signal);
    assert.equal(isMounted(root.paths.pool('loop')), false);
    assert.deepEqual(await loopsOf(file), []);
    const later = root.restarted();
    const listed = (await later.listPools()).get('loop');
    assert.deepEqual([listed?.backing, listed?.ours, listed?.active], [true, true, false]);
    assert.ok(listed?.target !== undefined);
    await later.activatePool(listed.target, signal);
    await later.activatePool(listed.target, signal);
    assert.equal((await loopsOf(file)).length, 1);
    assert.equal((await later.listVolumes('loop')).get('container/web')?.complete, true);
  });

  test('a loop file is never formatted twice, and a half-made one is made again', async () => {
    const target = loopPool(root.paths, 'twice');
    mkdirSync(root.paths.disks, { recursive: true });
    writeFileSync(`${root.paths.disk('twice')}.new`, 'half-made');
    await root.storage.createPool(target, signal);
    const path = await make('twice', 'web');
    writeFileSync(join(path, 'rootfs/data'), 'precious');
    await root.storage.deactivatePool(target, signal);
    rmSync(join(root.paths.pools, 'twice.json'));
    await root.restarted().createPool(target, signal);
    assert.equal(readFileSync(join(path, 'rootfs/data'), 'utf8'), 'precious');
  });

  test('a file or file system of others in the place of the loop file is refused', async () => {
    writeFileSync(root.paths.disk('foreign'), 'something else');
    await refuses(root.storage.createPool(loopPool(root.paths, 'foreign'), signal), 'POOL_FOREIGN');
    assert.equal(readFileSync(root.paths.disk('foreign'), 'utf8'), 'something else');
    await root.storage.createPool(loopPool(root.paths, 'mine'), signal);
    await root.storage.deactivatePool(loopPool(root.paths, 'mine'), signal);
    renameSync(root.paths.disk('mine'), root.paths.disk('foreign'));
    await refuses(root.storage.createPool(loopPool(root.paths, 'foreign'), signal), 'POOL_FOREIGN');
    rmSync(root.paths.disk('foreign'));
  });

  test('a device with something on it is refused, an empty one becomes a pool and is free again after its deletion', async () => {
    const image = join(root.paths.stateDir, 'disk.raw');
    await mustRun(['truncate', '--size=300M', '--', image]);
    const { stdout } = await mustRun(['losetup', '--find', '--show', '--', image]);
    const device = stdout.trim();
    try {
      const target: PoolTarget = { name: 'dev', driver: 'btrfs', path: root.paths.pool('dev'), source: { type: 'device', path: device } };
      await mustRun(['mkfs.ext4', '-q', device]);
      await refuses(root.storage.createPool(target, signal), 'POOL_FOREIGN');
      await mustRun(['wipefs', '--quiet', '--all', device]);
      await root.storage.createPool(target, signal);
      await make('dev', 'web');
      await root.storage.deleteVolume('dev', { type: 'container', name: 'web' }, signal);
      await root.storage.deletePool(target, signal);
      assert.equal((await mustRun(['wipefs', device])).stdout, '');
    } finally {
      await mustRun(['losetup', '--detach', device]);
    }
  });

  test('a pool grows while it is mounted', async () => {
    const target = loopPool(root.paths, 'grow', 256 * MIB);
    await root.storage.createPool(target, signal);
    const before = (await root.storage.readPool(target)).sizeBytes ?? 0;
    await root.storage.growPool(loopPool(root.paths, 'grow', 512 * MIB), signal);
    const { sizeBytes = 0 } = await root.storage.readPool(target);
    assert.ok(before <= 256 * MIB && sizeBytes > 500 * MIB, `${before} -> ${sizeBytes}`);
    assert.deepEqual((await root.storage.listPools()).get('grow')?.target?.source, {
      type: 'loop',
      file: root.paths.disk('grow'),
      sizeBytes: 512 * MIB,
    });
  });

  test('a size limit holds against writes, also when it is set later, and ends when it is taken away', async () => {
    await root.storage.createPool(loopPool(root.paths, 'limit'), signal);
    const free = await make('limit', 'free');
    const small = await make('limit', 'small', 16 * MIB);
    async function write(path: string, mebibytes: number): Promise<number> {
      writeFileSync(join(path, 'rootfs/fill'), Buffer.alloc(mebibytes * MIB, 'x'), { flush: true });
      await mustRun(['sync', '--file-system', '--', path]);
      return statSync(join(path, 'rootfs/fill')).size;
    }
    // EDQUOT is 122; Node has no name for it.
    await assert.rejects(write(small, 40), { errno: -122 });
    assert.equal(await write(free, 40), 40 * MIB);
    // Full to the last block: what sets another limit must not need room in it.
    assert.throws(
      () => {
        for (let at = 0; ; at++) writeFileSync(join(small, `rootfs/${at}`), 'x'.repeat(4096), { flush: at % 16 === 0 });
      },
      { errno: -122 },
    );
    await root.storage.setVolumeSize('limit', { type: 'container', name: 'small' }, 32 * MIB, signal);
    await assert.rejects(write(small, 40), { errno: -122 });
    await root.storage.setVolumeSize('limit', { type: 'container', name: 'small' }, undefined, signal);
    assert.equal(await write(small, 40), 40 * MIB);
  });

  test('a volume with subvolumes that its guest made is deleted with them', async () => {
    await root.storage.createPool(loopPool(root.paths, 'nested'), signal);
    const path = await make('nested', 'web');
    const { btrfs } = storageAddon();
    await btrfs.createSubvolume(join(path, 'rootfs/one'));
    await btrfs.createSubvolume(join(path, 'rootfs/one/two'));
    await btrfs.createSubvolume(join(path, 'rootfs/three'));
    writeFileSync(join(path, 'rootfs/one/two/file'), 'x');
    await root.storage.buryVolume('nested', { type: 'container', name: 'web' }, 'u.1', signal);
    await root.storage.purgeTombstone('nested', 'u.1', signal);
    const { stdout } = await mustRun(['btrfs', 'subvolume', 'list', root.paths.pool('nested')]);
    assert.equal(stdout.trim().split('\n').length, 1, `only the image is left: ${stdout}`);
  });

  test('a pool of another state directory is not taken over', async () => {
    const place = mkdtempSync(join(root.paths.stateDir, 'shared-'));
    const target: PoolTarget = { ...dirPool(root.paths, 'shared'), source: { type: 'path', path: place } };
    await root.storage.createPool(target, signal);
    const other = makeStateRoot();
    try {
      await refuses(other.storage.createPool({ ...target, path: other.paths.pool('shared') }, signal), 'POOL_FOREIGN');
    } finally {
      await other.cleanUp();
    }
  });

  test('the file system below takes id-mapped mounts, /proc does not', async () => {
    await root.storage.createPool(dirPool(root.paths, 'mapped'), signal);
    assert.equal((await root.storage.readPool(dirPool(root.paths, 'mapped'))).idmapped, true);
    assert.equal(await storageAddon().takesIdmappedMounts('/proc'), false);
    await assert.rejects(storageAddon().takesIdmappedMounts('/nonexistent'), { code: 'ENOENT' });
  });

  test('names that leave the pool are refused before anything is touched', async () => {
    await root.storage.createPool(dirPool(root.paths, 'names'), signal);
    for (const name of ['..', 'a/b', '-rf', 'a\n', '']) {
      await refuses(root.storage.deleteVolume('names', { type: 'container', name }, signal), 'NAME_INVALID');
    }
    await refuses(root.storage.purgeTombstone('names', '../containers', signal), 'NAME_INVALID');
  });
});
