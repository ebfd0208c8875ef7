// The command line of a network's dnsmasq. Pure. It is its identity too: a running one is kept as long as this gives the same list.
// Nothing is read from the host's own dnsmasq configuration.
import { AppError } from '../../../core/errors.ts';
import { numberToIpv4, parseIpv4, parseIpv4Cidr } from '../../../core/ip.ts';
import type { DhcpSpec } from '../../ports/network.ts';

/** Files of one network below `<state-dir>/networks/BRIDGE/`. */
export interface DnsmasqFiles {
  readonly directory: string;
  readonly record: string;
  readonly pid: string;
  readonly leases: string;
  readonly hosts: string;
  readonly names: string;
  readonly log: string;
}

/** Whom dnsmasq becomes after it has opened its sockets. */
export interface Account {
  readonly user: string;
  readonly group: string;
  readonly gid: number;
}

export function dnsmasqFiles(directory: string): DnsmasqFiles {
  return {
    directory,
    record: `${directory}/dnsmasq.json`,
    pid: `${directory}/dnsmasq.pid`,
    leases: `${directory}/dnsmasq.leases`,
    hosts: `${directory}/dnsmasq.hosts`,
    names: `${directory}/dnsmasq.names`,
    log: `${directory}/dnsmasq.log`,
  };
}

const LINK = /^[a-zA-Z][a-zA-Z0-9._-]{0,14}$/;
const DOMAIN = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

/** Throws VALUE_INVALID for what could be read as another option or list item. */
export function dnsmasqArguments(spec: DhcpSpec, files: DnsmasqFiles, account: Account): string[] {
  if (!LINK.test(spec.bridge)) throw invalid('bridge', spec.bridge);
  if (!DOMAIN.test(spec.domain)) throw invalid('domain', spec.domain);
  return [
    'dnsmasq',
    '--conf-file=/dev/null',
    '--no-hosts',
    `--pid-file=${files.pid}`,
    `--log-facility=${files.log}`,
    '--quiet-dhcp',
    `--user=${account.user}`,
    `--group=${account.group}`,
    `--interface=${spec.bridge}`,
    '--bind-interfaces',
    '--except-interface=lo',
    ...nameArguments(spec, files),
    ...(spec.dhcp ? dhcpArguments(spec, files) : []),
  ];
}

function nameArguments(spec: DhcpSpec, files: DnsmasqFiles): string[] {
  // Queries for other names are forwarded in every mode, to the servers of the host's /etc/resolv.conf (watched by inotify).
  if (spec.dnsMode === 'none') return [];
  return [
    `--domain=${spec.domain}`,
    `--local=/${spec.domain}/`,
    '--expand-hosts',
    `--addn-hosts=${files.names}`,
    `--interface-name=_gateway.${spec.domain},${spec.bridge}`,
  ];
}

function dhcpArguments(spec: DhcpSpec, files: DnsmasqFiles): string[] {
  const cidr = parseIpv4Cidr(spec.address);
  if (!cidr.ok) throw invalid('address', spec.address);
  const netmask = numberToIpv4(2 ** 32 - 2 ** (32 - cidr.value.prefix));
  const lease = spec.leaseSeconds === Number.MAX_SAFE_INTEGER ? 'infinite' : `${Math.max(120, Math.floor(spec.leaseSeconds))}`;
  const ranges = spec.ranges.map(({ first, last }) => {
    if (!parseIpv4(first).ok || !parseIpv4(last).ok) throw invalid('range', `${first}-${last}`);
    return `--dhcp-range=${first},${last},${netmask},${lease}`;
  });
  return [
    '--dhcp-authoritative',
    '--dhcp-rapid-commit',
    '--dhcp-no-override',
    // Addresses are given out once by our own records; the wait for an ICMP answer would only delay a guest's start.
    '--no-ping',
    `--dhcp-leasefile=${files.leases}`,
    // dnsmasq's own limit is 1000 leases, whatever the ranges hold.
    `--dhcp-lease-max=${Math.min(cidr.value.last - cidr.value.first + 1, 65_536)}`,
    `--dhcp-hostsfile=${files.hosts}`,
    // A guest may not take another one's name: names come from our hosts file (LXD's dns.mode=managed).
    ...(spec.dnsMode === 'dynamic' ? [] : ['--dhcp-ignore-names']),
    ...(spec.mtu === undefined || spec.mtu === 1500 ? [] : [`--dhcp-option-force=option:mtu,${spec.mtu}`]),
    ...ranges,
  ];
}

function invalid(what: string, value: string): AppError {
  return new AppError('VALUE_INVALID', { what, value }, { message: `"${value}" cannot be the ${what} of a DHCP server.` });
}
