// Which Debian package holds a program, so that an error about a missing one can say what to install.

const PACKAGES: Readonly<Record<string, string>> = {
  btrfs: 'btrfs-progs',
  'mkfs.btrfs': 'btrfs-progs',
  'mkfs.ext4': 'e2fsprogs',
  blkid: 'util-linux',
  busybox: 'busybox-static',
  dnsmasq: 'dnsmasq-base',
  getfattr: 'attr',
  setfattr: 'attr',
  git: 'git',
  gpg: 'gpg',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  ip: 'iproute2',
  losetup: 'mount',
  'lxc-ls': 'lxc',
  mmdebstrap: 'mmdebstrap',
  modprobe: 'kmod',
  mount: 'mount',
  umount: 'mount',
  newuidmap: 'uidmap',
  nft: 'nftables',
  mksquashfs: 'squashfs-tools',
  unsquashfs: 'squashfs-tools',
  tar: 'tar',
  xz: 'xz-utils',
  gzip: 'gzip',
  zstd: 'zstd',
  wipefs: 'util-linux',
};

/** The Debian package of a program, by its file name; undefined when it is not in the table. */
export function packageOf(program: string): string | undefined {
  const name = program.slice(program.lastIndexOf('/') + 1);
  return Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined;
}
