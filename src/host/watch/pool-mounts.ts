// Mounts at and below the pools: when one of them comes, goes or changes, the pools are looked at. The kernel tells only that something
// in the table changed; the lines about pools are compared, so that the mounts of others cost nothing more.
import { readFile, realpath } from 'node:fs/promises';
import type { Paths } from '../../core/paths.ts';
import { loadNative } from '../lxc/binding.ts';

/** What happens together (a container engine starts, a mount is moved) is one reading. */
const GATHER_MS = 20;

/** Returns the function that ends it. */
export async function watchPoolMounts(paths: Paths, changed: () => void): Promise<() => void> {
  const { MountWatch } = loadNative();
  let timer: NodeJS.Timeout | undefined;
  // The table knows paths without symbolic links only.
  const pools = await realpath(paths.pools);
  let known = await poolLines(pools);
  const compare = async (): Promise<void> => {
    // What cannot be read may have changed.
    const now = await poolLines(pools).catch(() => undefined);
    if (now !== undefined && now === known) return;
    known = now ?? known;
    changed();
  };
  const watch = new MountWatch(() => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void compare();
    }, GATHER_MS);
  });
  return () => {
    clearTimeout(timer);
    watch.close();
  };
}

async function poolLines(pools: string): Promise<string> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const escaped = pools.replace(/[ \t\n\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return poolMounts(table, escaped);
}

/** The lines of mount points below a directory. Pure. `pools`: as the table writes it. */
export function poolMounts(mountinfo: string, pools: string): string {
  return mountinfo
    .split('\n')
    .filter((line) => line.split(' ', 5)[4]?.startsWith(`${pools}/`))
    .join('\n');
}
