// Listings that are not complete are errors, never absence: directories that are not what they were, output that is cut.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../../src/core/log.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { createLxcPort } from '../../src/host/lxc/lxc-port.ts';
import { commandSocket } from '../../src/host/lxc/monitor-sockets.ts';
import { dnsmasqFiles } from '../../src/host/network/dnsmasq/arguments.ts';
import { renderHosts } from '../../src/host/network/dnsmasq/hosts-file.ts';
import { readForwarding } from '../../src/host/network/forwarding.ts';
import { createNetworkPort } from '../../src/host/network/network-port.ts';
import { makeStateDir } from '../../src/host/state-dir.ts';
import { ImageStore } from '../../src/host/images/image-store.ts';
import { markerPath } from '../../src/host/storage/pool-marker.ts';
import { createStoragePort, openStoragePort } from '../../src/host/storage/storage-port.ts';

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
  assert.deepEqual([...(await lxc.traces(['db', 'web']))], ['web']);
});

test('a container without its directory has left traces as long as its monitor listens', { skip: needsRoot }, async (t) => {
  const paths = stateDir(t);
  makeStateDir(paths);
  const lxc = await createLxcPort({ paths, prefix: 'tt', log: silentLog });
  t.after(() => lxc.close());
  assert.deepEqual([...(await lxc.traces(['web']))], []);
  const socket = createServer().listen(`\0${commandSocket(paths.instances, 'web')}`);
  await once(socket, 'listening');
  assert.deepEqual([...(await lxc.traces(['web', 'db']))], ['web']);
  socket.close();
  await once(socket, 'close');
  assert.deepEqual([...(await lxc.traces(['web', 'db']))], []);
});

test('forwarding is not off because its setting reads as nothing', async (t) => {
  const paths = stateDir(t);
  const files = { ipv4: join(paths.stateDir, 'ip_forward'), ipv6: join(paths.stateDir, 'forwarding') };
  await assert.rejects(readForwarding(files), { code: 'HOST_UNREADABLE' });
  for (const text of ['', '\n', 'on\n']) {
    writeFileSync(files.ipv4, text);
    await assert.rejects(readForwarding(files), { code: 'HOST_UNREADABLE' });
  }
  writeFileSync(files.ipv4, '0\n');
  assert.deepEqual(await readForwarding(files), { ipv4: false, ipv6: false }, 'a kernel without IPv6');
  writeFileSync(files.ipv4, '1\n');
  writeFileSync(files.ipv6, '2\n');
  assert.deepEqual(await readForwarding(files), { ipv4: true, ipv6: true });
  assert.equal(typeof (await readForwarding()).ipv4, 'boolean', 'of this host');
});

test('DHCP servers are not gone because a file of theirs cannot be read, and are known once it can', { skip: needsRoot }, async (t) => {
  const paths = stateDir(t);
  makeStateDir(paths);
  const directory = paths.network('tt-lan');
  mkdirSync(directory, { recursive: true });
  const { hosts, record } = dnsmasqFiles(directory);
  writeFileSync(
    hosts,
    renderHosts(new Map([['uid.eth0', { hwaddr: '02:00:00:00:00:01', address: '10.9.9.9', hostname: 'web' }]]), { withNames: true }),
  );
  for (const file of [record, hosts]) {
    // A directory in its place: there, and not to be read as a file.
    const text = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    rmSync(file, { force: true });
    mkdirSync(file);
    const network = await createNetworkPort({ paths, prefix: 'tt', log: silentLog });
    await assert.rejects(network.dhcp(), { code: 'HOST_UNREADABLE' });
    assert.deepEqual([...(await network.presentDhcp(['tt-none', 'tt-lan']))], file === record ? ['tt-lan'] : []);
    rmSync(file, { recursive: true });
    if (text !== undefined) writeFileSync(file, text);
    assert.deepEqual([...((await network.dhcp()).get('tt-lan')?.hosts.keys() ?? [])], ['uid.eth0']);
    await network.close();
  }
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
  assert.deepEqual([...(await storage.presentPools(['other', 'fast']))], ['fast']);
});

