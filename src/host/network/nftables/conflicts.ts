// Would a rule of someone else drop our traffic? Every foreign base chain is walked with the packets a network needs, as far as these are
// known: a match is true, false, or cannot be told. Only a drop that is certain is reported. Pure.
import type { FirewallConflict } from '../../ports/network.ts';
import { type Chain, chainKey, isObject, type Rule, type Ruleset, type Statement } from './ruleset.ts';

/** What is known of a packet. A missing field cannot be told. */
interface Packet {
  readonly hook: 'forward' | 'input';
  readonly bridge: string;
  readonly iifname?: string;
  readonly oifname?: string;
  readonly state: 'new' | 'established';
  readonly protocol?: string;
  readonly dport?: number;
  /** In words. */
  readonly what: string;
}

type Tri = boolean | undefined;
/** `next`: the walk goes on after a jump. */
type Verdict = 'accept' | 'drop' | 'next';

const MAX_DEPTH = 16; // NFT_JUMP_STACK_SIZE

/** Which of our networks' traffic certainly dies in another table, at most one entry per chain and network. */
export function findConflicts(
  ruleset: Ruleset,
  ourTable: string,
  networks: readonly { readonly bridge: string; readonly forward: boolean; readonly services: boolean }[],
): FirewallConflict[] {
  const foreign = [...ruleset.values()].filter((chain) => chain.hook !== undefined && isForeign(chain, ourTable));
  const conflicts: FirewallConflict[] = [];
  for (const network of networks) {
    const packets = packetsOf(network);
    for (const base of foreign) {
      const dropped = packets.find((packet) => packet.hook === base.hook && walk(ruleset, base, packet, 0) === 'drop');
      if (dropped !== undefined) conflicts.push(conflictOf(ruleset, base, network.bridge, dropped));
    }
  }
  return conflicts;
}

function isForeign(chain: Chain, ourTable: string): boolean {
  return ['inet', 'ip'].includes(chain.family) && !(chain.family === 'inet' && chain.table === ourTable);
}

function packetsOf(network: { bridge: string; forward: boolean; services: boolean }): Packet[] {
  const { bridge } = network;
  const packets: Packet[] = [];
  if (network.forward) {
    packets.push({ hook: 'forward', bridge, iifname: bridge, state: 'new', what: 'traffic from its guests' });
    packets.push({ hook: 'forward', bridge, oifname: bridge, state: 'established', what: 'answers to its guests' });
  }
  if (network.services) {
    packets.push({ hook: 'input', bridge, iifname: bridge, state: 'new', protocol: 'udp', dport: 67, what: 'DHCP of its guests' });
    packets.push({ hook: 'input', bridge, iifname: bridge, state: 'new', protocol: 'udp', dport: 53, what: 'DNS of its guests' });
  }
  return packets;
}

function walk(ruleset: Ruleset, chain: Chain, packet: Packet, depth: number): Verdict {
  if (depth > MAX_DEPTH) return 'next';
  for (const rule of chain.rules) {
    const outcome = runRule(ruleset, chain, rule, packet, depth);
    if (outcome === 'return') break;
    if (outcome !== 'next') return outcome;
  }
  return depth === 0 && chain.policy === 'drop' ? 'drop' : 'next';
}

function runRule(ruleset: Ruleset, chain: Chain, rule: Rule, packet: Packet, depth: number): Verdict | 'return' {
  let sure = true;
  let narrow = false;
  for (const statement of rule.statements) {
    if ('match' in statement) {
      const matched = matches(statement['match'], packet);
      if (matched === false) return 'next';
      if (matched === undefined) {
        sure = false;
        narrow ||= isAboutProtocol(statement['match']);
      }
    } else if ('accept' in statement) {
      // An accept that may hold is taken as one, because what is reported must be certain; but not one for some ports or protocols only.
      return narrow ? 'next' : 'accept';
    } else if ('drop' in statement || 'reject' in statement) {
      return sure ? 'drop' : 'next';
    } else if ('return' in statement) {
      return sure ? 'return' : 'next';
    } else if (isObject(statement['jump']) || isObject(statement['goto'])) {
      return follow(ruleset, chain, statement, packet, depth, sure);
    } else if ('xt' in statement || 'vmap' in statement || 'queue' in statement) {
      sure = false;
      if ('vmap' in statement || 'queue' in statement) return 'accept';
    }
  }
  return 'next';
}

