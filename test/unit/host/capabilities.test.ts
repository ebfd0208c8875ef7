// What files of the host say about ids and architecture, and what is told when something lacks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { architectureName, idsInside, parseIdMap, subordinateIds } from '../../../src/host/capabilities.ts';
import { missingForLockstep } from '../../../src/host/doctor.ts';
import { HYBRID } from '../kinds/instance/fixture.ts';

describe('ids for containers', () => {
  it("are root's range in both files", () => {
    assert.deepEqual(subordinateIds('user:1:5\nroot:200000:65536\n', 'root:200000:131072\n'), { first: 200_000, count: 65_536 });
  });

  it('are the largest of several', () => {
    const text = 'root:100000:65536\nroot:1000000:1000000\n';
    assert.deepEqual(subordinateIds(text, text), { first: 1_000_000, count: 1_000_000 });
  });

  it('are the default when root has none at all', () => {
    assert.deepEqual(subordinateIds('', 'user:1:5\n'), { first: 1_000_000, count: 1_000_000_000 });
  });

  it('are none when only one file gives root some, or they do not overlap', () => {
    assert.equal(subordinateIds('root:100000:65536\n', '').count, 0);
    assert.equal(subordinateIds('root:100000:65536\n', 'root:900000:65536\n').count, 0);
  });

  it('in a container are what is mapped beyond its own users', () => {
    assert.deepEqual(idsInside(parseIdMap('         0    1000000 1000000000\n')), { first: 65_536, count: 999_934_464 });
    assert.equal(idsInside(parseIdMap('0 1000000 65536\n')).count, 0);
    assert.equal(idsInside(parseIdMap('')).count, 0);
    assert.deepEqual(idsInside(parseIdMap('0 1000 65536\n200000 300000 131072\n')), { first: 200_000, count: 131_072 });
  });
});

describe('architectures', () => {
  it('are named as liblxc and images name them', () => {
    assert.deepEqual([architectureName('x64'), architectureName('arm64'), architectureName('riscv64')], ['x86_64', 'aarch64', 'riscv64']);
  });
});

describe('doctor', () => {
  it('tells what lacks and how to get it', () => {
    const lacking = missingForLockstep({ ...HYBRID, controllers: new Set(['cpu']), seccomp: false, ids: { first: 0, count: 10 } });
    const required = lacking.filter((check) => !check.ok && check.required).map((check) => check.name);
    assert.deepEqual(required, ['cgroups', 'seccomp', 'user ids']);
    for (const check of lacking) assert.equal(check.hint !== undefined, !check.ok, check.name);
    assert.match(lacking[0]?.detail ?? '', /without cpuset, memory, pids, blkio/);
  });
});
