// Names of processor architectures: Node's, Debian's, and the kernel's, which LXD and liblxc use and we do.

const BY_NODE: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7l',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};
const BY_DEBIAN: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  armhf: 'armv7l',
  ppc64el: 'ppc64le',
  i386: 'i686',
};

/** As the kernel calls it. */
export function hostArchitecture(): string {
  return BY_NODE[process.arch] ?? process.arch;
}

/** The kernel's name for Debian's, or the same text. */
export function kernelArchitecture(name: string): string {
  return BY_DEBIAN[name] ?? name;
}
