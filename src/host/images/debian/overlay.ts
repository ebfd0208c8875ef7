// Files laid over a fresh Debian: networking by DHCP, cloud-init's data source, and links that switch units on and off.
import type { TarEntry } from '../busybox/tar-writer.ts';
import { MASKED_UNITS } from './packages.ts';

// After 10-cloud-init-*.network, which cloud-init writes when an instance brings its own network configuration.
const network = `# eth0 by DHCP. Lockstep made this file; one that sorts before it takes precedence.
[Match]
Name=eth0

[Network]
DHCP=yes
IPv6AcceptRA=yes

[DHCPv4]
# The address is bound to the network card's address, not to this system's machine-id.
ClientIdentifier=mac
UseDomains=yes
UseHostname=no
`;

// Networking is left to the seed's network-config; without one cloud-init asks for DHCP on the first network card, as the file above.
const cloudInit = `# The only source of data is the seed that Lockstep writes; no other is searched for, which saves half a minute.
datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    fs_label: null
# Without the package "locales" there is only C.UTF-8; user-data may say otherwise.
locale: false
`;

// Without it, a container that has no network card, or no DHCP server, would wait two minutes and then have a failed unit.
const waitOnline = `[Unit]
ConditionPathExists=/sys/class/net/eth0

[Service]
ExecStart=
ExecStart=-/lib/systemd/systemd-networkd-wait-online --any --timeout=20
`;

// AppArmor's profile for containers refuses what systemd mounts for these protections of a service (a proc of its own, remounts below
// /proc and /sys), and the service then fails: networkd, resolved and logind among them. Debian 13 with liblxc 6.0, without nesting.
const services = `[Service]
ProtectProc=default
ProcSubset=all
ProtectKernelTunables=no
ProtectControlGroups=no
PrivateNetwork=no
`;

interface OverlayFile {
  readonly path: string;
  readonly text: string;
}

const FILES: readonly OverlayFile[] = [
  { path: 'etc/systemd/network/80-eth0.network', text: network },
  { path: 'etc/cloud/cloud.cfg.d/90-lockstep.cfg', text: cloudInit },
  { path: 'etc/systemd/system/systemd-networkd-wait-online.service.d/lockstep.conf', text: waitOnline },
  { path: 'etc/systemd/system/service.d/50-lockstep.conf', text: services },
  { path: 'etc/hosts', text: '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' },
  // Empty: a new id is made at the first boot of each instance (machine-id(5)).
  { path: 'etc/machine-id', text: '' },
];

const NETWORKD = '/lib/systemd/system/systemd-networkd.service';

const LINKS: readonly { readonly path: string; readonly target: string }[] = [
  { path: 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service', target: NETWORKD },
  { path: 'etc/systemd/system/sockets.target.wants/systemd-networkd.socket', target: '/lib/systemd/system/systemd-networkd.socket' },
  {
    path: 'etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service',
    target: '/lib/systemd/system/systemd-networkd-wait-online.service',
  },
];

const RESOLVED_LINKS: readonly { readonly path: string; readonly target: string }[] = [
  { path: 'etc/systemd/system/multi-user.target.wants/systemd-resolved.service', target: '/lib/systemd/system/systemd-resolved.service' },
  { path: 'etc/resolv.conf', target: '../run/systemd/resolve/stub-resolv.conf' },
];

/** Entries for an archive that is unpacked over the new root; directories come before what is in them. */
export function overlayEntries(): TarEntry[] {
  const links = [
    ...LINKS,
    ...RESOLVED_LINKS,
    ...Object.keys(MASKED_UNITS).map((unit) => ({ path: `etc/systemd/system/${unit}`, target: '/dev/null' })),
  ];
  const entries: TarEntry[] = [];
  const directories = new Set<string>();
  function addParents(path: string): void {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      const parent = path.slice(0, at);
      if (directories.has(parent)) continue;
      directories.add(parent);
      entries.push({ type: 'directory', path: parent, mode: 0o755 });
    }
  }
  for (const { path, text } of FILES) {
    addParents(path);
    entries.push({ type: 'file', path, mode: 0o644, content: Buffer.from(text) });
  }
  for (const { path, target } of links) {
    addParents(path);
    entries.push({ type: 'symlink', path, target });
  }
  return entries;
}
