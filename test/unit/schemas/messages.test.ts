// Messages are sentences for people: every rule of a kind's schema has words of its own.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALL_KINDS, schemaOfDocument } from '../../../src/schemas/kinds/table.ts';
import { parseManifests } from '../../../src/schemas/parse.ts';
import { EXPLAINED_KEYWORDS } from '../../../src/schemas/validate.ts';

/** Keywords that limit nothing by themselves. */
const SILENT = new Set(['description', 'examples', 'default', 'properties', 'patternProperties', 'items', '$id', '$schema', 'title']);

function keywordsOf(schema: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [keyword, value] of Object.entries(schema)) {
    if (!SILENT.has(keyword)) found.add(keyword);
    if (keyword === 'properties' || keyword === 'patternProperties')
      for (const each of Object.values(value as object)) keywordsOf(each, found);
    else if (keyword !== 'enum' && keyword !== 'examples' && keyword !== 'default') {
      for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) keywordsOf(each, found);
    }
  }
  return found;
}

function messages(text: string): string[] {
  return parseManifests([{ path: 'a.yaml', text, source: 'test' }]).problems.map(({ message }) => message);
}

describe('messages', () => {
  for (const kind of ALL_KINDS) {
    it(`of ${kind}: every keyword of its schema is explained`, () => {
      const unexplained = keywordsOf(schemaOfDocument(kind)).difference(EXPLAINED_KEYWORDS);
      assert.deepEqual([...unexplained], []);
    });
  }

  it('of limits say the limit', () => {
    const pool = (metadata: string) => `apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: ${metadata}\nspec: { driver: dir }\n`;
    assert.ok(messages(pool('{ name: "" }')).includes('"name" must not be empty.'));
    assert.ok(messages(pool(`{ name: ${'a'.repeat(64)} }`)).includes('"name" must have at most 63 characters.'));
    assert.ok(messages(pool(`{ name: a, description: ${'a'.repeat(5000)} }`)).includes('"description" must have at most 4096 characters.'));
  });

  it('of a volume as a disk speak of the volume, not of a path', () => {
    const text = `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: p }\nspec:\n  devices:\n    data: { type: disk, pool: fast, source: data, path: /srv }\n`;
    assert.deepEqual(messages(text), ['Attaching a volume of a pool (disk "data") is not supported yet.']);
  });
});
