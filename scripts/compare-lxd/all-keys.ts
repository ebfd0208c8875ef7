// All instance keys of LXD, found without its source: every text in its program that could be one is offered to it, and what it does not
// call unknown is a key. So a key that the registry lacks is found, too.
import { readFileSync } from 'node:fs';
import type { LxdPeer } from './peer.ts';

const PROGRAM = '/usr/bin/lxd';
/** Families with fixed names; `user.*`, `environment.*`, `linux.sysctl.*` and `limits.kernel.*` take any. */
const CANDIDATE = /(?:boot|cloud-init|limits|security|raw|linux|nvidia|migration|snapshots|cluster|agent)\.[a-zA-Z0-9_.]{2,60}/g;
const ANY_NAME = /^(?:limits\.kernel|linux\.sysctl)\./;
const LONGEST = 45;
const WIDTH = 4;

/** Sorted. */
export async function askAllKeys(peer: LxdPeer): Promise<string[]> {
  // Go keeps its texts one behind the other without an end mark: each beginning of a match may be the key.
  const texts = readFileSync(PROGRAM).toString('latin1').matchAll(CANDIDATE);
  const candidates = new Set<string>();
  for (const [text] of texts) {
    for (let end = text.indexOf('.') + 3; end <= Math.min(text.length, LONGEST); end++) candidates.add(text.slice(0, end));
  }
  const left = [...candidates].filter((key) => !ANY_NAME.test(key));
  const keys: string[] = [];
  await Promise.all(
    Array.from({ length: WIDTH }, async (_, worker) => {
      const name = `lxoffer${worker}`;
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const answer = await peer.call('POST', '/1.0/profiles', { name, config: { [key]: '1' }, devices: {} });
        if (answer.ok) await peer.must('DELETE', `/1.0/profiles/${name}`);
        if (answer.ok || !answer.error.includes('Unknown configuration key')) keys.push(key);
      }
    }),
  );
  return keys.toSorted();
}

/** Keys of LXD that Lockstep means not to know. */
export const MEANT_UNKNOWN: ReadonlySet<string> = new Set([
  // Virtual machines.
  'agent.nic_config',
  'limits.memory.hugepages',
  'raw.qemu',
  'raw.qemu.conf',
  'security.agent.metrics',
  'security.secureboot',
  // Former names of security.syscalls.deny and its kin.
  'security.syscalls.blacklist',
  'security.syscalls.blacklist_compat',
  'security.syscalls.blacklist_default',
]);
