// From a pool's document to its typed spec. Offline.
import { toAppError } from '../../core/errors.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import { problemIn } from '../../schemas/finding.ts';
import type { StoragePoolManifest } from '../../schemas/kinds/storage-pool.ts';
import { optionValue } from '../../schemas/registry.ts';
import type { Resolved } from '../kind.ts';
import type { StoragePoolSpec } from './spec.ts';

export function resolve(document: ManifestDocument): Resolved<StoragePoolSpec> {
  const { driver, config = {} } = document.spec as StoragePoolManifest;
  try {
    if (driver === 'dir') {
      return {
        spec: { driver, source: optionValue('pool/dir', 'source', config), sizeBytes: undefined, mountOptions: undefined },
        problems: [],
      };
    }
    if (driver === 'btrfs') {
      const source = optionValue('pool/btrfs', 'source', config);
      const sizeBytes = optionValue('pool/btrfs', 'size', config);
      const mountOptions = optionValue('pool/btrfs', 'btrfs.mount_options', config);
      if (source !== undefined && sizeBytes !== undefined)
        return refuse(document, 'size', '"size" is the size of a loop file; a pool with a "source" has none.');
      return { spec: { driver, source, sizeBytes, mountOptions }, problems: [] };
    }
    return {
      spec: undefined,
      problems: [
        problemIn(document, {
          path: ['spec', 'driver'],
          rule: 'not-supported-yet',
          message: `The driver "${driver}" is not supported yet.`,
        }),
      ],
    };
  } catch (error) {
    return refuse(document, undefined, toAppError(error).message);
  }
}

function refuse(document: ManifestDocument, key: string | undefined, message: string): Resolved<StoragePoolSpec> {
  const path = key === undefined ? ['spec', 'config'] : ['spec', 'config', key];
  return { spec: undefined, problems: [problemIn(document, { path, rule: 'value', message })] };
}
