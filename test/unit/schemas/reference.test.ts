import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { generatedReference } from '../../../scripts/docs.ts';
import { editorSchema, editorSchemaOf } from '../../../src/schemas/editor-schema.ts';
import { ALL_KINDS, schemaOfDocument } from '../../../src/schemas/kinds/table.ts';
import { parse } from './manifests.ts';

const REFERENCE = join(import.meta.dirname, '../../../docs/reference');

test('the reference pages and editor schemas are what the code would write', () => {
  for (const [path, text] of generatedReference()) {
    assert.equal(readFileSync(join(REFERENCE, path), 'utf8'), text, `docs/reference/${path} is not current: run "npm run docs"`);
  }
});

test('every example of the reference is a valid manifest', () => {
  for (const [path, text] of generatedReference()) {
    for (const [, example] of text.matchAll(/```yaml\n(.*?)```/gs)) {
      assert.deepEqual(parse(example!).problems, [], path);
    }
  }
});

test('the schemas of all kinds are JSON Schema', () => {
  const ajv = new Ajv2020({ strict: false });
  for (const kind of ALL_KINDS) assert.ok(ajv.validateSchema(schemaOfDocument(kind)), `${kind}: ${JSON.stringify(ajv.errors)}`);
});

test('the editor schemas are JSON Schema and take what validate takes', () => {
  const ajv = new Ajv2020({ strict: false });
  const all = ajv.compile(editorSchema());
  for (const kind of ALL_KINDS) assert.ok(ajv.validateSchema(editorSchemaOf(kind)), kind);
  const instance = {
    apiVersion: 'lockstep/v1',
    kind: 'Instance',
    metadata: { name: 'web' },
    spec: {
      image: 'debian',
      config: { 'limits.cpu': 2, 'security.nesting': true, 'environment.A': 'b', 'limits.memory': null },
      devices: { eth0: { type: 'nic', network: 'lan' }, root: { type: 'disk', path: '/', pool: 'fast' }, off: { type: 'none' } },
    },
  };
  assert.ok(all(instance), JSON.stringify(all.errors));
  assert.equal(all({ ...instance, spec: { ...instance.spec, config: { 'limits.cpus': 2 } } }), false);
  assert.equal(all({ ...instance, spec: { ...instance.spec, devices: { gpu: { type: 'gpu' } } } }), false);
});
