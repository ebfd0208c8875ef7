// Merging profiles: associative, the last one that says something wins, and every value knows where it comes from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Layer, mergedLayer, mergeLayers, mergeOver } from '../../src/schemas/merge.ts';
import { holds } from './budget.ts';

const key = fc.constantFrom('limits.cpu', 'limits.memory', 'user.a', 'user.b', 'constructor', 'toString', '__proto__x');
const value = fc.constantFrom('', '1', '2', 'true', '512MiB', 'none');
const config = fc.dictionary(key, value, { maxKeys: 6 });
const layer: fc.Arbitrary<Layer> = fc
  .record({ config, devices: fc.dictionary(fc.constantFrom('root', 'eth0', 'eth1'), config, { maxKeys: 3 }) })
  .map((one) => ({ ...one, document: undefined }));

test('how profiles are bracketed does not matter', () => {
  holds(fc.array(layer, { minLength: 3, maxLength: 6 }), (layers) => {
    const merged = layers.map(mergedLayer);
    const left = merged.reduce(mergeOver);
    const right = merged.reduceRight((over, under) => mergeOver(under, over));
    assert.deepEqual(left, right);
    assert.deepEqual(mergeLayers(layers), left);
  });
});

test('the last layer that sets a key or names a device decides', () => {
  holds(fc.array(layer, { maxLength: 6 }), (layers) => {
    const merged = mergeLayers(layers);
    const keys = new Set(layers.flatMap((one) => Object.keys(one.config)));
    for (const name of keys) {
      const said = layers
        .map((one) => (Object.hasOwn(one.config, name) ? one.config[name] : undefined))
        .filter((text) => text !== undefined && text !== '');
      assert.equal(merged.config.get(name)?.value, said.at(-1));
    }
    for (const name of new Set(layers.flatMap((one) => Object.keys(one.devices)))) {
      assert.deepEqual(merged.devices.get(name)?.options, layers.findLast((one) => Object.hasOwn(one.devices, name))?.devices[name]);
    }
  });
});
