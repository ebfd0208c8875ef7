import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isIgnored, parseIgnore } from '../../../src/sources/ignore.ts';

function ignored(text: string, path: string, isDirectory = false): boolean {
  return isIgnored(parseIgnore(text, ''), path, isDirectory);
}

const CASES: [pattern: string, path: string, expected: boolean][] = [
  ['a.yaml', 'a.yaml', true],
  ['a.yaml', 'x/y/a.yaml', true],
  ['/a.yaml', 'a.yaml', true],
  ['/a.yaml', 'x/a.yaml', false],
  ['x/a.yaml', 'x/a.yaml', true],
  ['x/a.yaml', 'y/x/a.yaml', false],
  ['*.draft.yaml', 'x/web.draft.yaml', true],
  ['*.draft.yaml', 'web.yaml', false],
  ['?.yaml', 'ab.yaml', false],
  ['[a-c].yaml', 'b.yaml', true],
  ['[!a-c].yaml', 'b.yaml', false],
  ['[]x].yaml', '].yaml', true],
  ['**/test/*.yaml', 'a/b/test/x.yaml', true],
  ['**/test/*.yaml', 'test/x.yaml', true],
  ['a/**/z.yaml', 'a/z.yaml', true],
  ['a/**/z.yaml', 'a/b/c/z.yaml', true],
  ['a/**/z.yaml', 'b/z.yaml', false],
  ['a*', 'a/b.yaml', false], // a star stops at a slash; that the directory a is ignored is asked separately
  ['# a.yaml', 'a.yaml', false],
  [String.raw`\#a.yaml`, '#a.yaml', true],
  [String.raw`\*.yaml`, 'a.yaml', false],
  ['a.yaml   ', 'a.yaml', true],
  ['', 'a.yaml', false],
];
for (const [pattern, path, expected] of CASES) {
  test(`the pattern "${pattern}" ${expected ? 'ignores' : 'does not ignore'} ${path}`, () => {
    assert.equal(ignored(pattern, path), expected);
  });
}

test('a pattern with a slash at its end is for directories only', () => {
  assert.equal(ignored('drafts/', 'x/drafts', true), true);
  assert.equal(ignored('drafts/', 'x/drafts', false), false);
});

test('the last rule that matches counts, and ! takes back', () => {
  assert.equal(ignored('*.yaml\n!keep.yaml', 'keep.yaml'), false);
  assert.equal(ignored('!keep.yaml\n*.yaml', 'keep.yaml'), true);
});

test('an ignore file in a directory counts from there, after those above', () => {
  const rules = [...parseIgnore('*.yaml', ''), ...parseIgnore('!/a.yaml', 'sub')];
  assert.equal(isIgnored(rules, 'sub/a.yaml', false), false);
  assert.equal(isIgnored(rules, 'sub/x/a.yaml', false), true);
  assert.equal(isIgnored(rules, 'a.yaml', false), true);
});

test('a pattern made to explode is matched quickly', () => {
  const started = performance.now();
  assert.equal(ignored(`${'*a'.repeat(400)}b`, 'a'.repeat(250)), false);
  assert.equal(ignored(`${'**/a/'.repeat(150)}b`, 'a/'.repeat(120)), false);
  assert.ok(performance.now() - started < 1000);
});

test('too many or too long patterns are refused', () => {
  assert.throws(() => parseIgnore('x'.repeat(2000), ''), RangeError);
  assert.throws(() => parseIgnore('x\n'.repeat(2000), ''), RangeError);
});
