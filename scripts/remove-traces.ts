// Removes everything that a daemon with this prefix and these directories has on the host, containers included: after tests, after killed
// daemons, and for `npm run clean:examples`.
import { readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nftTable } from '../src/core/names.ts';
import { run } from '../src/host/run/run.ts';
import { findTraces, type TraceScope } from './host-traces.ts';

const PATIENCE_MS = 30_000;

/**
 * Throws an Error that lists what could not be removed; then the directories are left, too. `patienceMs`: how long is waited for processes
 * that end and for what is busy, all in all.
 */
export async function removeTraces(scope: TraceScope, { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {}): Promise<void> {
  const until = performance.now() + patienceMs;
  await endProcesses(scope, 'daemon', until);
  await thaw(scope);
  await endProcesses(scope, 'guest', until);
  // A monitor ends by itself after its container, and takes links and cgroups with it.
  await processesGone(scope, Math.min(until, performance.now() + 2000));
  await endProcesses(scope, '', until);

  for (let tries = 0; tries === 0 || performance.now() < until; tries++) {
    const { mounts, loops, links, tables, cgroups, claims } = await findTraces(scope);
    if ([mounts, loops, links, tables, cgroups, claims].every((list) => list.length === 0)) break;
    for (const path of mounts) await run(['umount', '--', path]);
    for (const device of loops) await run(['losetup', '--detach', device]);
    for (const name of links) await run(['ip', 'link', 'delete', 'dev', name]);
    if (tables.length > 0) await run(['nft', 'delete', 'table', 'inet', nftTable(scope.prefix)]);
    for (const path of cgroups) removeCgroup(path);
    for (const path of claims) rmSync(path, { force: true });
    if (tries > 0) await sleep(200);
  }
  const left = await findTraces(scope);
  const rest = [
    ...left.processes.map(({ pid, what }) => `${what} (${pid})`),
    ...left.mounts,
    ...left.loops,
    ...left.links,
    ...left.tables,
    ...left.cgroups,
    ...left.claims,
  ];
  if (rest.length > 0) throw new Error(`These could not be removed: ${rest.join(', ')}`);
  // Only now that nothing is mounted below: what is removed is ours.
  for (const root of scope.roots) rmSync(root, { recursive: true, force: true });
}

async function endProcesses(scope: TraceScope, what: string, until: number): Promise<void> {
  const { processes } = await findTraces(scope);
  const mine = processes.filter((one) => one.what.startsWith(what));
  for (const { pid } of mine) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended meanwhile
    }
  }
  const pids = new Set(mine.map((one) => one.pid));
  while (performance.now() < until) {
    const now = await findTraces(scope);
    if (!now.processes.some((one) => pids.has(one.pid))) return;
    await sleep(50);
  }
}

async function processesGone(scope: TraceScope, until: number): Promise<void> {
  while (performance.now() < until) {
    const { processes } = await findTraces(scope);
    if (!processes.some((one) => one.what.startsWith('monitor') || one.what.startsWith('guest'))) return;
    await sleep(50);
  }
}

/** A frozen process does not die before it is thawed (v1), or its monitor waits for it (v2). */
async function thaw(scope: TraceScope): Promise<void> {
  const { cgroups } = await findTraces(scope);
  for (const path of cgroups) {
    for (const [file, value] of [
      ['freezer.state', 'THAWED'],
      ['cgroup.freeze', '0'],
    ] as const) {
      try {
        readFileSync(join(path, file));
        writeFileSync(join(path, file), value);
      } catch {
        // not this hierarchy's file
      }
    }
  }
}

function removeCgroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Still busy for a moment after its last process ended; tried again.
  }
}