test('one pool that is damaged, or whose file system hangs, is no reason to say nothing of the others', { skip: needsRoot }, async (t) => {
  const paths = stateDir(t);
  const storage = createStoragePort({ paths, prefix: 'tt', log: silentLog });
  for (const name of ['fast', 'slow']) {
    const path = paths.pool(name);
    await storage.createPool({ name, driver: 'dir', path, source: { type: 'path', path } }, signal);
  }
  const marker = markerPath(paths.pool('slow'));
  const text = readFileSync(marker);
  const listed = async () => {
    const [fast, slow] = await storage.listPools().then((pools) => [pools.get('fast'), pools.get('slow')]);
    return [fast?.active, slow?.active, slow?.unreadable?.code];
  };
  writeFileSync(marker, '');
  assert.deepEqual(await listed(), [true, undefined, 'POOL_FOREIGN']);
  writeFileSync(paths.pool('slow') + '.json', 'no record');
  assert.deepEqual((await listed()).slice(0, 2), [true, undefined]);
  rmSync(marker);
  // Whoever opens a FIFO waits for its writer, in the kernel: as on a network mount whose server is away.
  execFileSync('mkfifo', [marker]);
  writeFileSync(paths.pool('slow') + '.json', readFileSync(paths.pool('fast') + '.json', 'utf8').replaceAll('fast', 'slow'));
  const many = await Promise.all(Array.from({ length: 8 }, listed));
  for (const one of many) assert.deepEqual(one, [true, undefined, 'HOST_UNREADABLE']);
  // The threads that all file access shares are not all taken.
  await readFile(marker.replace('slow', 'fast'));
  // It answers again.
  for (let i = 0; i < 3 && (await listed())[2] !== undefined; i++) {
    const writer = openSync(marker, constants.O_RDWR);
    rmSync(marker);
    writeFileSync(marker, text);
    writeSync(writer, text);
    closeSync(writer);
  }
  assert.deepEqual(await listed(), [true, true, undefined]);
});

test('volumes are not gone because a directory of the pool is', async (t) => {
  const paths = stateDir(t);
  const storage = createStoragePort({ paths, prefix: 'tt', log: silentLog });
  const path = paths.pool('fast');
  await storage.createPool({ name: 'fast', driver: 'dir', path, source: { type: 'path', path } }, signal);
  mkdirSync(join(path, 'containers', 'web'));
  assert.deepEqual([...(await storage.presentVolumes('fast', ['db', 'web']))], ['web']);
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
  assert.deepEqual([...(await store.present(['a'.repeat(64), 'b'.repeat(64)]))], []);
  writeFileSync(join(paths.images, 'a'.repeat(64), 'image.json'), '{"version": 1, "fingerprint": "aaa');
  assert.deepEqual([...(await store.present(['a'.repeat(64), 'b'.repeat(64)]))], ['a'.repeat(64)]);
  await assert.rejects(store.list(), { code: 'HOST_UNREADABLE' });
  renameSync(paths.images, `${paths.images}.away`);
  await assert.rejects(store.list(), { code: 'HOST_UNREADABLE' });
});

test('an image is held from the first moment on; a record that a kill left unfinished is swept', async (t) => {
  const paths = stateDir(t);
  const fingerprint = 'c'.repeat(64);
  const rootfs = { as: 'tar', file: 'image.tar' } as const;
  const image = { fingerprint, sizeBytes: 1, unpackedBytes: 1, properties: {}, architecture: 'x86_64', rootfs };
  await new ImageStore(paths.images).add('source', 5, 'holder', async () => image, signal);
  const directory = join(paths.images, fingerprint);
  const record = readFileSync(join(directory, 'image.json'), 'utf8');
  assert.deepEqual((JSON.parse(record) as { holders: unknown }).holders, { holder: { sourceHash: 'source', since: 5 } });
  // As a kill in `hold` leaves it.
  writeFileSync(join(directory, 'image.json.new'), record.slice(0, 20));
  const next = new ImageStore(paths.images);
  await next.sweep();
  assert.deepEqual(readdirSync(directory), ['image.json']);
  await next.release(fingerprint, 'holder');
  assert.deepEqual(readdirSync(paths.images), []);
});

test('a record of a pool that a kill left unfinished is swept, and nothing else', async (t) => {
  const paths = stateDir(t);
  await (await openStoragePort({ paths, prefix: 'tt', log: silentLog })).close();
  const path = paths.pool('fast');
  const storage = createStoragePort({ paths, prefix: 'tt', log: silentLog });
  await storage.createPool({ name: 'fast', driver: 'dir', path, source: { type: 'path', path } }, signal);
  await storage.close();
  const before = readdirSync(paths.pools).toSorted();
  for (const name of ['.more.new', '.owner.17.new']) writeFileSync(join(paths.pools, name), '{');
  const next = await openStoragePort({ paths, prefix: 'tt', log: silentLog });
  assert.deepEqual(readdirSync(paths.pools).toSorted(), before);
  assert.deepEqual([...(await next.listPools()).keys()], ['fast']);
  await next.close();
});
