import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { refKey } from '../../../src/core/ref.ts';
import type { ManifestDocument } from '../../../src/schemas/document.ts';
import {
  type DocumentLookup,
  expandInstance,
  mergedLayer,
  mergeLayers,
  mergeOver,
  type Merged,
  positionOf,
} from '../../../src/schemas/merge.ts';
import { documentsOf, manifest } from './manifests.ts';

function lookupOf(documents: readonly ManifestDocument[]): DocumentLookup {
  return { document: (ref) => documents.find((document) => refKey(document.ref) === refKey(ref)) };
}

function expand(...texts: string[]): ReturnType<typeof expandInstance> {
  const documents = documentsOf(...texts);
  return expandInstance(
    documents.find((document) => document.kind === 'Instance')!,
    lookupOf(documents),
  );
}

test('later profiles win, and the instance wins over all', () => {
  const { config } = expand(
    manifest('Profile', 'a', 'spec: { config: { user.x: a, user.y: a, user.z: a } }'),
    manifest('Profile', 'b', 'spec: { config: { user.y: b, user.z: b } }'),
    manifest('Instance', 'i', 'spec: { image: m, profiles: [a, b], config: { user.z: i } }'),
  );
  assert.deepEqual(config, { 'user.x': 'a', 'user.y': 'b', 'user.z': 'i' });
});

test('a device is replaced as a whole, never merged key by key', () => {
  const { devices } = expand(
    manifest('Profile', 'a', 'spec: { devices: { d: { type: disk, path: /a, source: /srv/a, readonly: true } } }'),
    manifest('Instance', 'i', 'spec: { image: m, profiles: [a], devices: { d: { type: disk, path: /i, source: /srv/i } } }'),
  );
  assert.deepEqual(devices, { d: { type: 'disk', path: '/i', source: '/srv/i' } });
});

test('type none masks a device of a profile, and a later profile can bring it back', () => {
  const a = manifest('Profile', 'a', 'spec: { devices: { d: { type: disk, path: /a, source: /srv/a } } }');
  const masked = expand(a, manifest('Instance', 'i', 'spec: { image: m, profiles: [a], devices: { d: { type: none } } }'));
  assert.deepEqual(masked.devices, {});
  assert.deepEqual(masked.masked, ['d']);
  const none = manifest('Profile', 'none', 'spec: { devices: { d: { type: none } } }');
  assert.deepEqual(Object.keys(expand(a, none, manifest('Instance', 'i', 'spec: { image: m, profiles: [none, a] }')).devices), ['d']);
});

test('unsaid profiles mean [default], an empty list means none', () => {
  const profile = manifest('Profile', 'default', 'spec: { config: { user.x: d } }');
  assert.deepEqual(expand(profile, manifest('Instance', 'i', 'spec: { image: m }')).config, { 'user.x': 'd' });
  assert.deepEqual(expand(profile, manifest('Instance', 'i', 'spec: { image: m, profiles: [] }')).config, {});
});

test('a default profile that nobody declares is empty; another missing one is a problem', () => {
  assert.deepEqual(expand(manifest('Instance', 'i', 'spec: { image: m }')).problems, []);
  const { problems } = expand(manifest('Instance', 'i', 'spec: { image: m, profiles: [default, web] }'));
  assert.deepEqual(
    problems.map(({ line, column, message }) => ({ line, column, message })),
    [{ line: 4, column: 39, message: 'There is no Profile "web".' }],
  );
});

test('an empty value sets nothing, so the profile shows through', () => {
  const layer = (config: Record<string, string>) => ({ config, devices: {}, document: undefined });
  const { config } = mergeLayers([layer({ 'user.x': 'a' }), layer({ 'user.x': '' })]);
  assert.equal(config.get('user.x')?.value, 'a');
});

test('every value knows the file and line it comes from', () => {
  const { merged } = expand(
    manifest('Profile', 'default', 'spec: { config: { user.x: d }, devices: { d: { type: none } } }'),
    manifest('Instance', 'i', 'spec: { image: m, config: { user.y: i } }'),
  );
  const place = (from: Parameters<typeof positionOf>[0]): string =>
    `${from.document?.ref.name} ${positionOf(from)?.line}:${positionOf(from)?.column}`;
  assert.equal(place(merged.config.get('user.x')!.from), 'default 4:27');
  assert.equal(place(merged.config.get('user.y')!.from), 'i 9:37');
  assert.equal(place(merged.devices.get('d')!.from), 'default 4:46');
});

const key = fc.constantFrom('a', 'b', 'c', 'd');
const layer: fc.Arbitrary<Merged> = fc
  .record({
    config: fc.dictionary(key, fc.constantFrom('', '1', '2', '3')),
    devices: fc.dictionary(key, fc.constantFrom({ type: 'none' }, { type: 'disk', path: '/a' }, { type: 'nic', network: 'n' })),
  })
  .map((maps) => mergedLayer({ ...maps, document: undefined }));

test('merging is associative, and an empty layer changes nothing', () => {
  fc.assert(
    fc.property(layer, layer, layer, (a, b, c) => {
      assert.deepEqual(mergeOver(mergeOver(a, b), c), mergeOver(a, mergeOver(b, c)));
      const empty = mergeLayers([]);
      assert.deepEqual(mergeOver(a, empty), a);
      assert.deepEqual(mergeOver(empty, a), a);
    }),
  );
});
