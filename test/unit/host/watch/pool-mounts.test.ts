import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolMounts } from '../../../../src/host/watch/pool-mounts.ts';

const ROOT = '22 1 0:21 / / rw,relatime - btrfs /dev/vda rw';
const POOL = '90 22 7:1 / /var/lib/lockstep/pools/fast rw,noatime shared:5 - btrfs /dev/loop1 rw,space_cache=v2';
const OTHER = '91 22 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw';
const BESIDE = '92 22 0:51 / /var/lib/lockstep/pools-old/fast rw - tmpfs tmpfs rw';

test('only mounts below the pools count, and every word of theirs', () => {
  const seen = (...lines: string[]): string => poolMounts(`${lines.join('\n')}\n`, '/var/lib/lockstep/pools');
  assert.equal(seen(ROOT, POOL), seen(ROOT, OTHER, POOL, BESIDE));
  assert.notEqual(seen(ROOT, POOL), seen(ROOT));
  assert.notEqual(seen(ROOT, POOL), seen(ROOT, POOL, POOL), 'something mounted over it');
  assert.notEqual(seen(POOL), seen(POOL.replace(' rw,noatime', ' ro,noatime')), 'a remount');
});
