// Whom dnsmasq runs as: the user its package made, else `nobody`.
import { readFile } from 'node:fs/promises';
import { isErrno } from '../../../core/errors.ts';
import type { Account } from './arguments.ts';

export async function dnsmasqAccount(): Promise<Account> {
  const users = await table('/etc/passwd');
  const groups = await table('/etc/group');
  for (const user of ['dnsmasq', 'nobody']) {
    const gid = users.find(([name]) => name === user)?.[3];
    const group = groups.find(([, , id]) => id === gid)?.[0];
    if (gid !== undefined && group !== undefined) return { user, group, gid: Number(gid) };
  }
  return { user: 'root', group: 'root', gid: 0 };
}

async function table(file: string): Promise<string[][]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return '';
    // No descriptor left, say: another account would be another server, and a restart of each.
    throw error;
  });
  return text.split('\n').map((line) => line.split(':'));
}
