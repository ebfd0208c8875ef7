import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../../../src/host/mountinfo.ts';

test('reads mount point, root, type, source and whether it is shared, with escapes undone', () => {
  const text = [
    String.raw`36 35 98:0 /mnt1 /mnt/a\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue`,
    '37 35 0:30 / /srv rw shared:7 master:2 - btrfs /dev/loop0 rw',
    'rubbish',
    '',
  ].join('\n');
  assert.deepEqual(parseMountinfo(text), [
    { mountPoint: '/mnt/a b', root: '/mnt1', type: 'ext3', source: '/dev/root', shared: false },
    { mountPoint: '/srv', root: '/', type: 'btrfs', source: '/dev/loop0', shared: true },
  ]);
});
