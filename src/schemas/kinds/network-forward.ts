// NetworkForward: an address of the host, or ports of it, sent on to instances of a network.
import { type Static, Type } from 'typebox';
import { closed, configMap, drift, line, stringMap } from './common.ts';

export const networkForwardSpecSchema = closed(
  {
    network: line('The Network it leads into. It cannot be changed.', { maxLength: 63, examples: ['lan'] }),
    listenAddress: line('The address it listens on. It cannot be changed.', { maxLength: 45, examples: ['192.0.2.10'] }),
    config: Type.Optional(configMap),
    drift,
    ports: Type.Optional(
      Type.Array(stringMap("One rule, with LXD's fields: protocol, listen_port, target_address, target_port, description."), {
        maxItems: 1000,
        description: 'Where single ports are sent; all others go to `target_address` of `config`, when that is set.',
      }),
    ),
  },
  'What is forwarded where.',
);

/** `spec` of a valid NetworkForward document. */
export type NetworkForwardManifest = Static<typeof networkForwardSpecSchema>;
