// dnsmasq's lease file: `EXPIRY MAC ADDRESS NAME CLIENT-ID` a line, EXPIRY in epoch seconds (0: never), NAME `*` when there is none. Pure.
import { parseIpv4, parseMac } from '../../../core/ip.ts';
import type { DhcpReading } from '../../ports/network.ts';

/** Lines of another form (IPv6, a line being written just now) are left out. `expiresAt` in epoch ms; 0 for never. */
export function parseLeases(text: string): DhcpReading['leases'] {
  return text.split('\n').flatMap((line) => {
    const [expiry, hwaddr = '', address = '', hostname, client] = line.split(' ');
    if (client === undefined || !/^\d+$/.test(expiry ?? '') || !parseMac(hwaddr).ok || !parseIpv4(address).ok) return [];
    return [{ hwaddr, address, hostname: hostname === '*' ? '' : (hostname ?? ''), expiresAt: Number(expiry) * 1000 }];
  });
}
