// The table from limits to control files.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  chooseCpus,
  knobWrites,
  type LimitSpec,
  limitGaps,
  limitKnobs,
  sameKnobValue,
  unlimitedValue,
} from '../../../../src/host/cgroup/knobs.ts';
import { HYBRID, V2 } from '../../kinds/instance/fixture.ts';

function knobs(limits: LimitSpec, host = HYBRID): Record<string, string> {
  return Object.fromEntries(limitKnobs(limits, host, 'uid').map(({ file, value }) => [file, value]));
}

describe('control files of limits', () => {
  it('on v1: memory with its swap and soft limits, as LXD sets them', () => {
    assert.deepEqual(knobs({ memory: { bytes: 134_217_728 } }), {
      'memory.limit_in_bytes': '134217728',
      'memory.memsw.limit_in_bytes': '134217728',
      'memory.soft_limit_in_bytes': '120795955',
    });
  });

  it('on v2: memory without a protection that nobody asked for', () => {
    assert.deepEqual(knobs({ memory: { bytes: 134_217_728 } }, V2), { 'memory.max': '134217728', 'memory.swap.max': '0' });
  });

  it('a percentage is of the memory of the host', () => {
    assert.equal(knobs({ memory: { percent: 25 } }, V2)['memory.max'], String(2 * 1024 ** 3));
  });

  it('a soft limit is nothing else', () => {
    const limits: LimitSpec = { memory: { bytes: 4096 }, memoryEnforce: 'soft' };
    assert.deepEqual(knobs(limits), { 'memory.soft_limit_in_bytes': '4096' });
    assert.deepEqual(knobs(limits, V2), { 'memory.low': '4096' });
  });

  it('no swap: v1 by swappiness, v2 by a swap limit of 0', () => {
    assert.deepEqual(knobs({ memorySwap: false }), { 'memory.swappiness': '0' });
    assert.deepEqual(knobs({ memorySwap: false }, V2), { 'memory.swap.max': '0' });
  });

  it('a share of CPU time, and its priority', () => {
    assert.deepEqual(knobs({ cpuAllowance: { percent: 50 } }), { 'cpu.shares': '512' });
    assert.deepEqual(knobs({ cpuAllowance: { percent: 50 } }, V2), { 'cpu.weight': '50' });
    assert.deepEqual(knobs({ cpuPriority: 5 }), { 'cpu.shares': '1019' });
    assert.deepEqual(knobs({ cpuAllowance: { percent: 1 }, cpuPriority: 0 }, V2), { 'cpu.weight': '1' });
    assert.deepEqual(knobs({ cpuAllowance: { percent: 100 }, cpuPriority: 10 }), {});
  });

  it('a quota of CPU time', () => {
    const limits: LimitSpec = { cpuAllowance: { quotaMs: 25, periodMs: 100 } };
    assert.deepEqual(limitKnobs(limits, HYBRID, ''), [
      { file: 'cpu.cfs_period_us', value: '100000' },
      { file: 'cpu.cfs_quota_us', value: '25000' },
    ]);
    assert.deepEqual(knobs(limits, V2), { 'cpu.max': '25000 100000' });
  });

  it('processes and literal CPUs are the same on both', () => {
    const limits: LimitSpec = { processes: 7, cpu: { set: [0, 1, 3] } };
    for (const host of [HYBRID, V2]) assert.deepEqual(knobs(limits, host), { 'cpuset.cpus': '0-1,3', 'pids.max': '7' });
  });

  it('are left out where the host has no controller, and the keys are told', () => {
    const host = { ...V2, controllers: new Set(['memory']), swapAccounting: false };
    const limits: LimitSpec = { memory: { bytes: 4096 }, processes: 7, cpu: { count: 1 } };
    assert.deepEqual(knobs(limits, host), { 'memory.max': '4096' });
    assert.deepEqual(limitGaps(limits, host).toSorted(), ['limits.cpu', 'limits.processes']);
    assert.deepEqual(limitGaps(limits, V2), []);
    assert.deepEqual(limitGaps({ cpu: { set: [9] } }, V2), ['limits.cpu']);
  });
});

describe('a count of CPUs', () => {
  it('is the same CPUs for the same instance, spread over instances', () => {
    const chosen = (seed: string): string => chooseCpus({ count: 2 }, [0, 1, 2, 3], seed).join();
    assert.equal(chosen('a'), chosen('a'));
    const all = new Set(Array.from({ length: 50 }, (_, at) => chosen(`uid-${at}`)));
    assert.deepEqual([...all].toSorted(), ['0,1', '0,3', '1,2', '2,3']);
  });

  it('is all of them when the host has no more', () => {
    assert.deepEqual(chooseCpus({ count: 9 }, [0, 2], 'a'), [0, 2]);
  });
});

describe('a value read back', () => {
  it('is the same when the kernel only wrote it its own way', () => {
    const same: [string, string, string][] = [
      ['memory.max', '67108864\n', '67108864'],
      ['memory.max', '67104768', '67108000'],
      ['memory.max', 'max', 'max'],
      ['memory.limit_in_bytes', '9223372036854771712', '-1'],
      ['cpuset.cpus', '0-3', '0,1,2,3'],
      ['cpu.max', 'max 100000', 'max 100000'],
      ['pids.max', 'max', 'max'],
    ];
    for (const [file, read, meant] of same) assert.ok(sameKnobValue(file, read, meant), `${file}: ${read}`);
  });

  it('differs when it was changed', () => {
    const changed: [string, string, string][] = [
      ['memory.max', 'max', '67108864'],
      ['memory.limit_in_bytes', '9223372036854771712', '4096'],
      ['cpuset.cpus', '0-2', '0-3'],
      ['cpu.max', 'max 100000', '25000 100000'],
      ['pids.max', '8', '7'],
    ];
    for (const [file, read, meant] of changed) assert.ok(!sameKnobValue(file, read, meant), `${file}: ${read}`);
  });

  it('leads to writes in the order the kernel takes: memory+swap first when the limit rises, last when it falls', () => {
    const files = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
    const order = (from: string, to: string): string[] =>
      knobWrites(
        files.map((file) => ({ file, value: to })),
        new Map(files.map((file) => [file, from])),
      ).map(({ file }) => file);
    assert.deepEqual(order('4096', '8192'), files.toReversed());
    assert.deepEqual(order('8192', '4096'), files);
    assert.deepEqual(order('9223372036854771712', '4096'), files);
    assert.deepEqual(order('4096', '-1'), files.toReversed());
  });

  it('that was not read is written', () => {
    assert.deepEqual(knobWrites([{ file: 'pids.max', value: '5' }], new Map()), [{ file: 'pids.max', from: undefined, to: '5' }]);
  });
});

describe('no limit', () => {
  it('has a value for each file of ours, and none for others', () => {
    assert.equal(unlimitedValue('memory.limit_in_bytes', HYBRID), '-1');
    assert.equal(unlimitedValue('memory.max', V2), 'max');
    assert.equal(unlimitedValue('cpuset.cpus', V2), '0-3');
    assert.equal(unlimitedValue('cpu.shares', HYBRID), '1024');
    assert.equal(unlimitedValue('devices.allow', HYBRID), undefined);
  });
});
