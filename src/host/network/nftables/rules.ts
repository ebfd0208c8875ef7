// What our nftables table says for one network. Every network has base chains of its own, so that one transaction replaces all of it and
// touches nothing else. Pure.
//
// An `accept` here ends only our own chain: a drop in another table still drops (nft(8), "verdict statements"). That is why foreign
// drops are looked for (conflicts.ts) instead of being worked around.
import { AppError } from '../../../core/errors.ts';
import type { FirewallSpec } from '../../ports/network.ts';

export type ChainRole = 'nat' | 'fwd' | 'in';

const HOOKS: Record<ChainRole, string> = {
  nat: 'type nat hook postrouting priority srcnat; policy accept;',
  fwd: 'type filter hook forward priority filter; policy accept;',
  in: 'type filter hook input priority filter; policy accept;',
};

const ROLES: readonly ChainRole[] = ['nat', 'fwd', 'in'];

// What goes into nft's own language is checked again here: a quote or a newline would be a second command.
const LINK = /^[a-zA-Z][a-zA-Z0-9._-]{0,14}$/;
const SUBNET = /^\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}$/;

export function chainName(role: ChainRole, bridge: string): string {
  return `${role}.${bridge}`;
}

/** The bridge behind one of our chains' names. */
export function bridgeOfChain(chain: string): { role: ChainRole; bridge: string } | undefined {
  const role = ROLES.find((one) => chain.startsWith(`${one}.`));
  return role === undefined ? undefined : { role, bridge: chain.slice(role.length + 1) };
}

/** One transaction that makes the network's rules exactly these. */
export function setRules(table: string, spec: FirewallSpec, specHash: string): string {
  const chains = rulesOf(spec, specHash);
  return [
    `add table inet ${table}`,
    ...ROLES.flatMap((role) => {
      const chain = chainName(role, spec.bridge);
      const rules = chains[role];
      // `add` before `delete` makes the delete succeed whether the chain is there or not. A chain that stays is deleted too: its hook
      // or policy may have been changed, and `add` would not change it back.
      const fresh = [`add chain inet ${table} ${chain}`, `flush chain inet ${table} ${chain}`, `delete chain inet ${table} ${chain}`];
      if (rules.length === 0) return fresh;
      return [
        ...fresh,
        `add chain inet ${table} ${chain} { ${HOOKS[role]} }`,
        ...rules.map((rule) => `add rule inet ${table} ${chain} ${rule}`),
      ];
    }),
    '',
  ].join('\n');
}

/** One transaction that removes the network's chains; the table too when `last`. */
export function clearRules(table: string, bridge: string, options: { readonly last: boolean }): string {
  checkLink(bridge);
  if (options.last) return `add table inet ${table}\ndelete table inet ${table}\n`;
  const lines = ROLES.flatMap((role) => {
    const chain = chainName(role, bridge);
    return [`add chain inet ${table} ${chain}`, `flush chain inet ${table} ${chain}`, `delete chain inet ${table} ${chain}`];
  });
  return [`add table inet ${table}`, ...lines, ''].join('\n');
}

function rulesOf(spec: FirewallSpec, specHash: string): Record<ChainRole, readonly string[]> {
  const link = `"${checkLink(spec.bridge)}"`;
  const comment = `comment "lockstep ${spec.bridge} ${specHash.slice(0, 12)}"`;
  return {
    nat: spec.nat.map((subnet) => {
      const net = checkSubnet(subnet);
      return `oifname != ${link} ip saddr ${net} ip daddr != ${net} masquerade ${comment}`;
    }),
    fwd: spec.forward ? [`iifname ${link} accept ${comment}`, `oifname ${link} accept ${comment}`] : [],
    in: spec.services
      ? [
          `iifname ${link} udp dport 67 accept ${comment}`,
          `iifname ${link} udp dport 53 accept ${comment}`,
          `iifname ${link} tcp dport 53 accept ${comment}`,
        ]
      : [],
  };
}

function checkLink(link: string): string {
  if (LINK.test(link)) return link;
  throw new AppError('VALUE_INVALID', { link }, { message: `"${link}" cannot be the name of a link in a firewall rule.` });
}

function checkSubnet(subnet: string): string {
  if (SUBNET.test(subnet)) return subnet;
  throw new AppError('VALUE_INVALID', { subnet }, { message: `"${subnet}" cannot be a subnet in a firewall rule.` });
}
