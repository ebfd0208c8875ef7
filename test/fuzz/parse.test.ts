// The manifest parser: whatever the text, an answer in bounded time, problems that lie in the text, and the fast reader never differs from
// the full parser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocuments } from '../../src/schemas/checks/check-documents.ts';
import { parseManifests } from '../../src/schemas/parse.ts';
import { YamlFile } from '../../src/schemas/yaml-file.ts';
import { readSimple, type SimpleDocument } from '../../src/schemas/yaml-simple.ts';
import { aliasBudget, readYamlDocument } from '../../src/schemas/yaml-value.ts';
import { corpus, holds, nearCorpus } from './budget.ts';

/** What the full parser makes of a text that has no problem of its own. */
function readFully(text: string): SimpleDocument[] {
  const yaml = new YamlFile('m.yaml', text);
  const { documents, lines } = yaml.tree();
  const left = aliasBudget();
  return documents.flatMap((document, index) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    const { value, problems } = readYamlDocument(yaml, document, lines, left);
    assert.deepEqual(problems, []);
    if (value === undefined) return [];
    const { line, column, endLine, endColumn } = yaml.locate(index, []);
    assert.equal(column, 1);
    return [{ index, value: value as Record<string, unknown>, line, endLine, endColumn }];
  });
}

function sameAsFully(text: string): boolean {
  const simple = readSimple(text);
  if (simple === undefined) return false;
  assert.deepEqual(simple, readFully(text));
  return true;
}

test('what is read fast is what the full parser reads, for the whole corpus', () => {
  const fast = corpus().filter(sameAsFully);
  assert.ok(fast.length >= corpus().length / 2, `only ${fast.length} of the corpus are read fast`);
});

test('what is read fast is what the full parser reads, for texts near the corpus', () => {
  let fast = 0;
  holds(nearCorpus(), (text) => {
    if (sameAsFully(text)) fast++;
  });
  assert.ok(fast > 10, `only ${fast} texts were read fast`);
});

test('any text has an answer within a second, and its problems lie in the text', () => {
  holds(nearCorpus(), (text) => {
    const began = performance.now();
    const { documents, problems, perFile } = parseManifests([{ path: 'm.yaml', text, source: 'fuzz' }]);
    const checked = checkDocuments(documents, new Set(perFile.flatMap((file) => file.claims)));
    const lines = text.split('\n').length;
    for (const problem of [...problems, ...checked.problems]) {
      assert.ok(problem.line >= 1 && problem.line <= lines && problem.column >= 1, JSON.stringify(problem));
      assert.ok(problem.endLine >= problem.line && problem.endLine <= lines + 1, JSON.stringify(problem));
      assert.ok(problem.message.endsWith('.') && !problem.message.includes('\0'), problem.message);
    }
    for (const document of documents) assert.equal(document.origin.line, document.locate([]).line);
    assert.ok(performance.now() - began < 1000, 'it took more than a second');
  });
});
