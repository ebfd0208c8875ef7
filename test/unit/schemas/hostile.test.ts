// Files made to hurt: each must end in bounded time with a located problem, never in an exception.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { manifest, parse } from './manifests.ts';

const SMALL_BOMB = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from('bcdefghij', (name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(',')}]\n`).join('')}`;

const FILES: readonly [name: string, text: string, rule: string][] = [
  ['flow collections without end', '['.repeat(1_000_000), 'too-complex'],
  ['flow maps without end', '{a: '.repeat(300_000), 'too-complex'],
  ['list items in list items', '- '.repeat(1_000_000), 'too-complex'],
  ['maps in maps, line by line', Array.from({ length: 2000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'), 'too-complex'],
  ['more parts than a person writes', Array.from({ length: 200_000 }, (_, at) => `k${at}: 1`).join('\n'), 'too-complex'],
  ['more documents than a person writes', '---\n'.repeat(200_000), 'too-complex'],
  ['aliases that multiply', SMALL_BOMB, 'alias-limit'],
  ['many documents with aliases that multiply', `${SMALL_BOMB}---\n`.repeat(500), 'alias-limit'],
  ['more than 4 MiB', ' '.repeat(4 * 1024 * 1024 + 1), 'too-large'],
  [
    'unknown keys by the thousand',
    manifest('Profile', 'a', `spec:\n  config:\n${Array.from({ length: 50_000 }, (_, at) => `    lmits.k${at}: 1`).join('\n')}`),
    'limit',
  ],
  [
    'fields by the thousand',
    manifest('Profile', 'a', `spec:\n${Array.from({ length: 50_000 }, (_, at) => `  k${at}: 1`).join('\n')}`),
    'unknown-key',
  ],
];

for (const [name, text, rule] of FILES) {
  test(`survives ${name}`, () => {
    const start = performance.now();
    const { documents, problems } = parse(text);
    assert.equal(documents.length, 0);
    assert.ok(
      problems.some((problem) => problem.rule === rule),
      problems
        .slice(0, 3)
        .map((problem) => problem.rule)
        .join(),
    );
    assert.ok(problems.length <= 201, `${problems.length} problems`);
    // Far above what it takes here (under 1 s), far below what it would take without limits (minutes).
    assert.ok(performance.now() - start < 10_000);
  });
}

test('any text gives documents and problems, never an exception', () => {
  const piece = fc.constantFrom(
    'apiVersion: lockstep/v1\n',
    'kind: Instance\n',
    'metadata: { name: a }\n',
    'spec:\n',
    '  config:\n',
    '    limits.cpu: 1\n',
    '---\n',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '&a ',
    '*a',
    '!t ',
    '|\n',
    '>\n',
    '? ',
    ': ',
    '#',
    '%YAML 1.2\n',
    '\t',
    '\r\n',
    '\uFEFF',
    '<<: ',
    '@',
    '`',
    '\u0085',
    '...\n',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      const lines = text.split('\n').length;
      for (const problem of parse(text).problems) {
        assert.ok(problem.line >= 1 && problem.line <= lines + 1 && problem.column >= 1, JSON.stringify(problem));
        assert.ok(problem.endLine > problem.line || problem.endColumn > problem.column, JSON.stringify(problem));
        assert.notEqual(problem.message, '');
      }
    }),
    { numRuns: 1000 },
  );
});

test('keys named like object members are only keys', () => {
  const { documents, problems } = parse(
    manifest('Profile', 'a', 'spec: { devices: { constructor: { type: none }, toString: { type: none } } }'),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(Object.keys((documents[0]!.spec as { devices: object }).devices), ['constructor', 'toString']);
});
