// Picks a free /24 for `ipv4.address: auto`: 10.X.Y.0/24, by a hash of the network's ref and then onwards, never one that overlaps what the
// host has a route or address for, or what another network was given. Pure: the same facts give the same subnet.
import { AppError } from '../../core/errors.ts';
import { sha256Hex } from '../../core/hash.ts';
import { cidrsOverlap, type Ipv4Cidr, numberToIpv4, parseIpv4Cidr } from '../../core/ip.ts';

const CANDIDATES = 65_536; // 10.0.0.0/24 to 10.255.255.0/24
const BASE = 10 * 2 ** 24;

/** `taken`: subnets, addresses and routes in CIDR form; default routes and IPv6 are left out of account. */
export function freeSubnet(seed: string, taken: Iterable<string>): string {
  const used = [...taken]
    .map((text) => parseIpv4Cidr(text))
    .flatMap((parsed) => (parsed.ok && parsed.value.prefix > 0 ? [parsed.value] : []));
  const start = Number.parseInt(sha256Hex(seed).slice(0, 4), 16);
  for (let step = 0; step < CANDIDATES; step++) {
    const first = BASE + ((start + step) % CANDIDATES) * 256;
    const candidate: Ipv4Cidr = { address: numberToIpv4(first), prefix: 24, first, last: first + 255 };
    if (!used.some((one) => cidrsOverlap(one, candidate))) return `${candidate.address}/24`;
  }
  throw new AppError(
    'SUBNETS_EXHAUSTED',
    {},
    {
      message: 'No subnet of 10.0.0.0/8 is free for "ipv4.address: auto".',
      hint: 'Give the network an address of its own, such as ipv4.address: 192.168.77.1/24.',
    },
  );
}

/** The bridge's own address in a subnet that was picked: its first. */
export function gatewayOf(subnet: string): string | undefined {
  const parsed = parseIpv4Cidr(subnet);
  return parsed.ok ? `${numberToIpv4(parsed.value.first + 1)}/${parsed.value.prefix}` : undefined;
}
