import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, parseRange, parseVersion, satisfies } from '../../../../src/sources/git/semver.ts';

function fits(version: string, range: string): boolean {
  const [parsed, ranges] = [parseVersion(version), parseRange(range)];
  assert.ok(parsed, version);
  assert.ok(ranges, range);
  return satisfies(parsed, ranges);
}

test('ranges hold the versions they should', () => {
  const cases: [range: string, inside: string[], outside: string[]][] = [
    ['^1.2.3', ['1.2.3', '1.2.4', '1.9.0', 'v1.9.9'], ['1.2.2', '2.0.0', '0.9.0']],
    ['^0.2.3', ['0.2.3', '0.2.9'], ['0.3.0', '0.2.2', '1.0.0']],
    ['^0.0.3', ['0.0.3'], ['0.0.4', '0.0.2']],
    ['^0', ['0.0.0', '0.9.9'], ['1.0.0']],
    ['^0.0', ['0.0.0', '0.0.9'], ['0.1.0']],
    ['^1', ['1.0.0', '1.9.9'], ['2.0.0', '0.9.9']],
    ['~1.2.3', ['1.2.3', '1.2.9'], ['1.3.0', '1.2.2']],
    ['~1', ['1.0.0', '1.9.0'], ['2.0.0']],
    ['1.2', ['1.2.0', '1.2.9'], ['1.3.0']],
    ['1.x', ['1.0.0', '1.9.0'], ['2.0.0']],
    ['*', ['0.0.0', '9.9.9'], []],
    ['>=1.2 <3', ['1.2.0', '2.9.9'], ['3.0.0', '1.1.9']],
    ['>= 1.2.0 < 1.3.0', ['1.2.5'], ['1.3.0']],
    ['>1.2', ['1.3.0'], ['1.2.9']],
    ['<=1.2', ['1.2.9'], ['1.3.0']],
    ['1.0.0 - 1.4.0', ['1.0.0', '1.4.0'], ['1.4.1']],
    ['1.0.0 - 1.4', ['1.4.9'], ['1.5.0']],
    ['=1.0.0 || ^3', ['1.0.0', '3.1.0'], ['1.0.1', '2.0.0']],
  ];
  for (const [range, inside, outside] of cases) {
    for (const version of inside) assert.ok(fits(version, range), `${version} in ${range}`);
    for (const version of outside) assert.ok(!fits(version, range), `${version} not in ${range}`);
  }
});

test('a pre-release is chosen only where one of the same version is named', () => {
  assert.ok(!fits('1.5.0-rc.1', '^1'));
  assert.ok(fits('1.5.0-rc.2', '>=1.5.0-rc.1'));
  assert.ok(!fits('1.6.0-rc.1', '>=1.5.0-rc.1'));
  assert.ok(fits('1.5.0', '>=1.5.0-rc.1'));
});

test('versions are ordered as semver.org says', () => {
  const ordered = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '1.10.0',
    '2.0.0',
  ];
  const versions = ordered.map((text) => parseVersion(text)!);
  for (let a = 0; a < versions.length; a++) {
    for (let b = 0; b < versions.length; b++) assert.equal(Math.sign(compareVersions(versions[a]!, versions[b]!)), Math.sign(a - b));
  }
});

test('what is no version or range is told', () => {
  for (const text of ['1', '1.2', 'x', '1.2.3.4', 'release-1.2.3', '', '1.2.3-']) assert.equal(parseVersion(text), undefined, text);
  for (const text of ['^', 'abc', '>=', '1.2.3.4', '^1 ||', '--x', '1'.repeat(300)]) assert.equal(parseRange(text), undefined, text);
});
