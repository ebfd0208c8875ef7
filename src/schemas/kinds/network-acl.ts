// NetworkACL: rules for traffic, in LXD's words.
import { type Static, Type } from 'typebox';
import { closed, configMap, drift, stringMap } from './common.ts';

const rules = (description: string) =>
  Type.Array(stringMap("One rule, with LXD's fields: action, source, destination, protocol, source_port, destination_port, state, ..."), {
    maxItems: 1000,
    description,
  });

export const networkAclSpecSchema = closed(
  {
    ingress: Type.Optional(rules('Rules for traffic to the instance.')),
    egress: Type.Optional(rules('Rules for traffic from the instance.')),
    config: Type.Optional(configMap),
    drift,
  },
  'What the list should hold.',
);

/** `spec` of a valid NetworkACL document. */
export type NetworkAclManifest = Static<typeof networkAclSpecSchema>;
