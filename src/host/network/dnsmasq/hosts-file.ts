// The file of static hosts that dnsmasq reads (dhcp-hostsfile), and the one with their names (addn-hosts). A comment before each line
// says which NIC it is for, so that the file is also our own list. Pure.
import { AppError } from '../../../core/errors.ts';
import { parseIpv4, parseMac } from '../../../core/ip.ts';
import type { DhcpHost } from '../../ports/network.ts';

const KEY = /^[A-Za-z0-9._-]{1,200}$/;
const HOSTNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;

export type Hosts = ReadonlyMap<string, DhcpHost>;

/** Throws VALUE_INVALID for anything that could be read as more than one field or line. */
export function checkHost(key: string, host: DhcpHost): void {
  const wrong =
    (KEY.test(key) ? undefined : key) ??
    (parseMac(host.hwaddr).ok ? undefined : host.hwaddr) ??
    (host.address === undefined || parseIpv4(host.address).ok ? undefined : host.address) ??
    (HOSTNAME.test(host.hostname) ? undefined : host.hostname);
  if (wrong === undefined) return;
  throw new AppError('VALUE_INVALID', { key }, { message: `"${wrong}" cannot stand in the DHCP server's list of hosts.` });
}

/** `withNames`: guests are told their names and these are in DNS; not with dns.mode=none. */
export function renderHosts(hosts: Hosts, options: { readonly withNames: boolean }): string {
  let text = '';
  for (const [key, { hwaddr, address, hostname }] of hosts) {
    const fields = [hwaddr, ...(address === undefined ? [] : [address]), ...(options.withNames ? [hostname] : [])];
    // A line of a MAC address alone would be an error to dnsmasq.
    const line = fields.length > 1 ? `${fields.join(',')}\n` : '';
    text += `# ${key} ${hwaddr} ${address ?? '-'} ${hostname}\n${line}`;
  }
  return text;
}

/** Names of hosts with a fixed address are known before their first lease. dnsmasq appends the domain (expand-hosts). */
export function renderNames(hosts: Hosts): string {
  let text = '';
  for (const { address, hostname } of hosts.values()) if (address !== undefined) text += `${address} ${hostname}\n`;
  return text;
}

/** What `renderHosts` wrote; lines of another form are left out. */
export function parseHosts(text: string): Map<string, DhcpHost> {
  const hosts = new Map<string, DhcpHost>();
  for (const line of text.split('\n')) {
    const [hash, key, hwaddr, address, hostname] = line.split(' ');
    if (hash !== '#' || !key || !hwaddr || !address || !hostname) continue;
    hosts.set(key, { hwaddr, address: address === '-' ? undefined : address, hostname });
  }
  return hosts;
}
