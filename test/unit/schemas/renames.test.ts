import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocuments } from '../../../src/schemas/checks/check-documents.ts';
import { parse } from './manifests.ts';

function named(kind: string, name: string, former?: string, spec = 'config: { }'): string {
  const from = former === undefined ? '' : `, renamedFrom: ${former}`;
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name}${from} }\nspec: { ${spec} }\n---\n`;
}

function problems(...texts: string[]): string[] {
  const parsed = parse(texts.join(''));
  const checked = checkDocuments(parsed.documents);
  return [...parsed.problems, ...checked.problems].map(({ line, field, message, hint }) =>
    `${line} ${field}: ${message} ${hint ?? ''}`.trim(),
  );
}

test('a rename of what is no longer declared is fine', () => {
  assert.deepEqual(problems(named('Profile', 'new', 'old')), []);
});

test('the former name must be free', () => {
  const [found, ...others] = problems(named('Profile', 'new', 'old'), named('Profile', 'old'));
  assert.match(found!, /^3 metadata\.renamedFrom: Profile "old" is still declared at m\.yaml:6, so "new" cannot take over from it\. Once/);
  assert.deepEqual(others, []);
});

test('one object does not become two', () => {
  const found = problems(named('Profile', 'a', 'old'), named('Profile', 'b', 'old'));
  assert.equal(found.length, 2);
  assert.match(found[0]!, /^3 .*Profile "old" cannot become 2 objects: "a" \(m\.yaml:1\), "b" \(m\.yaml:6\)\. Keep/);
});

test('a chain and a swap are told', () => {
  const chain = problems(named('Profile', 'c', 'b'), named('Profile', 'b', 'a'));
  assert.equal(chain.length, 1);
  assert.match(chain[0]!, /"b" is itself renamed from "a" at m\.yaml:6: one revision renames an object once/);
  const swap = problems(named('Profile', 'a', 'b'), named('Profile', 'b', 'a'));
  assert.equal(swap.length, 2);
  assert.match(swap[0]!, /two objects cannot swap their names/);
});

test('what cannot be renamed is refused, as is a name that is none', () => {
  assert.match(
    problems(named('StoragePool', 'new', 'old', 'driver: dir'))[0]!,
    /^3 metadata\.renamedFrom: Objects of kind StoragePool cannot be renamed/,
  );
  assert.match(problems(named('Network', 'new', 'old'))[0]!, /Objects of kind Network cannot be renamed: its bridge has the name/);
  assert.match(problems(named('Profile', 'same', 'same'))[0]!, /cannot be renamed from itself/);
  assert.match(problems(named('Profile', 'new', '../old'))[0]!, /The former name "\.\.\/old" must be/);
});
