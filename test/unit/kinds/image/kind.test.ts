import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRef } from '../../../../src/core/ref.ts';
import type { HostView } from '../../../../src/host/ports/view.ts';
import { type ImageActual, imageKind, type ImageSpec } from '../../../../src/kinds/image/kind.ts';
import type { Facts, Recorded } from '../../../../src/kinds/kind.ts';
import type { ManifestDocument } from '../../../../src/schemas/document.ts';
import { recordedOf } from '../../../fakes/engine-input.ts';
import { MemoryImages } from '../../../fakes/memory-images.ts';

const ref = makeRef('Image', 'debian');
const facts = {} as Facts;
const { signal } = new AbortController();
const NEW = 'b'.repeat(64);
const OLD = 'a'.repeat(64);
const SPEC: ImageSpec = { source: { type: 'build-busybox' }, sourceHash: 'new' };

function actualOf(over: Partial<ImageActual> = {}): ImageActual {
  return { fingerprint: NEW, sourceHash: 'new', properties: {}, architecture: 'x86_64', sizeBytes: 1, createdAt: 1, former: [], ...over };
}

function steps(desired: ImageSpec | undefined, actual: ImageActual | undefined): unknown[] {
  return imageKind.diff({ ref, desired, actual, recorded: recordedOf(ref), facts }).map(({ change }) => change);
}

function specOf(source: unknown): ImageSpec {
  const position = { file: 'a.yaml', line: 1, column: 1, endLine: 1, endColumn: 1 };
  const document = {
    kind: 'Image',
    ref,
    metadata: { name: 'debian' },
    spec: { source },
    locate: () => position,
  } as unknown as ManifestDocument;
  const { spec } = imageKind.resolve(document, { document: () => undefined });
  assert.ok(spec);
  return spec;
}

test('an image that is absent is made and held by its object', () => {
  assert.deepEqual(steps(SPEC, undefined), [{ do: 'create', ...SPEC, holder: 'uid-debian', from: undefined }]);
});

test('an image whose source changed is made anew, and only then is the former one given up', () => {
  const outdated = actualOf({ fingerprint: OLD, sourceHash: 'old' });
  assert.deepEqual(steps(SPEC, outdated), [{ do: 'create', ...SPEC, holder: 'uid-debian', from: OLD }]);
  assert.equal(imageKind.condition(SPEC, outdated, recordedOf(ref), facts).ready, false);
  assert.deepEqual(steps(SPEC, actualOf({ former: [{ fingerprint: OLD, inUse: false }] })), [
    { do: 'release', fingerprints: [OLD], holder: 'uid-debian' },
  ]);
});

test('a former image stays while an instance uses it', () => {
  const actual = actualOf({ former: [{ fingerprint: OLD, inUse: true }] });
  assert.deepEqual(steps(SPEC, actual), []);
  assert.equal(imageKind.condition(SPEC, actual, recordedOf(ref), facts).ready, true);
  assert.equal(imageKind.holds({ do: 'release', fingerprints: [OLD], holder: 'u' }, { is: 'present', actual }), false);
});

test('an image that is no longer declared is given up with all its versions', () => {
  assert.deepEqual(steps(undefined, actualOf({ former: [{ fingerprint: OLD, inUse: true }] })), [
    { do: 'delete', fingerprints: [NEW, OLD], holder: 'uid-debian' },
  ]);
  assert.deepEqual(steps(undefined, undefined), []);
});

test('a Debian build is the same whatever the order of its packages, and another with another package', () => {
  const build = (packages: string[]) => specOf({ build: { type: 'debian', release: 'bookworm', packages } }).sourceHash;
  assert.equal(build(['nginx', 'curl']), build(['curl', 'nginx', 'curl']));
  assert.notEqual(build(['nginx']), build(['curl']));
  assert.notEqual(build([]), specOf({ build: { type: 'debian', release: 'trixie' } }).sourceHash);
});

test('a file is known by its path and declared hash', () => {
  assert.deepEqual(specOf({ file: '/srv/a.tar.xz', rootfs: '/srv/b.squashfs' }).source, {
    type: 'file',
    path: '/srv/a.tar.xz',
    rootfs: '/srv/b.squashfs',
  });
  assert.notEqual(specOf({ file: '/srv/a' }).sourceHash, specOf({ file: '/srv/a', sha256: OLD }).sourceHash);
});

async function observed(images: MemoryImages, recorded: Recorded | undefined, records: string[] = []) {
  const containers = new Map(records.map((record, at) => [`c${at}`, { record, started: undefined }]));
  const view = { images: () => images.list(), containers: async () => containers } as unknown as HostView;
  return await imageKind.observe(view, ref, recorded, signal);
}

test('what is observed is the image held last, also after going back to a former source', async () => {
  const images = new MemoryImages();
  const recorded = recordedOf(ref);
  const first = await images.create({ type: 'build-busybox' }, 'one', recorded.uid, () => {}, signal);
  const second = await images.create({ type: 'build-debian', release: 'x', packages: [] }, 'two', recorded.uid, () => {}, signal);
  const now = await observed(images, recorded, [JSON.stringify({ image: first.fingerprint })]);
  assert.equal(now.is === 'present' && now.actual.fingerprint, second.fingerprint);
  assert.deepEqual(now.is === 'present' && now.actual.former, [{ fingerprint: first.fingerprint, inUse: true }]);
  await images.create({ type: 'build-busybox' }, 'one', recorded.uid, () => {}, signal);
  const back = await observed(images, recorded);
  assert.equal(back.is === 'present' && back.actual.fingerprint, first.fingerprint);
  assert.deepEqual(images.made, ['one', 'two'], 'the first was not made again');
});

test('an image of another object is absent, a listing that fails makes it unknown', async () => {
  const images = new MemoryImages();
  await images.create({ type: 'build-busybox' }, 'one', 'somebody', () => {}, signal);
  assert.equal((await observed(images, recordedOf(ref))).is, 'absent');
  images.faults.set('list', 'fail');
  assert.equal((await observed(images, recordedOf(ref))).is, 'unknown');
});
