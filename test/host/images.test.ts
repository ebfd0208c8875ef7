// Images on the real host: built, imported from archives that tar, gzip, xz, zstd and squashfs made, and refused when they are hostile.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AppError, type ErrorCode } from '../../src/core/errors.ts';
import { makePaths } from '../../src/core/paths.ts';
import { FILES } from '../../src/host/images/busybox/files.ts';
import { writeTar } from '../../src/host/images/busybox/tar-writer.ts';
import { importFile } from '../../src/host/images/tarball/import.ts';
import { unpackImage } from '../../src/host/images/unpack.ts';
import type { ImageSource } from '../../src/host/ports/images.ts';
import { mustRun } from '../../src/host/run/run.ts';
import { makeStateRoot, type StateRoot } from './state-root.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const { signal } = new AbortController();
const METADATA = Buffer.from('architecture: x86_64\nproperties: { os: test, signal.halt: SIGUSR2 }\n');
let serial = 0;

/** One ustar header, whatever it says, with its data. */
function rawEntry(name: string, type: string, options: { link?: string; data?: Buffer; size?: number } = {}): Buffer {
  const data = options.data ?? Buffer.alloc(0);
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${(options.size ?? data.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(options.link ?? '', 157);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

function archive(...entries: Buffer[]): Buffer {
  return Buffer.concat([rawEntry('metadata.yaml', '0', { data: METADATA }), rawEntry('rootfs/', '5'), ...entries, Buffer.alloc(1024)]);
}

describe('images on this host', { skip }, () => {
  let root: StateRoot;
  let work: string;

  before(() => {
    root = makeStateRoot();
    work = join(root.paths.stateDir, 'work');
    mkdirSync(work);
  });
  after(async () => await root.cleanUp());

  function file(content: Buffer, name = `image-${serial++}`): string {
    const path = join(work, name);
    writeFileSync(path, content);
    return path;
  }

  async function take(source: ImageSource) {
    return await root.images.create(source, `hash-${serial++}`, 'uid', () => {}, signal);
  }

  async function unpacked(fingerprint: string): Promise<string> {
    const volume = join(work, `volume-${serial++}`);
    mkdirSync(volume);
    await unpackImage(root.paths, fingerprint, join(volume, 'rootfs'), signal);
    assert.deepEqual(readdirSync(volume), ['rootfs']);
    return join(volume, 'rootfs');
  }

  async function refused(content: Buffer, because: RegExp, code: ErrorCode = 'IMAGE_INVALID'): Promise<void> {
    const stored = (await root.images.list()).size;
    await assert.rejects(take({ type: 'file', path: file(content) }), (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, because);
      return true;
    });
    assert.equal((await root.images.list()).size, stored);
    assert.ok(
      readdirSync(root.paths.images).every((name) => !name.startsWith('.')),
      'nothing half-imported is left',
    );
  }

  test('busybox is built in well under two seconds, the same each time, and boots from init', async () => {
    const started = performance.now();
    const image = await take({ type: 'build-busybox' });
    assert.ok(performance.now() - started < 2000);
    assert.match(image.fingerprint, /^[0-9a-f]{64}$/);
    assert.equal((await take({ type: 'build-busybox' })).fingerprint, image.fingerprint);
    const rootfs = await unpacked(image.fingerprint);
    assert.equal(lstatSync(join(rootfs, 'sbin/init')).isSymbolicLink(), true);
    assert.equal(statSync(join(rootfs, 'etc/init.d/rcS')).mode & 0o777, 0o755);
    const { stdout } = await mustRun(['chroot', rootfs, '/bin/sh', '-c', 'ls /sbin/init && echo works']);
    assert.match(stdout, /works/);
  });

  test("busybox' DHCP script keeps an address that is there already, and no other", async () => {
    const script = join(root.paths.stateDir, 'default.script');
    writeFileSync(script, FILES.find(({ path }) => path.endsWith('/default.script'))!.text, { mode: 0o755 });
    const said = (what: string, ip: string): string => `ip=${ip} mask=24 subnet=255.255.255.0 interface=eth0 busybox sh ${script} ${what}`;
    const commands = [
      'busybox mount -t tmpfs tmpfs /run',
      'ip link add eth0 type veth peer name other',
      'busybox ip link set other up',
      said('deconfig', ''),
      said('bound', '10.1.1.5'),
      // A route of the guest's own, which goes with its address.
      'busybox ip route add 10.9.9.0/24 via 10.1.1.1',
      said('renew', '10.1.1.5'),
      'busybox ip -4 addr show dev eth0; busybox ip route',
      'echo then',
      said('bound', '10.1.1.9'),
      'busybox ip -4 addr show dev eth0; busybox ip route',
      'echo then',
      said('deconfig', ''),
      'busybox ip -4 addr show dev eth0',
    ];
    const { stdout } = await mustRun(['unshare', '--net', '--mount', '--', 'sh', '-ec', commands.join('\n')]);
    const [renewed = '', another = '', none = ''] = stdout.split('then\n');
    assert.match(renewed, /inet 10\.1\.1\.5\/24[^]*10\.9\.9\.0\/24 via/);
    assert.match(another, /inet 10\.1\.1\.9\/24/);
    assert.doesNotMatch(another, /10\.1\.1\.5|10\.9\.9\.0/);
    assert.doesNotMatch(none, /inet /);
  });

  test('an image is kept while anybody holds it and gone afterwards', async () => {
    const path = file(archive(rawEntry('rootfs/held', '0')));
    const image = await root.images.create({ type: 'file', path }, 'held', 'one', () => {}, signal);
    await root.images.create({ type: 'file', path }, 'held', 'two', () => {}, signal);
    await root.images.release(image.fingerprint, 'one', signal);
    assert.deepEqual(Object.keys((await root.images.list()).get(image.fingerprint)?.holders ?? {}), ['two']);
    await root.images.release(image.fingerprint, 'two', signal);
    await root.images.release(image.fingerprint, 'two', signal);
    assert.equal((await root.images.list()).has(image.fingerprint), false);
    assert.equal(readdirSync(root.paths.images).includes(image.fingerprint), false);
  });

  test('unified tarballs are taken plain and compressed; the fingerprint is the hash of the file', async () => {
    const tree = join(work, 'tree');
    mkdirSync(join(tree, 'rootfs/etc'), { recursive: true });
    writeFileSync(join(tree, 'metadata.yaml'), METADATA);
    writeFileSync(join(tree, 'rootfs/etc/hello'), 'hi');
    await mustRun(['setfattr', '-n', 'user.note', '-v', 'kept', join(tree, 'rootfs/etc/hello')]);
    await mustRun(['chown', '1000:1001', join(tree, 'rootfs/etc/hello')]);
    for (const [option, ending] of [
      ['', 'tar'],
      ['--gzip', 'tar.gz'],
      ['--xz', 'tar.xz'],
      ['--zstd', 'tar.zst'],
    ] as const) {
      const path = join(work, `unified.${ending}`);
      const compress = option === '' ? [] : [option];
      await mustRun(['tar', '--create', '--xattrs', ...compress, `--file=${path}`, `--directory=${tree}`, './metadata.yaml', './rootfs']);
      const image = await take({ type: 'file', path });
      assert.equal(image.fingerprint, createHash('sha256').update(readFileSync(path)).digest('hex'), ending);
      assert.deepEqual(image.properties, { os: 'test', 'signal.halt': 'SIGUSR2' });
      const hello = join(await unpacked(image.fingerprint), 'etc/hello');
      assert.equal(readFileSync(hello, 'utf8'), 'hi');
      assert.deepEqual([statSync(hello).uid, statSync(hello).gid], [1000, 1001]);
      const { stdout } = await mustRun(['getfattr', '--only-values', '--absolute-names', '-n', 'user.note', hello]);
      assert.equal(stdout, 'kept');
    }
  });

  test('split images are taken with a tarball or squashfs; the fingerprint is over both files', async () => {
    const tree = join(work, 'split');
    mkdirSync(join(tree, 'etc'), { recursive: true });
    writeFileSync(join(tree, 'etc/hello'), 'hi');
    const metadata = file(writeTar([{ type: 'file', path: 'metadata.yaml', mode: 0o644, content: METADATA }]));
    const tarball = join(work, 'split.tar.xz');
    const squashfs = join(work, 'split.squashfs');
    await mustRun(['tar', '--create', '--xz', `--file=${tarball}`, `--directory=${tree}`, '.']);
    await mustRun(['mksquashfs', tree, squashfs, '-quiet', '-no-progress']);
    for (const rootfs of [tarball, squashfs]) {
      const image = await take({ type: 'file', path: metadata, rootfs });
      const both = createHash('sha256').update(readFileSync(metadata)).update(readFileSync(rootfs)).digest('hex');
      assert.equal(image.fingerprint, both);
      assert.equal(readFileSync(join(await unpacked(image.fingerprint), 'etc/hello'), 'utf8'), 'hi');
    }
  });

  test('a declared hash must be right', async () => {
    const path = file(archive(rawEntry('rootfs/sha', '0')));
    const right = createHash('sha256').update(readFileSync(path)).digest('hex');
    await assert.rejects(take({ type: 'file', path, sha256: '0'.repeat(64) }), { code: 'IMAGE_INVALID' });
    assert.equal((await take({ type: 'file', path, sha256: right.toUpperCase() })).fingerprint, right);
  });

  test('device nodes in /dev are left out, files beside them stay', async () => {
    const path = file(archive(rawEntry('rootfs/dev/', '5'), rawEntry('rootfs/dev/sda', '4'), rawEntry('rootfs/file', '0')));
    const rootfs = await unpacked((await take({ type: 'file', path })).fingerprint);
    assert.deepEqual(readdirSync(join(rootfs, 'dev')), []);
    assert.ok(readdirSync(rootfs).includes('file'));
  });

  test('archives that reach out of their directory are refused', async () => {
    await refused(archive(rawEntry('/etc/evil', '0')), /absolute/);
    await refused(archive(rawEntry('rootfs/../../evil', '0')), /\.\./);
    await refused(archive(rawEntry('rootfs/a', '2', { link: '/etc' }), rawEntry('rootfs/a/evil', '0')), /passes through/);
    await refused(archive(rawEntry('rootfs/h', '1', { link: '/etc/shadow' })), /absolute/);
    await refused(archive(rawEntry('rootfs/h', '1', { link: '../../etc/shadow' })), /\.\./);
    await refused(archive(rawEntry('rootfs/etc/sda', '4')), /device/);
    await refused(archive(rawEntry('rootfs/x', 'Z')), /unknown type/);
    const pax = Buffer.from('22 path=/etc/evil-pax\n');
    await refused(archive(rawEntry('x', 'x', { data: pax }), rawEntry('rootfs/ok', '0')), /absolute/);
    await refused(archive(rawEntry('L', 'L', { data: Buffer.from('../evil-long\0') }), rawEntry('rootfs/ok', '0')), /\.\./);
    await refused(archive(rawEntry('g', 'g', { data: Buffer.from('16 path=/etc/x\n\n') }), rawEntry('rootfs/ok', '0')), /global/);
  });

  test('archives that are cut off, damaged, empty or no archives are refused', async () => {
    const whole = archive(rawEntry('rootfs/data', '0', { data: Buffer.alloc(4096, 'x') }));
    await refused(whole.subarray(0, 600), /cut off|no rootfs/);
    const damaged = Buffer.from(whole);
    damaged[520] = 0xff;
    damaged[1030] = damaged[1030]! ^ 0xff;
    await refused(damaged, /damaged|metadata|not a tar/);
    await refused(Buffer.from('#!/bin/sh\n'), /not an image/);
    await refused(Buffer.alloc(2048), /not an image/);
    await refused(Buffer.concat([rawEntry('rootfs/', '5'), Buffer.alloc(1024)]), /no metadata/);
    await refused(Buffer.concat([rawEntry('metadata.yaml', '0', { data: METADATA }), Buffer.alloc(1024)]), /no rootfs/);
    await refused(Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(600, 1)]), /damaged/);
    await refused(archive(rawEntry('rootfs/huge', '0', { size: 0o7_7777_7777_77 })), /damaged|bytes|cut off|no rootfs/);
  });

  test('an archive that unpacks to more than the limit is refused, however small it is', async () => {
    const bomb = join(work, 'bomb.tar');
    writeFileSync(bomb, archive(rawEntry('rootfs/zeros', '0', { data: Buffer.alloc(64 * 1024 ** 2) })));
    await mustRun(['xz', '-0', '--force', '--', bomb]);
    assert.ok(statSync(`${bomb}.xz`).size < 1024 ** 2);
    const directory = join(work, 'bomb');
    mkdirSync(directory);
    const limits = { maxEntries: 100, maxBytes: 8 * 1024 ** 2, maxFileBytes: 1024 ** 3 };
    const source = { type: 'file', path: `${bomb}.xz` } as const;
    await assert.rejects(
      importFile(source, directory, () => {}, signal, limits),
      { code: 'IMAGE_INVALID' },
    );
    assert.equal(readdirSync(directory).includes('plain.tar'), false);
  });

  test('only regular files are images', async () => {
    await assert.rejects(take({ type: 'file', path: join(work, 'missing') }), { code: 'IMAGE_MISSING' });
    await assert.rejects(take({ type: 'file', path: work }), { code: 'IMAGE_INVALID' });
    const fifo = join(work, 'fifo');
    await mustRun(['mkfifo', fifo]);
    await assert.rejects(take({ type: 'file', path: fifo }), { code: 'IMAGE_INVALID' });
  });

  test('a record that cannot be read makes the whole listing fail', async () => {
    const other = makePaths(join(work, 'other'), join(work, 'run'));
    mkdirSync(join(other.images, 'c'.repeat(64)), { recursive: true });
    writeFileSync(join(other.images, 'c'.repeat(64), 'image.json'), '{ half');
    const { createImagePort } = await import('../../src/host/images/image-port.ts');
    const { silentLog } = await import('../../src/core/log.ts');
    await assert.rejects(createImagePort({ paths: other, log: silentLog }).list(), { code: 'HOST_UNREADABLE' });
  });
});
