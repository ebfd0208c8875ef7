import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as always, constantFrom, property, stringMatching } from 'fast-check';
import { AppError } from '../../../../src/core/errors.ts';
import { locationText, looksLikeGit, parseGitUrl, parseInnerPath, parseLocation, parseRef } from '../../../../src/sources/git/location.ts';

function refused(text: string, parse: (text: string) => unknown = parseGitUrl): AppError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'VALUE_INVALID', String(error));
    return error;
  }
  return assert.fail(`${JSON.stringify(text)} was not refused`);
}

test('takes URL, ref and path apart', () => {
  const cases: [given: string, url: string, ref: unknown, path: string][] = [
    ['https://git.example.com/ops/hosts.git', 'https://git.example.com/ops/hosts.git', { kind: 'head' }, ''],
    ['https://git.example.com/ops/hosts.git/', 'https://git.example.com/ops/hosts.git', { kind: 'head' }, ''],
    ['https://Git.Example.com:8443/o/h.git#main', 'https://git.example.com:8443/o/h.git', { kind: 'name', name: 'main' }, ''],
    ['https://e.com/h.git#main:hosts/a/', 'https://e.com/h.git', { kind: 'name', name: 'main' }, 'hosts/a'],
    ['https://e.com:8443/h.git:hosts/a', 'https://e.com:8443/h.git', { kind: 'head' }, 'hosts/a'],
    ['https://e.com/h.git#^1.2:hosts', 'https://e.com/h.git', { kind: 'semver', range: '^1.2' }, 'hosts'],
    ['https://e.com/h.git#:hosts', 'https://e.com/h.git', { kind: 'head' }, 'hosts'],
    ['ssh://git@e.com:2222/h.git#refs/tags/v1', 'ssh://git@e.com:2222/h.git', { kind: 'tag', name: 'v1' }, ''],
    ['git@e.com:ops/h.git#feature/x:a', 'git@e.com:ops/h.git', { kind: 'name', name: 'feature/x' }, 'a'],
    ['git@e.com:ops/h.git:a/b', 'git@e.com:ops/h.git', { kind: 'head' }, 'a/b'],
    ['file:///srv/h.git:a', 'file:///srv/h.git', { kind: 'head' }, 'a'],
    ['https://[::1]:8443/h.git', 'https://[::1]:8443/h.git', { kind: 'head' }, ''],
    ['http://127.0.0.1:8080/h.git', 'http://127.0.0.1:8080/h.git', { kind: 'head' }, ''],
  ];
  for (const [given, url, ref, path] of cases) {
    const location = parseLocation(given);
    assert.deepEqual([location.url.text, location.ref, location.path], [url, ref, path], given);
  }
});

test('a user name in an https URL becomes a setting of its own', () => {
  assert.deepEqual(parseGitUrl('https://bot@e.com/h.git'), { text: 'https://e.com/h.git', protocol: 'https', username: 'bot' });
});

test('refuses URLs that are options, helpers, or two things at once', () => {
  for (const url of [
    '--upload-pack=touch /tmp/x',
    '-oProxyCommand=x',
    'ext::sh -c "touch /tmp/x"',
    'ext::touch%20/tmp/x',
    'file::/srv/h.git',
    'fd::17',
    '::https://e.com/h.git',
    'git://e.com/h.git',
    'ftp://e.com/h.git',
    'ssh://-oProxyCommand=x/h.git',
    'ssh://git@-oProxyCommand=x/h.git',
    'ssh://-x@e.com/h.git',
    'ssh://e.com/-x',
    'git@-oProxyCommand=x:h.git',
    'git@e.com:-x',
    '-git@e.com:h.git',
    'https://e.com/h.git\nhttps://f.com/',
    'https://e.com/h.git%0ahost=f.com',
    'https://e.com/h.git%0D',
    'https://e.com/h\0.git',
    'https://e.com/a b.git',
    'https://e.com/h.git?x=1',
    'https://e.com',
    'https:///h.git',
    'https://e.com:99999/h.git',
    'https://ex$(x).com/h.git',
    'ssh://git@e.com;touch/h.git',
    'file://e.com/h.git',
    'file:///',
    'http://e.com/h.git',
    'http://127.0.0.1.e.com/h.git',
    '/srv/h.git',
    '',
    `https://e.com/${'x'.repeat(3000)}`,
  ]) {
    refused(url);
  }
});

test('never repeats a password', () => {
  const error = refused('https://bot:hunter2@e.com/h.git');
  assert.ok(!`${error.message}${error.hint}`.includes('hunter2'));
  assert.match(error.hint ?? '', /passwordFile/);
});

test('refuses what is no name of a branch or tag', () => {
  for (const name of [
    '-x',
    '--upload-pack=x',
    'a b',
    'a..b',
    'a~1',
    'a:b',
    'a?b',
    'a[b',
    'a\\b',
    'a@{1}',
    '@',
    '.a',
    'a/.b',
    'a.lock',
    'a/',
    '/a',
    'a//b',
    'a.',
    'a\nb',
    'a/-b',
  ]) {
    refused(name, parseRef);
  }
  assert.deepEqual(parseRef('a'.repeat(40)), { kind: 'commit', id: 'a'.repeat(40) });
  assert.deepEqual(parseRef('A'.repeat(64)), { kind: 'commit', id: 'a'.repeat(64) });
  assert.deepEqual(parseRef('>=1.2 <2'), { kind: 'semver', range: '>=1.2 <2' });
  assert.deepEqual(parseRef('refs/heads/v1'), { kind: 'branch', name: 'v1' });
});

test('refuses paths that lead out of the repository', () => {
  for (const path of ['..', 'a/../b', 'a/..', '../a', './../a', 'a/./b', '-a', 'a\\b', 'a\nb', 'a\0b', 'a//b'])
    refused(path, parseInnerPath);
  assert.equal(parseInnerPath('./a/b/'), 'a/b');
  assert.equal(parseInnerPath('/'), '');
});

test('tells git from directories', () => {
  for (const git of ['https://e.com/h', 'git@e.com:h', 'ssh://e.com/h', 'file:///srv/h', 'ext::x', 'git://x/y'])
    assert.ok(looksLikeGit(git), git);
  for (const directory of ['/srv/manifests', 'manifests', './a:b', '/srv/a@b:c', '../x']) assert.ok(!looksLikeGit(directory), directory);
});

test('a location that names no repository is refused', () => {
  for (const location of ['git@a:/', 'git@a://', 'https://e.com/', 'file:///'])
    assert.throws(() => parseLocation(location), AppError, location);
});

test('whatever is accepted reads the same again, and holds nothing that git or ssh could take for an option', () => {
  const word = stringMatching(/^[-a-z0-9.:@/#%^~\n ]{0,20}$/);
  always(
    property(constantFrom('https://', 'ssh://', 'file://', 'git@', ''), word, (scheme, rest) => {
      let location;
      try {
        location = parseLocation(scheme + rest);
      } catch (error) {
        assert.ok(error instanceof AppError);
        return;
      }
      assert.deepEqual(parseLocation(locationText(location)), { ...location, url: { ...location.url, username: undefined } });
      assert.doesNotMatch(location.url.text, /^-|[\s\0]|^[^/:]*@-|^[a-z0-9+.-]*::|^(?:ssh|https?):\/\/(?:[^/]*@)?-/);
      assert.doesNotMatch(location.path, /^-|(?:^|\/)\.\.(?:\/|$)|[\n\0]/);
    }),
    { numRuns: 3000 },
  );
});
