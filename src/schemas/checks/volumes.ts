// Storage volumes: their pool must be there.
import { makeRef } from '../../core/ref.ts';
import type { StorageVolumeManifest } from '../kinds/storage-volume.ts';
import type { CheckContext, CheckFinding } from './context.ts';
import { missing } from './dangling-references.ts';

export function volumes(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  for (const volume of context.ofKind('StorageVolume')) {
    const { pool } = volume.spec as StorageVolumeManifest;
    if (context.isDeclared(makeRef('StoragePool', pool))) continue;
    findings.push({
      document: volume,
      finding: { path: ['spec', 'pool'], ...missing(context, 'StoragePool', pool) },
      unusable: [volume],
    });
  }
  return findings;
}
