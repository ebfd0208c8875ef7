// limits.*: how much of the host an instance may use. The cgroup knobs behind each are in kinds/instance.
import { applied, type OptionTable, planned } from '../option.ts';
import {
  booleanValue,
  choiceValue,
  cpuAllowanceValue,
  cpuLimitValue,
  cpuSetValue,
  integerValue,
  memoryValue,
  sizeValue,
  softHardValue,
} from '../value-type.ts';

const priority = integerValue({ min: 0, max: 10 });

export const limitsOptions = {
  'limits.cpu': applied(cpuLimitValue, 'live', 'CPUs to run on: a count, balanced over the host, or a literal set. Default: all.', {
    example: '2',
  }),
  'limits.cpu.allowance': applied(
    cpuAllowanceValue,
    'live',
    'How much CPU time: a percentage is a share that counts under contention, a quota per period is a hard limit.',
    { default: '100%', example: '50%' },
  ),
  'limits.cpu.priority': applied(priority, 'live', 'CPU priority among instances with the same allowance; higher gets more.', {
    default: '10',
    example: '5',
  }),
  'limits.cpu.nodes': planned(cpuSetValue, 'live', 'NUMA nodes to place the instance on.', { origin: 'Incus' }),
  'limits.memory': applied(memoryValue, 'live', 'Most memory the instance may use. Default: no limit.', {
    unit: 'bytes',
    example: '512MiB',
  }),
  'limits.memory.enforce': applied(
    choiceValue('hard', 'soft'),
    'live',
    '`hard`: the limit is never exceeded. `soft`: it may be while the host has memory to spare.',
    { default: 'hard', example: 'soft' },
  ),
  'limits.memory.swap': applied(
    booleanValue,
    'live',
    'Whether the instance may be swapped out. A memory limit always means no extra swap.',
    {
      default: 'true',
      example: 'false',
    },
  ),
  'limits.memory.swap.priority': planned(priority, 'live', 'Higher is swapped out later. cgroup v1 only.', { default: '10' }),
  'limits.memory.oom_priority': planned(
    integerValue({ min: -1000, max: 1000 }),
    'live',
    'How likely its processes are killed when memory is short.',
    {
      origin: 'Incus',
    },
  ),
  'limits.processes': applied(integerValue({ min: 1 }), 'live', 'Most processes and threads the instance may have. Default: no limit.', {
    example: '500',
  }),
  'limits.disk.priority': planned(priority, 'live', 'Share of disk throughput under contention; higher gets more.', { default: '5' }),
  'limits.network.priority': planned(priority, 'live', 'Priority of its packets when the host is busy.', { default: '0' }),
  'limits.hugepages.64KB': planned(sizeValue, 'live', 'Most memory in huge pages of 64 KB.', { unit: 'bytes' }),
  'limits.hugepages.1MB': planned(sizeValue, 'live', 'Most memory in huge pages of 1 MB.', { unit: 'bytes' }),
  'limits.hugepages.2MB': planned(sizeValue, 'live', 'Most memory in huge pages of 2 MB.', { unit: 'bytes' }),
  'limits.hugepages.1GB': planned(sizeValue, 'live', 'Most memory in huge pages of 1 GB.', { unit: 'bytes' }),
} as const satisfies OptionTable;

function processLimit(what: string, unit?: string): ReturnType<typeof applied<{ soft: number | 'unlimited'; hard: number | 'unlimited' }>> {
  return applied(softHardValue, 'restart', `Process limit of init and everything below it: ${what} (setrlimit(2)).`, {
    example: '1024:4096',
    ...(unit === undefined ? {} : { unit }),
  });
}

export const kernelLimitOptions = {
  'limits.kernel.as': processLimit('size of the address space', 'bytes'),
  'limits.kernel.core': processLimit('size of a core file', 'bytes'),
  'limits.kernel.cpu': processLimit('CPU time', 'seconds'),
  'limits.kernel.data': processLimit('size of the data segment', 'bytes'),
  'limits.kernel.fsize': processLimit('size of a file it makes', 'bytes'),
  'limits.kernel.locks': processLimit('number of file locks'),
  'limits.kernel.memlock': processLimit('memory locked into RAM', 'bytes'),
  'limits.kernel.nice': processLimit('highest priority (20 - nice)'),
  'limits.kernel.nofile': processLimit('number of open files'),
  'limits.kernel.nproc': processLimit('number of processes of a user'),
  'limits.kernel.rtprio': processLimit('highest real-time priority'),
  'limits.kernel.sigpending': processLimit('number of queued signals'),
} as const satisfies OptionTable;
