// What a daemon has on disk: every file of its state and run directories, with pools down to their volumes, subvolumes told from
// directories, and the text of its firewall table. With host-traces.ts, everything that a crash could leave behind.
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Paths } from '../src/core/paths.ts';
import { nftTable } from '../src/core/names.ts';
import { mustRun, run } from '../src/host/run/run.ts';

/** btrfs: the root of every subvolume has this inode number (BTRFS_FIRST_FREE_OBJECTID). */
const SUBVOLUME_INODE = 256;

/** One line per file, `file PATH`, `directory PATH` or `subvolume PATH`, relative to the state or run directory, sorted. */
export function fileDump({ stateDir, runDir, pools, instances }: Paths): string[] {
  const found: string[] = [];
  const walk = (root: string, directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      const shown = relative(root, path);
      if (!entry.isDirectory()) {
        found.push(`file ${shown}`);
        continue;
      }
      const inPool = relative(pools, path).split('/');
      const isVolume = path.startsWith(`${pools}/`) && inPool.length === 3;
      found.push(`${lstatSync(path).ino === SUBVOLUME_INODE && inPool.length > 1 ? 'subvolume' : 'directory'} ${shown}`);
      // What is in a volume belongs to its instance.
      if (!isVolume) walk(root, path);
    }
  };
  // liblxc makes a lock file per container there (lxclock.c), and never removes one.
  const locks = join('/run/lxc/lock', instances);
  for (const root of [stateDir, runDir, locks]) if (existsSync(root)) walk(root, root);
  return found.toSorted((a, b) => (a < b ? -1 : 1));
}

/** The rules of the prefix's table, one line each; counters left out. */
export async function ruleDump(prefix: string): Promise<string[]> {
  const { stdout } = await run(['nft', '--stateless', 'list', 'table', 'inet', nftTable(prefix)]);
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== '}')
    .map((line) => `rule ${line}`)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

/** Quota groups of subvolumes that are gone (they would cost at every commit); empty where quotas are off. */
export async function staleQuotaGroups(mountPoint: string): Promise<string[]> {
  const groups = await run(['btrfs', 'qgroup', 'show', '--raw', mountPoint]);
  if (groups.code !== 0) return [];
  // Deleted subvolumes are cleaned in the background, and their groups with them: after the next commit, which comes after 30 s at the latest.
  await mustRun(['btrfs', 'filesystem', 'sync', mountPoint]);
  await mustRun(['btrfs', 'subvolume', 'sync', mountPoint]);
  const { stdout } = await mustRun(['btrfs', 'subvolume', 'list', mountPoint]);
  const alive = new Set(['5', ...[...stdout.matchAll(/^ID (\d+) /gm)].map((match) => match[1]!)]);
  const left = await mustRun(['btrfs', 'qgroup', 'show', '--raw', mountPoint]);
  return [...left.stdout.matchAll(/^0\/(\d+)\s/gm)].map((match) => match[1]!).filter((id) => !alive.has(id));
}
