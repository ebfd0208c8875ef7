import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandSocket, monitoredNames, parseListeners } from '../../../../src/host/lxc/monitor-sockets.ts';

const PATH = '/var/lib/lockstep/instances';

const PROC_NET_UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 31107 @${PATH}/web/command
0000000000000000: 00000003 00000000 00000000 0001 03 31200 @${PATH}/web/command
0000000000000000: 00000003 00000000 00000000 0001 03 31201 @${PATH}/only-connected/command
0000000000000000: 00000002 00000000 00010000 0001 01 31300 @/var/lib/lxc/foreign/command
0000000000000000: 00000002 00000000 00010000 0001 01 31301 /run/real/command
0000000000000000: 00000003 00000000 00000000 0002 01 12345
`;

test('only listening abstract sockets count', () => {
  assert.deepEqual([...parseListeners(PROC_NET_UNIX)], [`${PATH}/web/command`, '/var/lib/lxc/foreign/command']);
});

test('names are those below our path, and foreign ones are not', () => {
  assert.deepEqual([...monitoredNames(PATH, parseListeners(PROC_NET_UNIX), ['web', 'idle'])], ['web']);
  assert.deepEqual([...monitoredNames('/var/lib/lxc', parseListeners(PROC_NET_UNIX), [])], ['foreign']);
});

test('a name that does not fit is known by its hash', () => {
  const long = 'n'.repeat(90);
  const socket = commandSocket(PATH, long);
  assert.match(socket, /^lxc\/[0-9a-f]{16}\/command$/);
  assert.notEqual(socket, commandSocket(PATH, 'm'.repeat(90)));
  assert.deepEqual([...monitoredNames(PATH, new Set([socket]), ['other', long])], [long]);
  assert.deepEqual([...monitoredNames(PATH, new Set([socket]), ['other'])], []);
});
