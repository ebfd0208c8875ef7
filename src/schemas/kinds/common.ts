// Parts that the schemas of all kinds share.
import { type TProperties, type TSchema, Type } from 'typebox';

/** No control characters: the text may end up on a line of a configuration file. */
export const LINE = String.raw`^[^\u0000-\u001f\u007f]*$`;

/** A map of LXD's strings. Which keys there are is the option registry's matter. */
export function stringMap(description: string) {
  return Type.Record(Type.String(), Type.String(), { description, maxProperties: 1000 });
}

export const configMap = stringMap("LXD's config keys. Values are text; an unquoted number or boolean is taken as it is written.");

export const deviceMap = Type.Record(Type.String(), Type.Record(Type.String(), Type.String()), {
  maxProperties: 256,
  description: "Devices by name, with LXD's options. Each has a `type`.",
});

export function closed<const P extends TProperties>(properties: P, description: string) {
  return Type.Object(properties, { additionalProperties: false, description });
}

export function line(description: string, options: { examples?: string[]; minLength?: number; maxLength?: number } = {}) {
  return Type.String({ minLength: 1, maxLength: 4096, ...options, pattern: LINE, description });
}

/** Of every kind that has effects on the host. It is the engine's: kinds do not resolve it, and changing it changes nothing on the host. */
export const drift = Type.Optional(
  Type.Enum(['repair', 'report'], {
    description:
      'What is done about changes that somebody else makes on the host: they are put right, or only reported. Default: as its source says, else `repair`.',
  }),
);

export const metadataSchema = closed(
  {
    name: line('Name of the object; unique per kind and project.', { maxLength: 63 }),
    project: Type.Optional(line('Project it belongs to. Default: `default`. Others are not supported yet.', { maxLength: 63 })),
    labels: Type.Optional(stringMap('Short texts to select objects by.')),
    annotations: Type.Optional(stringMap('Texts for people and tools.')),
    description: Type.Optional(Type.String({ maxLength: 4096, description: 'What it is for.' })),
    renamedFrom: Type.Optional(
      line(
        'Former name of this object: it is renamed, and keeps what it has, instead of being deleted and made anew. Instances, profiles and images. Without meaning once it is done.',
        { maxLength: 63 },
      ),
    ),
  },
  'Who it is.',
);

/** A whole document of a kind. */
export function documentSchema(kind: string, spec: TSchema, description: string): TSchema {
  return Type.Object(
    {
      apiVersion: Type.Literal('lockstep/v1', { description: 'Version of the manifest language.' }),
      kind: Type.Literal(kind, { description: 'What is declared.' }),
      metadata: metadataSchema,
      spec,
    },
    { additionalProperties: false, description },
  );
}
