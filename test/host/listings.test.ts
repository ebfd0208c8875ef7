// Listings that are not complete are errors, never absence: directories that are not what they were, output that is cut.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../../src/core/log.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { createLxcPort } from '../../src/host/lxc/lxc-port.ts';
import { makeStateDir } from '../../src/host/state-dir.ts';
import { ImageStore } from '../../src/host/images/image-store.ts';
import { createStoragePort } from '../../src/host/storage/storage-port.ts';

import { needsRoot } from './harness.ts';

const signal = new AbortController().signal;

function stateDir(t: TestContext): Paths {
  const root = mkdtempSync(join(tmpdir(), 'lockstep-listings-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o711);
  const paths = makePaths(join(root, 'state'), join(root, 'run'));
  mkdirSync(paths.stateDir);
  return paths;
}

test('containers are not gone because their directory is, nor half-made because a file cannot be read', { skip: needsRoot }, async (t) => {
  const paths = stateDir(t);
  makeStateDir(paths);
  const lxc = await createLxcPort({ paths, prefix: 'tt', log: silentLog });
  t.after(() => lxc.close());
  assert.equal((await lxc.list()).size, 0);
  await lxc.define('web', { config: 'lxc.uts.name = web\n', record: '{}' });
  assert.deepEqual([...(await lxc.list()).keys()], ['web']);
  const record = join(paths.instance('web'), 'instance.json');
  rmSync(record);
  mkdirSync(record);
  await assert.rejects(lxc.list(), { code: 'HOST_UNREADABLE' });
  await assert.rejects(lxc.list(['web']), { code: 'HOST_UNREADABLE' });
  rmSync(record, { recursive: true });
  renameSync(paths.instances, `${paths.instances}.away`);
  await assert.rejects(lxc.list(), { code: 'HOST_UNREADABLE' });
  await assert.rejects(lxc.list(['web']), { code: 'HOST_UNREADABLE' });
  renameSync(`${paths.instances}.away`, paths.instances);
  assert.deepEqual([...(await lxc.list()).keys()], ['web']);
});

test('pools are not gone because the state directory is empty now', async (t) => {
  const paths = stateDir(t);
  const storage = createStoragePort({ paths, prefix: 'tt', log: silentLog });
  assert.equal((await storage.listPools()).size, 0, 'before the first pool');
  const path = paths.pool('fast');
  await storage.createPool({ name: 'fast', driver: 'dir', path, source: { type: 'path', path } }, signal);
  assert.equal((await storage.listPools()).size, 1);

  // As when the file system it is on is unmounted: first there is nothing, then somebody makes a directory of that name.
  renameSync(paths.stateDir, `${paths.stateDir}.away`);
  mkdirSync(paths.stateDir);
  await assert.rejects(storage.listPools(), { code: 'HOST_UNREADABLE' });
  mkdirSync(paths.pools);
  await assert.rejects(storage.listPools(), { code: 'HOST_UNREADABLE' });
  await assert.rejects(storage.listVolumes('fast'), { code: 'POOL_MISSING' });
  await assert.rejects(storage.listTombstones('fast'), { code: 'POOL_MISSING' });
  rmSync(paths.stateDir, { recursive: true });
  renameSync(`${paths.stateDir}.away`, paths.stateDir);
  assert.deepEqual([...(await storage.listPools()).keys()], ['fast']);
});

test('volumes are not gone because a directory of the pool is', async (t) => {
  const paths = stateDir(t);
  const storage = createStoragePort({ paths, prefix: 'tt', log: silentLog });
  const path = paths.pool('fast');
  await storage.createPool({ name: 'fast', driver: 'dir', path, source: { type: 'path', path } }, signal);
  renameSync(join(path, 'containers'), join(path, 'elsewhere'));
  await assert.rejects(storage.listVolumes('fast'), { code: 'HOST_UNREADABLE' });
  renameSync(join(path, '.tombstones'), join(path, 'elsewhere2'));
  await assert.rejects(storage.listTombstones('fast'), { code: 'HOST_UNREADABLE' });
});

test('images are not gone because their directory is, and one that cannot be read is an error', async (t) => {
  const paths = stateDir(t);
  const store = new ImageStore(paths.images);
  assert.equal((await store.list()).size, 0, 'before the first image');
  mkdirSync(join(paths.images, 'a'.repeat(64)), { recursive: true });
  assert.equal((await store.list()).size, 0);
  writeFileSync(join(paths.images, 'a'.repeat(64), 'image.json'), '{"version": 1, "fingerprint": "aaa');
  await assert.rejects(store.list(), { code: 'HOST_UNREADABLE' });
  renameSync(paths.images, `${paths.images}.away`);
  await assert.rejects(store.list(), { code: 'HOST_UNREADABLE' });
});
