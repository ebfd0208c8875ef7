// Which daemon is compared with, and how it and its client are started: LXD as installed here, or Incus, installed here or in the root
// directory of another distribution (`mmdebstrap --include=incus-base,incus-client,... trixie DIR`). In a root directory the daemon gets a
// mount and a network namespace of its own, which take everything it mounts and every bridge it makes with them.
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';

export interface Program {
  /** As people call it. */
  readonly name: 'LXD' | 'Incus';
  /** Starts the daemon in `dir`, as the daemon itself sees it. */
  daemon(dir: string): readonly string[];
  /** The stock client with these arguments. */
  client(argv: readonly string[]): readonly string[];
  /** What `lxd init` and `lxd shutdown` are. */
  admin(argv: readonly string[]): readonly string[];
  environment(dir: string): Readonly<Record<string, string>>;
  /** Its table in the host's nftables, if it makes one there. */
  readonly table: string | undefined;
  /** A new empty directory, as this process sees it and as the daemon does. */
  makeDirectory(): { readonly here: string; readonly there: string };
  /** The directory its documents usually name. */
  readonly usualDirectory: string;
  readonly install: string;
}

const PATH = '/usr/libexec/incus:/usr/sbin:/usr/bin:/sbin:/bin';

export const LXD: Program = {
  name: 'LXD',
  daemon: () => ['/usr/bin/lxd', '--group', 'root'],
  client: (argv) => ['lxc', ...argv],
  admin: (argv) => ['lxd', ...argv],
  environment: (dir) => ({ PATH, LXD_DIR: dir, LXD_CONF: dir, HOME: dir, LC_ALL: 'C.UTF-8' }),
  table: 'table inet lxd',
  makeDirectory: () => sameThere(mkdtempSync('/var/tmp/lockstep-lxd-')),
  usualDirectory: '/var/lib/lxd',
  install: 'apt-get install lxd lxd-client lxd-tools',
};

/** `root`: a directory that holds a system with Incus; undefined: it is installed here. */
export function incus(root: string | undefined): Program {
  const inside = root === undefined ? [] : ['chroot', root];
  return {
    name: 'Incus',
    daemon: () =>
      root === undefined
        ? ['incusd', '--group', 'root']
        : ['unshare', '--mount', '--net', '--propagation', 'private', 'sh', '-ec', IN_ROOT, 'sh', root],
    client: (argv) => [...inside, 'incus', ...argv],
    admin: (argv) => (argv[0] === 'shutdown' ? [...inside, 'incusd', ...argv] : [...inside, 'incus', 'admin', ...argv]),
    environment: (dir) => ({ PATH, INCUS_DIR: dir, INCUS_CONF: dir, HOME: dir, LC_ALL: 'C.UTF-8' }),
    table: root === undefined ? 'table inet incus' : undefined,
    makeDirectory: () => {
      if (root === undefined) return sameThere(mkdtempSync('/var/tmp/lockstep-incus-'));
      if (!existsSync(join(root, 'usr/libexec/incus/incusd'))) throw new Error(`There is no Incus in ${root}.`);
      mkdirSync(join(root, 'var/tmp'), { recursive: true });
      const here = mkdtempSync(join(root, 'var/tmp/lockstep-incus-'));
      return { here, there: here.slice(root.length) };
    },
    usualDirectory: '/var/lib/incus',
    install: 'apt-get install incus-base incus-client, or --incus-root DIR',
  };
}

/** The root gets what a daemon needs of the host; the mounts end with the namespace. */
const IN_ROOT = `
for each in proc sys dev; do mount --rbind /$each "$1/$each"; done
mount -t tmpfs tmpfs "$1/run"
ip link set lo up
exec chroot "$1" incusd --group root
`;

function sameThere(dir: string): { here: string; there: string } {
  return { here: dir, there: dir };
}
