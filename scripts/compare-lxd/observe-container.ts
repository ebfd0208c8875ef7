// What can be seen of a running container from the host: limits, environment, id map, cgroup values, mounts. Two observations that are
// equal mean that a change had no effect yet.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/host/run/run.ts';
import type { LxdPeer } from './peer.ts';

/** Control files of both cgroup versions; those that are there are read. */
const KNOBS = [
  'memory.limit_in_bytes',
  'memory.memsw.limit_in_bytes',
  'memory.soft_limit_in_bytes',
  'memory.swappiness',
  'cpu.shares',
  'cpu.cfs_quota_us',
  'cpu.cfs_period_us',
  'cpuset.cpus',
  'pids.max',
  'hugetlb.2MB.limit_in_bytes',
  'memory.max',
  'memory.low',
  'memory.swap.max',
  'cpu.max',
  'cpu.weight',
  'hugetlb.2MB.max',
] as const;

export type Observation = Readonly<Record<string, string>>;

export async function observeContainer(peer: LxdPeer, name: string): Promise<Observation> {
  // LXD balances CPUs in the background, a moment after the request is answered.
  await sleep(700);
  const state = (await peer.must('GET', `/1.0/instances/${name}/state`)) as { readonly pid: number };
  const proc = `/proc/${state.pid}`;
  const seen: Record<string, string> = {};
  seen['limits'] = readFileSync(join(proc, 'limits'), 'utf8');
  seen['init environment'] = readFileSync(join(proc, 'environ'), 'utf8').split('\0').toSorted().join('\n');
  seen['id map'] = readFileSync(join(proc, 'uid_map'), 'utf8');
  seen['privileges'] = statusLines(readFileSync(join(proc, 'status'), 'utf8'));
  seen['mounts'] = mountPoints(readFileSync(join(proc, 'mountinfo'), 'utf8'));
  for (const [knob, value] of cgroupValues(readFileSync(join(proc, 'cgroup'), 'utf8'))) seen[knob] = value;
  const forward = await run(['nsenter', '-t', String(state.pid), '-n', 'cat', '/proc/sys/net/ipv4/ip_forward']);
  seen['net.ipv4.ip_forward'] = forward.stdout.trim();
  const env = await peer.cli(['exec', name, '--', 'env']);
  seen['exec environment'] = env.stdout.split('\n').toSorted().join('\n');
  return seen;
}

function statusLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^(?:CapBnd|Seccomp|Seccomp_filters|NoNewPrivs):/.test(line))
    .join('\n');
}

function mountPoints(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      return `${fields[4]} ${fields[fields.indexOf('-') + 1]}`;
    })
    .toSorted()
    .join('\n');
}

function cgroupValues(text: string): [string, string][] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line): [string, string][] => {
      const [, controllers = '', path = ''] = line.split(':');
      const base = join('/sys/fs/cgroup', controllers.replace(/^name=/, ''), path);
      return KNOBS.filter((knob) => existsSync(join(base, knob))).map((knob) => [knob, readFileSync(join(base, knob), 'utf8').trim()]);
    });
}

/** Names of what differs. */
export function differing(a: Observation, b: Observation): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]).toSorted();
}
