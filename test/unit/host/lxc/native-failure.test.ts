import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromNative, logReason } from '../../../../src/host/lxc/native-failure.ts';

const LOG = `lxc bad 20261122021942.861 WARN     cgfsng - ../src/lxc/cgroups/cgfsng.c:fchowmodat:1619 - No such file - Failed to fchownat
lxc bad 20261122021942.863 ERROR    dir - ../src/lxc/storage/dir.c:dir_mount:163 - No such file or directory - Failed to open "/nowhere"
lxc bad 20261122021942.864 ERROR    start - ../src/lxc/start.c:__lxc_start:2107 - Failed to spawn container "bad"
`;

function native(code: string, log = ''): Error {
  return Object.assign(new Error('it failed'), { code, log });
}

test("liblxc's errors are told innermost first, without time and place, before its warnings", () => {
  assert.equal(logReason(LOG), 'No such file or directory - Failed to open "/nowhere"; Failed to spawn container "bad"');
  assert.equal(logReason(LOG.split('\n', 1)[0] ?? ''), 'No such file - Failed to fchownat');
  assert.equal(logReason('something else'), undefined);
});

test('errno and our own codes are kept, anything else takes the fallback', () => {
  assert.equal(fromNative(native('ENOSPC'), 'FILE_FAILED', 'X').code, 'DISK_FULL');
  assert.equal(fromNative(native('HANDLE_CLOSED'), 'LXC_FAILED', 'X').code, 'HANDLE_CLOSED');
  assert.equal(fromNative(native('EPERM'), 'FILE_FAILED', 'X').code, 'FILE_FAILED');
  const error = fromNative(native('LXC_FAILED', LOG), 'LXC_FAILED', 'Container "bad" could not be stopped', { name: 'bad' });
  assert.match(error.message, /^Container "bad" could not be stopped: No such file or directory - Failed to open/);
  assert.equal(error.detail['name'], 'bad');
  assert.equal(fromNative(new TypeError('x'), 'LXC_FAILED', 'X').code, 'LXC_FAILED');
});
