import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirrorLines, parseDeb822, parseOneLine } from '../../../../src/host/images/debian/mirror.ts';

const DEB822 = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`;

test('sources of the release and its updates are taken from the host', () => {
  assert.deepEqual(mirrorLines(parseDeb822(DEB822), 'bookworm'), [
    'deb http://mirror.example/debian bookworm main',
    'deb http://mirror.example/debian bookworm-updates main',
    'deb http://mirror.example/debian-security bookworm-security main',
  ]);
});

test('a host without that release leaves the choice to mmdebstrap', () => {
  assert.deepEqual(mirrorLines(parseDeb822(DEB822), 'trixie'), []);
  assert.deepEqual(mirrorLines(parseDeb822(DEB822.replace('Suites: bookworm bookworm-updates', 'Suites: sid')), 'bookworm'), []);
});

test('one-line sources are read, with trust where the host gives it', () => {
  const text = [
    'deb [arch=amd64 trusted=yes] http://local.example/debian trixie main # here',
    '# deb http://off.example/debian trixie main',
    'deb-src http://local.example/debian trixie main',
    'deb https://packages.example/apt stable main',
    'deb cdrom:[Debian]/ trixie main',
    'deb http://evil.example/debian"$(id)" trixie main',
  ].join('\n');
  assert.deepEqual(mirrorLines(parseOneLine(text), 'trixie'), ['deb [trusted=yes] http://local.example/debian trixie main']);
});
