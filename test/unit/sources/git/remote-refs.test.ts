import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRef } from '../../../../src/sources/git/location.ts';
import { choose, parseLsRemote } from '../../../../src/sources/git/remote-refs.ts';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(40)) as [string, string, string, string];
const LISTING = [
  'ref: refs/heads/main\tHEAD',
  `${A}\tHEAD`,
  `${A}\trefs/heads/main`,
  `${B}\trefs/heads/v1.0.0`,
  `${C}\trefs/tags/v1.0.0`,
  `${B}\trefs/tags/v1.0.0^{}`,
  `${D}\trefs/tags/v1.2.0`,
  `${D}\trefs/pull/1/head`,
  `nonsense\trefs/heads/bad`,
  'no tab',
  '',
].join('\n');

test('reads branches, tags with the commits behind them, and the default branch', () => {
  const remote = parseLsRemote(LISTING);
  assert.equal(remote.head, 'refs/heads/main');
  assert.deepEqual([...remote.refs.keys()], ['refs/heads/main', 'refs/heads/v1.0.0', 'refs/tags/v1.0.0', 'refs/tags/v1.2.0']);
  assert.deepEqual(remote.refs.get('refs/tags/v1.0.0'), { id: C, commit: B });
});

test('chooses what was asked for', () => {
  const remote = parseLsRemote(LISTING);
  assert.equal(choose(parseRef(''), remote)?.ref, 'refs/heads/main');
  assert.equal(choose(parseRef('v1.0.0'), remote)?.ref, 'refs/heads/v1.0.0', 'a branch before a tag');
  assert.deepEqual(choose(parseRef('refs/tags/v1.0.0'), remote), { ref: 'refs/tags/v1.0.0', id: C, commit: B });
  assert.equal(choose(parseRef('v1.2.0'), remote)?.ref, 'refs/tags/v1.2.0');
  assert.equal(choose(parseRef('^1'), remote)?.ref, 'refs/tags/v1.2.0');
  assert.equal(choose(parseRef('~1.0'), remote)?.ref, 'refs/tags/v1.0.0');
  assert.equal(choose(parseRef(D), remote)?.commit, D);
  for (const gone of ['other', '^2', 'refs/heads/v1.2.0']) assert.equal(choose(parseRef(gone), remote), undefined);
});

test('an empty repository has no default branch', () => {
  assert.equal(choose({ kind: 'head' }, parseLsRemote('')), undefined);
});
