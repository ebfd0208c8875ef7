// Config of networks of the types that are planned as a whole: macvlan, sriov, physical, ovn; and of ACLs and forwards.
import { type OptionTable, planned } from '../option.ts';
import {
  addressValue,
  booleanValue,
  choiceValue,
  domainValue,
  integerValue,
  linesValue,
  linkNameValue,
  listValue,
  macValue,
  portsValue,
  textValue,
} from '../value-type.ts';

const parent = planned(linkNameValue, 'immutable', "The host's interface.");
const mtu = planned(integerValue({ min: 68 }), 'live', 'MTU.', { unit: 'bytes' });
const vlan = planned(integerValue({ min: 1, max: 4094 }), 'live', 'VLAN id.');
const gvrp = planned(booleanValue, 'live', 'Register the VLAN with GVRP.', { default: 'false' });
const user = planned(linesValue, 'live', 'Free-form text for people and tools.');
const aclAction = choiceValue('allow', 'reject', 'drop');

export const macvlanOptions = { parent, mtu, vlan, gvrp, 'user.*': user } as const satisfies OptionTable;

export const sriovOptions = { parent, mtu, vlan, 'user.*': user } as const satisfies OptionTable;

export const physicalOptions = {
  parent,
  mtu,
  vlan,
  gvrp,
  'ipv4.gateway': planned(textValue, 'live', 'Gateway with prefix length, for OVN networks.'),
  'ipv6.gateway': planned(textValue, 'live', 'Gateway with prefix length, for OVN networks.'),
  'ipv4.ovn.ranges': planned(textValue, 'live', 'Ranges for routers of OVN networks.'),
  'ipv6.ovn.ranges': planned(textValue, 'live', 'Ranges for routers of OVN networks.'),
  'ipv4.routes': planned(textValue, 'live', 'Networks that OVN networks may use.'),
  'ipv6.routes': planned(textValue, 'live', 'Networks that OVN networks may use.'),
  'ipv4.routes.anycast': planned(booleanValue, 'live', 'Allow overlapping routes.', { default: 'false' }),
  'ipv6.routes.anycast': planned(booleanValue, 'live', 'Allow overlapping routes.', { default: 'false' }),
  'dns.nameservers': planned(textValue, 'live', 'Name servers of the uplink.'),
  'ovn.ingress_mode': planned(choiceValue('l2proxy', 'routed'), 'live', 'How traffic for OVN reaches this host.', { default: 'l2proxy' }),
  'user.*': user,
} as const satisfies OptionTable;

export const ovnOptions = {
  network: planned(textValue, 'immutable', 'The uplink network.'),
  'bridge.hwaddr': planned(macValue, 'live', "MAC address of the network's router."),
  'bridge.mtu': planned(integerValue({ min: 68 }), 'live', 'MTU.', { default: '1442', unit: 'bytes' }),
  'ipv4.address': planned(textValue, 'live', "The router's address.", { default: 'auto' }),
  'ipv6.address': planned(textValue, 'live', "The router's address.", { default: 'auto' }),
  'ipv4.nat': planned(booleanValue, 'live', 'NAT to the uplink.', { default: 'false' }),
  'ipv6.nat': planned(booleanValue, 'live', 'NAT to the uplink.', { default: 'false' }),
  'ipv4.nat.address': planned(textValue, 'live', 'Address that NAT uses.'),
  'ipv6.nat.address': planned(textValue, 'live', 'Address that NAT uses.'),
  'ipv4.dhcp': planned(booleanValue, 'live', 'DHCP.', { default: 'true' }),
  'ipv6.dhcp': planned(booleanValue, 'live', 'DHCPv6 and router advertisements.', { default: 'true' }),
  'ipv6.dhcp.stateful': planned(booleanValue, 'live', 'Addresses by DHCPv6.', { default: 'false' }),
  'ipv4.l3only': planned(booleanValue, 'live', 'Layer 3 only.', { default: 'false' }),
  'ipv6.l3only': planned(booleanValue, 'live', 'Layer 3 only.', { default: 'false' }),
  'dns.domain': planned(domainValue, 'live', "Domain of the guests' names.", { default: 'lxd' }),
  'dns.search': planned(listValue(domainValue), 'live', 'Domains to search, told to guests.'),
  'dns.zone.forward': planned(textValue, 'live', 'DNS zones for names.'),
  'dns.zone.reverse.ipv4': planned(textValue, 'live', 'DNS zone for IPv4 addresses.'),
  'dns.zone.reverse.ipv6': planned(textValue, 'live', 'DNS zone for IPv6 addresses.'),
  'security.acls': planned(textValue, 'live', 'Network ACLs that hold for its NICs.'),
  'security.acls.default.ingress.action': planned(aclAction, 'live', 'What is done with incoming traffic no rule matches.', {
    default: 'reject',
  }),
  'security.acls.default.egress.action': planned(aclAction, 'live', 'What is done with outgoing traffic no rule matches.', {
    default: 'reject',
  }),
  'security.acls.default.ingress.logged': planned(booleanValue, 'live', 'Log incoming traffic no rule matches.', { default: 'false' }),
  'security.acls.default.egress.logged': planned(booleanValue, 'live', 'Log outgoing traffic no rule matches.', { default: 'false' }),
  'user.*': user,
} as const satisfies OptionTable;

/** Fields of one rule of a NetworkACL. */
export const aclRuleOptions = {
  action: planned(choiceValue('allow', 'allow-stateless', 'reject', 'drop'), 'live', 'What is done with traffic that matches.'),
  source: planned(textValue, 'live', 'Addresses it comes from.'),
  destination: planned(textValue, 'live', 'Addresses it goes to.'),
  protocol: planned(choiceValue('icmp4', 'icmp6', 'tcp', 'udp'), 'live', 'Its protocol.'),
  source_port: planned(portsValue, 'live', 'Ports or ranges it comes from.'),
  destination_port: planned(portsValue, 'live', 'Ports or ranges it goes to.'),
  icmp_type: planned(integerValue({ min: 0, max: 255 }), 'live', 'ICMP type.'),
  icmp_code: planned(integerValue({ min: 0, max: 255 }), 'live', 'ICMP code.'),
  description: planned(textValue, 'live', 'What the rule is for.'),
  state: planned(choiceValue('enabled', 'disabled', 'logged'), 'live', 'Whether the rule holds.', { default: 'enabled' }),
} as const satisfies OptionTable;

/** Fields of a NetworkForward and its ports. */
export const forwardOptions = {
  listen_address: planned(addressValue, 'immutable', 'The address it listens on.'),
  target_address: planned(addressValue, 'live', 'Where all else is sent.'),
  'ports.protocol': planned(choiceValue('tcp', 'udp'), 'live', 'Protocol of a port rule.'),
  'ports.listen_port': planned(portsValue, 'live', 'Ports or ranges of a port rule.'),
  'ports.target_address': planned(addressValue, 'live', 'Where a port rule sends to.'),
  'ports.target_port': planned(portsValue, 'live', 'The ports there.'),
  'ports.description': planned(textValue, 'live', 'What the port rule is for.'),
} as const satisfies OptionTable;
