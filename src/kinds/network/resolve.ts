// From a network's document to its typed spec. Offline; values that are each right but do not fit together become located problems.
import { toAppError } from '../../core/errors.ts';
import { cidrHolds, formatIpv4Range, type Ipv4Range, parseIpv4Cidr, subnetOf } from '../../core/ip.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import { problemIn } from '../../schemas/finding.ts';
import type { Problem } from '../../schemas/problem.ts';
import { optionValue } from '../../schemas/registry.ts';
import type { Resolved } from '../kind.ts';
import type { Ipv4Spec, NetworkSpec } from './spec.ts';

type Config = Readonly<Record<string, string>>;

export function resolve(document: ManifestDocument): Resolved<NetworkSpec> {
  const manifest = document.spec as { readonly config?: Config };
  const config = manifest.config ?? {};
  const problems: Problem[] = [];
  try {
    const ipv4 = resolveIpv4(config);
    if (ipv4 !== undefined) problems.push(...rangeProblems(ipv4, document));
    if (problems.length > 0) return { spec: undefined, problems };
    const spec: NetworkSpec = {
      type: 'bridge',
      ipv4,
      dns: {
        mode: optionValue('network/bridge', 'dns.mode', config) === 'none' ? 'none' : 'managed',
        domain: optionValue('network/bridge', 'dns.domain', config) ?? 'lxd',
      },
      mtu: optionValue('network/bridge', 'bridge.mtu', config) ?? 1500,
      hwaddr: optionValue('network/bridge', 'bridge.hwaddr', config),
      dhcp4: ipv4?.dhcp === true,
    };
    return { spec, problems };
  } catch (error) {
    const { message } = toAppError(error);
    return { spec: undefined, problems: [problemIn(document, { path: ['spec', 'config'], rule: 'value', message })] };
  }
}

function resolveIpv4(config: Config): Ipv4Spec | undefined {
  const address = optionValue('network/bridge', 'ipv4.address', config) ?? 'auto';
  if (address === 'none') return undefined;
  const expiry = optionValue('network/bridge', 'ipv4.dhcp.expiry', config) ?? 3600;
  return {
    address: address === 'auto' ? 'auto' : `${address.address}/${address.prefix}`,
    // LXD sets ipv4.nat to true where it picks the subnet itself (its networks reference, "ipv4.nat").
    nat: isSet(config, 'ipv4.nat') ? optionValue('network/bridge', 'ipv4.nat', config) === true : address === 'auto',
    dhcp: optionValue('network/bridge', 'ipv4.dhcp', config) ?? true,
    ranges: (optionValue('network/bridge', 'ipv4.dhcp.ranges', config) ?? []).map(({ first, last }) => ({ first, last })),
    leaseSeconds: expiry === 'infinite' ? Number.MAX_SAFE_INTEGER : expiry,
    firewall: optionValue('network/bridge', 'ipv4.firewall', config) ?? true,
  };
}

function isSet(config: Config, key: string): boolean {
  return Object.hasOwn(config, key) && config[key] !== '';
}

function rangeProblems(ipv4: Ipv4Spec, document: ManifestDocument): Problem[] {
  const path = ['spec', 'config', 'ipv4.dhcp.ranges'];
  if (ipv4.ranges.length === 0) return [];
  if (ipv4.address === 'auto') {
    const message = 'DHCP ranges need a fixed "ipv4.address": with "auto" the subnet is not known here.';
    return [problemIn(document, { path, rule: 'dhcp-range', message, hint: 'Set ipv4.address, or leave ipv4.dhcp.ranges out.' })];
  }
  const cidr = parseIpv4Cidr(ipv4.address);
  if (!cidr.ok) return [];
  const outside = (range: Ipv4Range): boolean => !cidrHolds(cidr.value, range.first) || !cidrHolds(cidr.value, range.last);
  return ipv4.ranges.filter(outside).map((range) =>
    problemIn(document, {
      path,
      rule: 'dhcp-range',
      message: `The range ${formatIpv4Range(range)} is not inside the network ${subnetOf(cidr.value)}.`,
    }),
  );
}
