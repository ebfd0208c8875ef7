// Network: a bridge with addresses, DHCP, DNS and NAT.
import { type Static, Type } from 'typebox';
import { closed, configMap, drift } from './common.ts';

export const NETWORK_TYPES = ['bridge', 'macvlan', 'sriov', 'physical', 'ovn'] as const;

export const networkSpecSchema = closed(
  {
    type: Type.Optional(Type.Enum([...NETWORK_TYPES], { default: 'bridge', description: 'Only `bridge` in this release.' })),
    config: Type.Optional(configMap),
    drift,
  },
  'What the network should be.',
);

/** `spec` of a valid Network document. */
export type NetworkManifest = Static<typeof networkSpecSchema>;
