// What each change of an image does to the store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRef } from '../../../../src/core/ref.ts';
import type { Host } from '../../../../src/host/ports/host.ts';
import type { ApplyRun } from '../../../../src/kinds/changes.ts';
import { imageKind } from '../../../../src/kinds/image/kind.ts';
import { MemoryImages } from '../../../fakes/memory-images.ts';

const ref = makeRef('Image', 'busybox');
const source = { type: 'build-busybox' } as const;

function setUp() {
  const images = new MemoryImages();
  const steps: string[] = [];
  const progress: [string, number | undefined][] = [];
  const run: ApplyRun = {
    signal: new AbortController().signal,
    step: async (name, work) => {
      steps.push(name);
      return await work();
    },
    progress: (text, fraction) => void progress.push([text, fraction]),
  };
  const apply = (change: Parameters<typeof imageKind.apply>[2]) => imageKind.apply({ images } as unknown as Host, ref, change, run);
  return { images, steps, progress, apply };
}

test('creating an image stores it, held by its object, and tells how far it is', async () => {
  const { images, steps, progress, apply } = setUp();
  assert.equal(await apply({ do: 'create', source, sourceHash: 'h', holder: 'one', from: undefined }), 'done');
  const [image] = images.facts.images.values();
  assert.deepEqual(Object.keys(image?.holders ?? {}), ['one']);
  assert.deepEqual(progress, [['making the image', 0.5]]);
  assert.deepEqual(steps, ['make the image']);
});

for (const name of ['release', 'delete'] as const) {
  test(`${name} gives up each of the versions, in a step of its own, and nobody else's hold`, async () => {
    const { images, steps, apply } = setUp();
    for (const [hash, holder] of [
      ['h', 'one'],
      ['h', 'two'],
    ] as const) {
      await apply({ do: 'create', source, sourceHash: hash, holder, from: undefined });
    }
    const other = { type: 'file', path: '/image.tar' } as const;
    images.facts.files.add('/image.tar');
    await apply({ do: 'create', source: other, sourceHash: 'i', holder: 'one', from: undefined });
    const fingerprints = [...images.facts.images.keys()];
    assert.equal(fingerprints.length, 2);
    steps.length = 0;
    assert.equal(await apply({ do: name, fingerprints, holder: 'one' }), 'done');
    assert.equal(steps.length, 2);
    assert.deepEqual(
      [...images.facts.images.values()].map((image) => Object.keys(image.holders)),
      [['two']],
    );
  });
}
