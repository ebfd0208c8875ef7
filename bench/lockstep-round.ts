// One round of Lockstep in a benchmark: instances from a manifest until they really run, and their deletion.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestHost } from '../test/host/harness.ts';
import { foundation, instances } from '../test/host/manifests.ts';
import { cgroupRoot, initOf } from './fleet.ts';

const LIMIT_MS = 120_000;

/** Waits until each has an init. Looks at one file at a time, so that looking costs what is measured as little as it can. */
export async function allRunning(cgroups: string, names: readonly string[]): Promise<void> {
  const root = `${cgroupRoot()}/${cgroups}`;
  const until = performance.now() + LIMIT_MS;
  for (const name of names) {
    while (initOf(root, name) === undefined) {
      if (performance.now() > until) throw new Error(`"${name}" does not run.`);
      await sleep(5);
    }
  }
}

/** Each a different process, in a user namespace. */
export function checkReallyRunning(cgroups: string, names: readonly string[]): void {
  const pids = names.map((name) => initOf(`${cgroupRoot()}/${cgroups}`, name));
  assert.equal(new Set(pids).size, names.length, 'each has an init of its own');
  for (const pid of pids) {
    assert.ok(pid !== undefined);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s*0\s+0\s/, 'it is unprivileged');
  }
}

/** A daemon with pool, network and the unpacked image: from then on each instance is a snapshot. */
export async function prepare(host: TestHost): Promise<void> {
  host.write('a.yaml', foundation(host.prefix));
  await host.start();
  await host.waitReady();
  host.write('b.yaml', instances(1));
  await host.eventually('one instance is Ready', async () => {
    const { objects, settled } = await host.status();
    return settled && objects.some(({ ref }) => ref.name === 'c0');
  });
  host.remove('b.yaml');
  await host.eventually('it is gone', async () => (await host.status()).objects.every(({ ref }) => ref.kind !== 'Instance'));
}

export interface LockstepRound {
  /** From the manifest to all RUNNING. */
  readonly launchMs: number;
  /** From the confirmation of the deletion to all gone. */
  readonly stopMs: number;
  /** From the manifest to all Ready in the daemon's status. */
  readonly readyMs: number;
  /** Of the daemon with all of them running. */
  readonly rssMiB: number;
}

/** Declares `count` instances, waits for them, and takes them away again. */
export async function lockstepRound(host: TestHost, count: number): Promise<LockstepRound> {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  const cgroups = `${host.prefix}.lockstep`;
  const text = instances(count);
  const begun = performance.now();
  host.write('b.yaml', text);
  await allRunning(cgroups, names).catch(async (error: unknown) => {
    for (const { ref, summary } of (await host.status()).objects) console.error(`${ref.kind} ${ref.name}: ${summary}`);
    throw error;
  });
  const launchMs = performance.now() - begun;
  await host.eventually('all are Ready', async () => {
    const { objects, settled } = await host.status();
    return settled && objects.filter(({ ref }) => ref.kind === 'Instance').length === count;
  });
  const readyMs = performance.now() - begun;
  checkReallyRunning(cgroups, names);
  const rssMiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${host.daemonPid}/status`, 'utf8'))?.[1]) / 1024;

  host.remove('b.yaml');
  let hash: string | undefined;
  await host.eventually('the deletion asks to be confirmed', async () => {
    hash = (await host.status()).confirmations.find(({ objects }) => objects.length === count)?.hash;
    return hash !== undefined;
  });
  const confirmed = performance.now();
  const { status, body } = await host.post('/v1/confirmations', { source: 'main', hash });
  assert.equal(status, 200, body);
  await host.eventually('all are gone', async () => (await host.status()).objects.every(({ ref }) => ref.kind !== 'Instance'));
  const stopMs = performance.now() - confirmed;
  assert.deepEqual(readdirSync(host.paths.instances), []);
  return { launchMs, readyMs, stopMs, rssMiB };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
