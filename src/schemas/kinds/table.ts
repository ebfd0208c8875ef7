// Which kinds can be declared, and their schemas. Kinds that are not here are refused as "not supported yet".
import type { TSchema } from 'typebox';
import type { KindName } from '../../core/ref.ts';
import { documentSchema } from './common.ts';
import { imageSpecSchema } from './image.ts';
import { instanceSpecSchema } from './instance.ts';
import { networkSpecSchema } from './network.ts';
import { profileSpecSchema } from './profile.ts';
import { storagePoolSpecSchema } from './storage-pool.ts';

export interface KindSchema {
  readonly spec: TSchema;
  readonly description: string;
  /** `spec` may be left out. */
  readonly emptySpec?: boolean;
}

const schemas: Partial<Record<KindName, KindSchema>> = {
  Instance: { spec: instanceSpecSchema, description: 'A system container.' },
  Profile: { spec: profileSpecSchema, description: 'Config and devices that several instances share.', emptySpec: true },
  Image: { spec: imageSpecSchema, description: 'An image that instances are made from.' },
  Network: { spec: networkSpecSchema, description: 'A network that instances are connected to.', emptySpec: true },
  StoragePool: { spec: storagePoolSpecSchema, description: 'Where root file systems live.' },
};

export function kindSchema(kind: KindName): KindSchema | undefined {
  return schemas[kind];
}

/** The kinds that can be declared in this release. */
export const APPLIED_KINDS = Object.keys(schemas) as readonly KindName[];

/** JSON Schema of a whole document of a kind. */
export function schemaOfDocument(kind: KindName): TSchema | undefined {
  const schema = kindSchema(kind);
  return schema === undefined ? undefined : documentSchema(kind, schema.spec, schema.description);
}
