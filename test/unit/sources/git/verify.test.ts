import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signerOf } from '../../../../src/sources/git/verify.ts';

test('the signer is named from what ssh-keygen and gpg say of a good signature', () => {
  const key = 'SHA256:Nc4FhXyTpcCAyFBPBlDYBCYAUbrlHpeCBpMqpmzwLKw';
  assert.equal(signerOf(`Good "git" signature for alice@example.com with ED25519 key ${key}\n`), `alice@example.com (${key})`);
  const gpg =
    '[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 5E8AD35D1B1B1B1B Alice <alice@example.com>\n' +
    '[GNUPG:] VALIDSIG 0123456789ABCDEF0123456789ABCDEF01234567 2026-01-02 1767323045 0 4 0 22 10 00\n';
  assert.equal(signerOf(gpg), 'Alice <alice@example.com> (0123456789ABCDEF0123456789ABCDEF01234567)');
  for (const said of [
    '',
    `Good "git" signature with ED25519 key ${key}`,
    'No principal matched.',
    '[GNUPG:] GOODSIG 5E8AD35D1B1B1B1B Alice <alice@example.com>',
    gpg.replace('GOODSIG', 'EXPKEYSIG'),
  ]) {
    assert.equal(signerOf(said), undefined, said);
  }
});
