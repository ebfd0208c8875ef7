// The kinds of the manifest language and their schemas. A kind that is `planned` is checked like any other, and then refused as "not
// supported yet": no code obeys it, and what nothing obeys must not pass.
import type { TSchema } from 'typebox';
import type { KindName } from '../../core/ref.ts';
import { documentSchema } from './common.ts';
import { imageSpecSchema } from './image.ts';
import { instanceSetSpecSchema } from './instance-set.ts';
import { instanceSpecSchema } from './instance.ts';
import { networkAclSpecSchema } from './network-acl.ts';
import { networkForwardSpecSchema } from './network-forward.ts';
import { networkSpecSchema } from './network.ts';
import { profileSpecSchema } from './profile.ts';
import { projectSpecSchema } from './project.ts';
import { storagePoolSpecSchema } from './storage-pool.ts';
import { storageVolumeSpecSchema } from './storage-volume.ts';

export interface KindSchema {
  readonly spec: TSchema;
  readonly description: string;
  /** `spec` may be left out. */
  readonly emptySpec?: boolean;
  /** There is no code yet that carries it out. */
  readonly planned?: boolean;
}

const schemas: Record<KindName, KindSchema> = {
  Instance: { spec: instanceSpecSchema, description: 'A system container.' },
  InstanceSet: { spec: instanceSetSpecSchema, description: 'Several instances made from one template.', planned: true },
  Profile: { spec: profileSpecSchema, description: 'Config and devices that several instances share.', emptySpec: true },
  Image: { spec: imageSpecSchema, description: 'An image that instances are made from.' },
  Network: { spec: networkSpecSchema, description: 'A network that instances are connected to.', emptySpec: true },
  NetworkACL: { spec: networkAclSpecSchema, description: 'Rules for traffic of instances and networks.', emptySpec: true, planned: true },
  NetworkForward: { spec: networkForwardSpecSchema, description: 'An address of the host that leads into a network.', planned: true },
  StoragePool: { spec: storagePoolSpecSchema, description: 'Where root file systems live.' },
  StorageVolume: { spec: storageVolumeSpecSchema, description: 'A volume that instances can share and outlive.', planned: true },
  Project: { spec: projectSpecSchema, description: 'A name space with limits of its own.', emptySpec: true, planned: true },
};

export function kindSchema(kind: KindName): KindSchema {
  return schemas[kind];
}

/** All kinds, in the order of the documentation. */
export const ALL_KINDS = Object.keys(schemas) as readonly KindName[];

/** The kinds that this release carries out. */
export const APPLIED_KINDS: readonly KindName[] = ALL_KINDS.filter((kind) => schemas[kind].planned !== true);

/** JSON Schema of a whole document of a kind. */
export function schemaOfDocument(kind: KindName): TSchema {
  const { spec, description } = kindSchema(kind);
  return documentSchema(kind, spec, description);
}