function follow(ruleset: Ruleset, chain: Chain, statement: Statement, packet: Packet, depth: number, sure: boolean): Verdict | 'return' {
  const isGoto = 'goto' in statement;
  const { target } = (isGoto ? statement['goto'] : statement['jump']) as { target?: unknown };
  const to = typeof target === 'string' ? ruleset.get(chainKey(chain.family, chain.table, target)) : undefined;
  if (to === undefined) return 'next';
  const verdict = walk(ruleset, to, packet, depth + 1);
  if (verdict === 'accept') return 'accept';
  if (!sure) return 'next';
  if (verdict === 'drop') return 'drop';
  return isGoto ? 'return' : 'next';
}

function matches(match: unknown, packet: Packet): Tri {
  if (!isObject(match)) return undefined;
  const value = fieldOf(match['left'], packet);
  // The link on the other side is not known, but it is not the bridge.
  const isNotBridge = value === undefined && isLinkField(match['left']) && match['right'] === packet.bridge;
  const equal = isNotBridge ? false : value === undefined ? undefined : holds(value, match['right']);
  if (equal === undefined) return undefined;
  return match['op'] === '!=' ? !equal : match['op'] === '==' || match['op'] === 'in' ? equal : undefined;
}

/** Matches only some protocol, port or ICMP type. */
function isAboutProtocol(match: unknown): boolean {
  if (!isObject(match) || !isObject(match['left'])) return false;
  const { meta, payload } = match['left'];
  if (isObject(meta)) return meta['key'] === 'l4proto';
  return isObject(payload) && (payload['field'] === 'protocol' || !['ip', 'ip6', 'ether'].includes(String(payload['protocol'])));
}

function isLinkField(left: unknown): boolean {
  return isObject(left) && isObject(left['meta']) && ['iifname', 'oifname', 'iif', 'oif'].includes(String(left['meta']['key']));
}

/** The packet's value for the left side of a match. */
function fieldOf(left: unknown, packet: Packet): string | number | undefined {
  if (!isObject(left)) return undefined;
  const { meta, ct, payload } = left;
  if (isObject(meta)) {
    if (meta['key'] === 'iifname' || meta['key'] === 'iif') return packet.iifname;
    if (meta['key'] === 'oifname' || meta['key'] === 'oif') return packet.oifname;
    if (meta['key'] === 'l4proto') return packet.protocol;
    return undefined;
  }
  if (isObject(ct) && ct['key'] === 'state') return packet.state;
  if (isObject(payload)) {
    if (payload['field'] === 'protocol') return packet.protocol;
    if (payload['field'] === 'dport' && packet.protocol !== undefined) return payload['protocol'] === packet.protocol ? packet.dport : -1;
  }
  return undefined;
}

function holds(value: string | number, right: unknown): Tri {
  if (typeof right === 'string') return right.endsWith('*') ? String(value).startsWith(right.slice(0, -1)) : String(value) === right;
  if (typeof right === 'number') return value === right;
  if (Array.isArray(right)) return some(right.map((one) => holds(value, one)));
  if (isObject(right) && Array.isArray(right['set'])) return some(right['set'].map((one) => holds(value, one)));
  if (isObject(right) && Array.isArray(right['range'])) {
    const [from, to] = right['range'] as unknown[];
    return typeof value === 'number' && typeof from === 'number' && typeof to === 'number' ? value >= from && value <= to : undefined;
  }
  return undefined;
}

function some(results: readonly Tri[]): Tri {
  if (results.includes(true)) return true;
  return results.includes(undefined) ? undefined : false;
}

function conflictOf(ruleset: Ruleset, base: Chain, bridge: string, packet: Packet): FirewallConflict {
  const where = `chain "${base.name}" of table "${base.family} ${base.table}"`;
  return {
    bridge,
    message: `The firewall's ${where} drops ${packet.what} on bridge "${bridge}".`,
    hint: mendingCommand(ruleset, base, bridge),
  };
}

/** The command of the program that owns the rules, where we know it; else a rule at the top of the chain. */
function mendingCommand(ruleset: Ruleset, base: Chain, bridge: string): string {
  if (base.table === 'firewalld') return `Run: firewall-cmd --permanent --zone=trusted --add-interface=${bridge} && firewall-cmd --reload`;
  const names = [...ruleset.values()].filter((chain) => chain.family === base.family && chain.table === base.table).map(({ name }) => name);
  if (names.some((name) => name.startsWith('ufw-'))) {
    return base.hook === 'input'
      ? `Run: ufw allow in on ${bridge}`
      : `Run: ufw route allow in on ${bridge} && ufw route allow out on ${bridge}`;
  }
  const chain = base.hook === 'forward' && names.includes('DOCKER-USER') ? 'DOCKER-USER' : base.name;
  const rule = (match: string): string => `nft insert rule ${base.family} ${base.table} ${chain} ${match} ${bridge} accept`;
  return base.hook === 'input' ? `Run: ${rule('iifname')}` : `Run: ${rule('iifname')} && ${rule('oifname')}`;
}
