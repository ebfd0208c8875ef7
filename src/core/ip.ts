// IP and MAC addresses as text and numbers. IPv4 is computed here, IPv6 only checked (it is not applied yet).
import { isIPv6 } from 'node:net';
import { type Parsed, parsed, unexpected } from './units.ts';

const IPV4_EXPECTED = 'an IPv4 address such as 10.20.0.10';

/** As an unsigned 32-bit number. Leading zeros are refused: some programs read them as octal. */
export function ipv4ToNumber(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

export function numberToIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

export function parseIpv4(text: string): Parsed<string> {
  return ipv4ToNumber(text) === undefined ? unexpected(IPV4_EXPECTED) : parsed(text);
}

export interface Ipv4Cidr {
  /** As written, e.g. the bridge's own address. */
  readonly address: string;
  readonly prefix: number;
  /** First and last address of the subnet as numbers: the network and broadcast address. */
  readonly first: number;
  readonly last: number;
}

/** `10.20.0.1/24`. */
export function parseIpv4Cidr(text: string): Parsed<Ipv4Cidr> {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = match ? ipv4ToNumber(match[1]!) : undefined;
  const prefix = Number(match?.[2]);
  if (!match || address === undefined || prefix > 32) return unexpected('an IPv4 address with prefix length such as 10.20.0.1/24');
  const size = 2 ** (32 - prefix);
  const first = Math.floor(address / size) * size;
  return parsed({ address: match[1]!, prefix, first, last: first + size - 1 });
}

export function formatIpv4Cidr(cidr: Ipv4Cidr): string {
  return `${cidr.address}/${cidr.prefix}`;
}

/** The subnet: `10.20.0.0/24`. */
export function subnetOf(cidr: Ipv4Cidr): string {
  return `${numberToIpv4(cidr.first)}/${cidr.prefix}`;
}

export function cidrHolds(cidr: Ipv4Cidr, address: string): boolean {
  const value = ipv4ToNumber(address);
  return value !== undefined && value >= cidr.first && value <= cidr.last;
}

export function cidrsOverlap(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export interface Ipv4Range {
  readonly first: string;
  readonly last: string;
}

/** `10.20.0.50-10.20.0.99`. */
export function parseIpv4Range(text: string): Parsed<Ipv4Range> {
  const [first = '', last = '', ...rest] = text.split('-');
  const from = ipv4ToNumber(first);
  const to = ipv4ToNumber(last);
  if (from === undefined || to === undefined || from > to || rest.length > 0) {
    return unexpected('an address range such as 10.20.0.50-10.20.0.99');
  }
  return parsed({ first, last });
}

export function formatIpv4Range(range: Ipv4Range): string {
  return `${range.first}-${range.last}`;
}

export function parseIpv6(text: string): Parsed<string> {
  return isIPv6(text) && !text.includes('%') ? parsed(text.toLowerCase()) : unexpected('an IPv6 address such as fd42::10');
}

/** An IPv6 address with prefix length, in lower case. */
export function parseIpv6Cidr(text: string): Parsed<string> {
  const [address = '', prefix = '', ...rest] = text.split('/');
  if (rest.length === 0 && parseIpv6(address).ok && /^\d{1,3}$/.test(prefix) && Number(prefix) <= 128) return parsed(text.toLowerCase());
  return unexpected('an IPv6 address with prefix length such as fd42::1/64');
}

/** A unicast Ethernet address, in lower case: `00:16:3e:12:34:56`. */
export function parseMac(text: string): Parsed<string> {
  const expected = 'a MAC address such as 00:16:3e:12:34:56';
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(text)) return unexpected(expected);
  const mac = text.toLowerCase();
  // The lowest bit of the first byte marks group addresses, which no interface may have.
  if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) return unexpected(`${expected}; the first byte must be even (not a group address)`);
  return mac === '00:00:00:00:00:00' ? unexpected(expected) : parsed(mac);
}
