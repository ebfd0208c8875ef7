// What happens to a host behind its daemon's back, one thing at a time. Everything is found by the run's own prefix and directories.
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupDir, nftTable } from '../../src/core/names.ts';
import { run } from '../../src/host/run/run.ts';
import { findInit } from '../../test/host/guest.ts';
import type { TestHost } from '../../test/host/harness.ts';
import { findTraces } from '../host-traces.ts';
import type { Seeded } from '../seeded-random.ts';
import type { Remote } from './remote.ts';

export interface Victim {
  readonly host: TestHost;
  readonly random: Seeded;
  readonly remote: Remote;
  readonly names: () => string[];
}

/** Does it, and whatever ends it; false when there was nothing to do it to. */
export type Mishap = (victim: Victim) => Promise<boolean>;

function kill(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // ended meanwhile
  }
}

async function processOf({ host, random }: Victim, what: RegExp): Promise<number | undefined> {
  const found = (await findTraces(host.scope)).processes.filter((one) => what.test(one.what));
  return found.length === 0 ? undefined : random.pick(found).pid;
}

function configOf({ host, random, names }: Victim): string | undefined {
  const files = names().map((name) => join(host.paths.instance(name), 'config'));
  const there = files.filter((file) => existsSync(file));
  return there.length === 0 ? undefined : random.pick(there);
}

async function nft(victim: Victim, verb: string): Promise<boolean> {
  return (await run(['nft', verb, 'table', 'inet', nftTable(victim.host.prefix)])).code === 0;
}

export const mishaps: Readonly<Record<string, Mishap>> = {
  'kill an init': async (victim) => kill(findInit(victim.host, victim.random.pick(victim.names())), 'SIGKILL'),
  'kill a monitor': async (victim) => kill(await processOf(victim, /^monitor /), 'SIGKILL'),
  'kill the helper': async (victim) => kill(await processOf(victim, /^helper /), 'SIGKILL'),
  'kill dnsmasq': async (victim) => kill(await processOf(victim, /^dnsmasq$/), 'SIGKILL'),
  'stop a monitor': async (victim) => {
    const pid = await processOf(victim, /^monitor /);
    if (!kill(pid, 'SIGSTOP')) return false;
    await sleep(victim.random.between(1000, 9000));
    kill(pid, 'SIGCONT');
    return true;
  },
  'freeze an instance': async ({ host, random, names }) => {
    const name = random.pick(names());
    for (const [file, value] of [
      [`/sys/fs/cgroup/freezer/${cgroupDir(host.prefix, name)}/payload/freezer.state`, 'FROZEN'],
      [`/sys/fs/cgroup/${cgroupDir(host.prefix, name)}/payload/cgroup.freeze`, '1'],
    ] as const) {
      if (!existsSync(file)) continue;
      writeFileSync(file, value);
      return true;
    }
    return false;
  },
  'delete a bridge': async ({ host, random }) =>
    (await run(['ip', 'link', 'delete', 'dev', `${host.prefix}-${random.pick(['lan', 'two'])}`])).code === 0,
  'delete a veth': async (victim) => {
    const veths = (await findTraces(victim.host.scope)).links.filter((link) => link.startsWith(`${victim.host.prefix}v`));
    return veths.length > 0 && (await run(['ip', 'link', 'delete', 'dev', victim.random.pick(veths)])).code === 0;
  },
  'flush the firewall': async (victim) => await nft(victim, 'flush'),
  'delete the firewall': async (victim) => await nft(victim, 'delete'),
  'unmount a pool': async ({ host }) => (await run(['umount', '--lazy', host.paths.pool('fast')])).code === 0,
  'add to a configuration': async (victim) => {
    const file = configOf(victim);
    if (file !== undefined) appendFileSync(file, 'lxc.hook.pre-start = /bin/false\n');
    return file !== undefined;
  },
  'truncate a configuration': async (victim) => {
    const file = configOf(victim);
    if (file !== undefined) truncateSync(file, Math.floor(readFileSync(file).length / 2));
    return file !== undefined;
  },
  'take the source away': async ({ remote, random }) => {
    await remote.goAway();
    await sleep(random.between(3000, 15_000));
    await remote.comeBack();
    return true;
  },
};
