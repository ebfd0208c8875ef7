import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cgroups, parseHierarchies } from '../../../../src/host/lxc/cgroups.ts';

const HYBRID = parseHierarchies(
  [
    '30 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755',
    '31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:1 - cgroup2 cgroup2 rw',
    '32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
    '34 30 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer',
    '35 30 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd',
  ].join('\n'),
  '5:memory:/\n4:cpu,cpuacct:/\n3:freezer:/\n2:name=systemd:/init.scope\n0::/init.scope\n',
);
const V2 = parseHierarchies('31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate', '0::/init.scope\n');

test("a file is looked for in its controller's hierarchy, else in the unified one", () => {
  const hybrid = new Cgroups('ls', HYBRID);
  assert.equal(hybrid.path('web', 'memory.limit_in_bytes'), '/sys/fs/cgroup/memory/ls.lockstep/web/payload/memory.limit_in_bytes');
  assert.equal(hybrid.path('web', 'cpu.cfs_quota_us'), '/sys/fs/cgroup/cpu,cpuacct/ls.lockstep/web/payload/cpu.cfs_quota_us');
  assert.equal(hybrid.path('web', 'pids.max'), '/sys/fs/cgroup/unified/ls.lockstep/web/payload/pids.max');
  assert.equal(hybrid.unifiedOnly, false);
  assert.equal(hybrid.freezerFile('web'), '/sys/fs/cgroup/freezer/ls.lockstep/web/payload/freezer.state');
  const v2 = new Cgroups('ls', V2);
  assert.equal(v2.path('web', 'memory.max'), '/sys/fs/cgroup/ls.lockstep/web/payload/memory.max');
  assert.equal(v2.unifiedOnly, true);
  assert.equal(v2.freezerFile('web'), '/sys/fs/cgroup/ls.lockstep/web/payload/cgroup.events');
});

test('a file name that is none has no path', () => {
  const v2 = new Cgroups('ls', V2);
  for (const file of ['../memory.max', 'memory', 'a/b.c', '.x', 'memory.max\n', '']) assert.equal(v2.path('web', file), undefined);
});

test('where PID 1 is in a group of its own, ours are below it', () => {
  const nested = parseHierarchies('31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', '0::/outer/init.scope\n');
  assert.equal(new Cgroups('ls', nested).path('web', 'pids.max'), '/sys/fs/cgroup/outer/ls.lockstep/web/payload/pids.max');
});

test('frozen is told from either kind of file', () => {
  assert.equal(Cgroups.isFrozen('FROZEN\n'), true);
  assert.equal(Cgroups.isFrozen('THAWED\n'), false);
  assert.equal(Cgroups.isFrozen('populated 1\nfrozen 1\n'), true);
  assert.equal(Cgroups.isFrozen('populated 1\nfrozen 0\n'), false);
  assert.equal(Cgroups.isFrozen(undefined), false);
});

test('a limit of a container that has ended meanwhile is no missing feature', async () => {
  const mounted = parseHierarchies('31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', '0::/init.scope\n');
  await assert.rejects(new Cgroups('none', mounted).write('no-such-container', 'memory.max', '1'), { code: 'LXC_NOT_RUNNING' });
});
