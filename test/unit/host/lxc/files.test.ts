import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig, checkName } from '../../../../src/host/lxc/files.ts';

test('lines of configuration pass, whatever else they hold', () => {
  checkConfig('web', '# comment\nlxc.environment = A="b c" ä\n\nlxc.mount.entry = /a\\040b mnt none bind 0 0\n');
});

test('characters that end a line early, and includes, are refused with their line', () => {
  for (const bad of [
    'a = b\rlxc.hook.start = /x',
    'a = \u0000',
    'a = \u001b',
    'a =\tb',
    'a = \u007f',
    'lxc.include = /x',
    '  lxc.include=/x',
  ]) {
    assert.throws(
      () => {
        checkConfig('web', `lxc.uts.name = web\n${bad}\n`);
      },
      { code: 'VALUE_INVALID', detail: { name: 'web', line: 2 } },
    );
  }
});

test('only plain names can be containers', () => {
  for (const good of ['web', 'Web-1', 'project_web', 'a.b']) checkName(good);
  for (const bad of ['', '.', '..', 'a/b', '-a', '.a', 'a..b', 'a b', 'a\n', 'ä', 'x'.repeat(201)]) {
    assert.throws(
      () => {
        checkName(bad);
      },
      { code: 'NAME_INVALID' },
    );
  }
});
