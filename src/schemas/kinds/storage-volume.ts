// StorageVolume: a volume of a pool that outlives the instances it is attached to.
import { type Static, Type } from 'typebox';
import { closed, configMap, drift, line } from './common.ts';

export const storageVolumeSpecSchema = closed(
  {
    pool: line('The StoragePool it lives in. It cannot be changed.', { maxLength: 63, examples: ['fast'] }),
    contentType: Type.Optional(
      Type.Enum(['filesystem', 'block'], {
        default: 'filesystem',
        description: 'A file system to be mounted, or a block device. It cannot be changed.',
      }),
    ),
    config: Type.Optional(configMap),
    drift,
  },
  'What the volume should be.',
);

/** `spec` of a valid StorageVolume document. */
export type StorageVolumeManifest = Static<typeof storageVolumeSpecSchema>;
