// Many running instances for a benchmark: declared over as many bridges as they need, started, and checked from outside.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestHost } from '../test/host/harness.ts';

/** A Linux bridge has at most 1,023 ports (BR_MAX_PORTS); addresses of a /22 are 1,022. */
export const PORTS = 500;
const START_MS = 300_000;

function document(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;
}

/** Pool, image, and a bridge for each `ports` instances; subnets follow from the prefix, so that runs side by side do not collide. */
export function fleetFoundation(prefix: string, count: number, ports = PORTS): string {
  const [a = 0, b = 0] = createHash('sha256').update(prefix).digest();
  const bridges = Array.from({ length: Math.ceil(count / ports) }, (_, at) =>
    document(
      'Network',
      `lan${at}`,
      `{ type: bridge, config: { ipv4.address: 10.${200 + (a % 50)}.${((b % 32) + at) * 4}.1/22, ipv4.nat: "true" } }`,
    ),
  );
  return [
    document('StoragePool', 'fast', '{ driver: btrfs, config: { size: 8GiB } }'),
    document('Image', 'busybox', '{ source: { build: { type: busybox } } }'),
    document('Profile', 'default', '{ devices: { root: { type: disk, path: /, pool: fast } } }'),
    ...bridges,
  ].join('');
}

export function fleetInstance(name: string, at: number, ports = PORTS): string {
  const network = `lan${Math.floor(at / ports)}`;
  return document(
    'Instance',
    name,
    `{ image: busybox, config: { limits.memory: 64MiB }, devices: { eth0: { type: nic, network: ${network} } } }`,
  );
}

export function fleetNames(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `c${at}`);
}

/** Declares and starts them; resolves when all are Ready, really run, and the host has become quiet. */
export async function startFleet(host: TestHost, count: number): Promise<void> {
  host.write('a.yaml', fleetFoundation(host.prefix, count));
  await host.start();
  await host.waitReady();
  await growFleet(host, count);
}

/** As `startFleet`, of a daemon that has the foundation already. */
export async function growFleet(host: TestHost, count: number): Promise<void> {
  host.write(
    'b.yaml',
    fleetNames(count)
      .map((name, at) => fleetInstance(name, at))
      .join(''),
  );
  await host.eventually(
    `${count} instances are Ready`,
    async () => {
      await sleep(500);
      const { objects, settled } = await host.status();
      return settled && objects.filter(({ ref }) => ref.kind === 'Instance').length === count;
    },
    START_MS,
  );
  checkRunning(host, fleetNames(count));
}

/** Throws unless each named instance has an init of its own in an unprivileged user namespace. Returns the pids in order. */
export function checkRunning(host: TestHost, names: readonly string[]): number[] {
  const root = `${cgroupRoot()}/${host.prefix}.lockstep`;
  const pids = names.map((name) => {
    const pid = initOf(root, name);
    assert.ok(pid !== undefined, `"${name}" runs`);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s*0\s+0\s/, 'it is unprivileged');
    return pid;
  });
  assert.equal(new Set(pids).size, names.length, 'each has an init of its own');
  return pids;
}

/** Where cgroups are looked up: in the unified hierarchy or, on hybrid hosts, in that of the v1 controller for processes. */
export function cgroupRoot(): string {
  return `/sys/fs/cgroup${readdirSync('/sys/fs/cgroup').includes('pids') ? '/pids' : ''}`;
}

/** Not what has a path below /etc/init.d among its arguments. */
const INIT = /^(?:\/sbin\/)?init\0/;

/** What runs as init of the named container, once it has executed the guest's init: looked up from outside, in its cgroup. */
export function initOf(root: string, name: string): number | undefined {
  try {
    for (const pid of readFileSync(`${root}/${name}/payload/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      if (INIT.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))) return Number(pid);
    }
  } catch {
    // Not there yet, or ended meanwhile.
  }
  return undefined;
}

/** Milliseconds and status of a request to the daemon. */
export async function ask(host: TestHost, method: 'GET' | 'POST', path: string): Promise<{ status: number; ms: number; body: string }> {
  const began = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; ms: number; body: string }>();
  const asked = request({ socketPath: host.paths.socket, method, path, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () =>
      resolve({ status: answer.statusCode ?? 0, ms: performance.now() - began, body: Buffer.concat(chunks).toString() }),
    );
  });
  asked.on('error', reject);
  asked.end();
  return await promise;
}
