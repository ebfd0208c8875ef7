// InstanceSet: a number of instances made from one template: NAME-0, NAME-1, ...
import { type Static, Type } from 'typebox';
import { closed, stringMap } from './common.ts';
import { instanceSpecSchema } from './instance.ts';

export const instanceSetSpecSchema = closed(
  {
    replicas: Type.Integer({ minimum: 0, maximum: 1000, description: 'How many instances there are.', examples: [3] }),
    template: closed(
      {
        metadata: Type.Optional(
          closed(
            {
              labels: Type.Optional(stringMap('Labels of each instance.')),
              annotations: Type.Optional(stringMap('Annotations of each instance.')),
            },
            'What each instance is called besides its name.',
          ),
        ),
        spec: instanceSpecSchema,
      },
      'What each instance is.',
    ),
  },
  'How many instances there are, and what each is.',
);

/** `spec` of a valid InstanceSet document. */
export type InstanceSetManifest = Static<typeof instanceSetSpecSchema>;
