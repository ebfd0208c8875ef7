// That every reason the code sets is in the table is checked by its type; that docs/reference/conditions.md says the same, by the test of
// the reference pages. Here: nothing in the table is made up.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CAUSES } from '../../../src/core/cause.ts';
import { REASONS } from '../../../src/core/reasons.ts';

const SRC = join(import.meta.dirname, '../../../src');

function sourcesWithout(...tables: readonly string[]): string {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !tables.includes(path))
    .map((path) => readFileSync(join(SRC, path), 'utf8'))
    .join('\n');
}

test('every reason and every cause of the tables is one that the program gives', () => {
  const text = sourcesWithout('core/reasons.ts', 'core/cause.ts');
  for (const name of [...Object.keys(REASONS), ...Object.keys(CAUSES)]) assert.ok(text.includes(`'${name}'`), name);
});

test('the texts are full sentences', () => {
  for (const [name, { text }] of Object.entries(REASONS)) assert.match(text, /^[A-Z].*\.$/, name);
});
