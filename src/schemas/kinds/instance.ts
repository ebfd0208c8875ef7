// Instance: a system container. `config` and `devices` speak LXD; what LXD has no word for stands beside them.
import { type Static, Type } from 'typebox';
import { closed, configMap, deviceMap, drift, line } from './common.ts';
import { updateSchema } from './update.ts';

const dependency = closed(
  {
    kind: Type.Literal('Instance', { description: 'Kind of the other object.' }),
    name: line('Its name.', { maxLength: 63, examples: ['db'] }),
    condition: Type.Optional(
      Type.Enum(['Running', 'Healthy'], {
        default: 'Running',
        description: 'What has to hold before this instance is started. `Healthy` is not supported yet.',
      }),
    ),
  },
  'Another instance that has to be up first.',
);

const restart = closed(
  {
    policy: Type.Optional(
      Type.Enum(['Always', 'OnFailure', 'Never'], {
        default: 'Always',
        description: 'What to do when the instance ends by itself. `OnFailure` leaves a clean poweroff stopped.',
      }),
    ),
  },
  'What happens when the instance ends although it should run.',
);

export const instanceSpecSchema = closed(
  {
    image: line('Name of a declared Image.', { maxLength: 255, examples: ['debian'] }),
    profiles: Type.Optional(
      Type.Array(line("A profile's name.", { maxLength: 63 }), {
        maxItems: 64,
        default: ['default'],
        description: 'Profiles to apply, in order; later ones win. An empty list means none.',
      }),
    ),
    state: Type.Optional(
      Type.Enum(['Running', 'Stopped', 'Frozen'], { default: 'Running', description: 'The power state it is kept in.' }),
    ),
    config: Type.Optional(configMap),
    devices: Type.Optional(deviceMap),
    dependsOn: Type.Optional(Type.Array(dependency, { maxItems: 64, description: 'What has to be up before this instance is started.' })),
    restart: Type.Optional(restart),
    update: Type.Optional(updateSchema),
    drift,
    protect: Type.Optional(Type.Boolean({ default: false, description: 'Refuse to delete it, also when its manifest is removed.' })),
  },
  'What the instance should be.',
);

/** `spec` of a valid Instance document: as written, without defaults. */
export type InstanceManifest = Static<typeof instanceSpecSchema>;
