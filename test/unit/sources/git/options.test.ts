import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { parseGitOptions } from '../../../../src/sources/git/options.ts';

function parse(more: Record<string, unknown> = {}) {
  return parseGitOptions({ url: 'https://e.com/h.git', ...more }, 'sources[0]');
}

function refused(more: Record<string, unknown>, message: RegExp): void {
  assert.throws(
    () => parse(more),
    (error) => error instanceof AppError && message.test(error.message),
  );
}

test('the object form has defaults', () => {
  const options = parse();
  assert.deepEqual([options.ref, options.path, options.intervalMs, options.timeoutMs], [{ kind: 'head' }, '', 60_000, 120_000]);
  assert.deepEqual([options.auth, options.verify, options.allowRewrite], [{}, undefined, false]);
});

test('the object form can say everything', () => {
  const options = parse({
    url: 'ssh://git@e.com/h.git',
    ref: { semver: '^1' },
    path: 'hosts/a',
    interval: '5m',
    timeout: '10m',
    auth: { sshKeyFile: '/etc/k', knownHostsFile: '/etc/h' },
    verify: { sshAllowedSigners: '/etc/s', openpgpKeys: '/etc/p', require: 'tag' },
    allowRewrite: true,
  });
  assert.deepEqual(options.ref, { kind: 'semver', range: '^1' });
  assert.equal(options.intervalMs, 300_000);
  assert.deepEqual(options.auth, { sshKeyFile: '/etc/k', knownHostsFile: '/etc/h' });
  assert.deepEqual(options.verify, { sshAllowedSigners: '/etc/s', openpgpKeys: ['/etc/p'], require: 'tag' });
  assert.equal(options.allowRewrite, true);
});

test('refuses what cannot be meant', () => {
  refused({ ref: { branch: 'a', tag: 'b' } }, /one of the keys/);
  refused({ ref: { brunch: 'a' } }, /unknown key "brunch"/);
  refused({ ref: { branch: '-x' } }, /no name of a git branch/);
  refused({ ref: { commit: 'abc' } }, /no full commit id/);
  refused({ interval: 60 }, /must be a text/);
  refused({ interval: '0s' }, /from 1s to 7d/);
  refused({ interval: '30d' }, /from 1s to 7d/);
  refused({ timeout: '30d' }, /from 1s to 7d/);
  refused({ auth: { sshKeyFile: '/etc/k' } }, /keys for ssh, but the URL is https/);
  refused({ url: 'file:///srv/h', auth: { tokenFile: '/etc/k' } }, /keys for https, but the URL is file/);
  refused({ auth: { passwordFile: '/a', tokenFile: '/b' } }, /only one of them/);
  refused({ auth: { caFile: 'relative' } }, /absolute path/);
  refused({ auth: { caFile: '/a"\n[core]' } }, /not allowed/);
  refused({ auth: { password: 'hunter2' } }, /unknown key "password"/);
  refused({ verify: {} }, /pins no key/);
  refused({ verify: { sshAllowedSigners: '/s', require: 'all' } }, /"commit" or "tag"/);
  refused({ verify: { sshAllowedSigners: '/s', require: 'tag' }, ref: { branch: 'main' } }, /names no tag/);
  refused({ allowRewrite: 'yes' }, /true or false/);
});
