// Messages as git wrote them: 2.39 (Debian 12, GnuTLS), 2.47 (Debian 13, GnuTLS), and with OpenSSL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GitFailed } from '../../../../src/sources/git/command.ts';
import { remoteFailure } from '../../../../src/sources/git/failure.ts';

const URL = 'https://host/x.git';
const unable = (why: string): string => `fatal: unable to access '${URL}/': ${why}`;

for (const [said, told] of [
  [
    unable('server certificate verification failed. CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile: none'),
    /certificate is not trusted/,
  ],
  [
    unable('server verification failed: certificate signer not trusted. (CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile: none)'),
    /certificate is not trusted/,
  ],
  [unable('SSL certificate problem: unable to get local issuer certificate'), /certificate is not trusted/],
  [unable("SSL: certificate subject name (127.0.0.1) does not match target hostname 'host'"), /certificate is for another name/],
  [unable('Problem with the SSL CA cert (path? access rights?)'), /certificate of the authority cannot be read/],
  [unable('Could not resolve host: host'), /cannot be reached/],
  [unable('something new'), /^Reading https:\/\/host\/x\.git failed\.$/],
] as const) {
  test(`what git says is told as what is the matter: ${said}`, () => {
    const error = remoteFailure('main', URL, new GitFailed('fetch', 128, said));
    assert.equal(error.code, 'SOURCE_UNREADABLE');
    assert.match(error.message, told);
  });
}
