// StoragePool: where root file systems live.
import { applyWith } from '../changes.ts';
import type { Kind, Observed } from '../kind.ts';
import type { TombstoneReading } from '../../host/ports/storage.ts';
import { appliers } from './apply.ts';
import { describe, type StoragePoolChange } from './changes.ts';
import { condition, diff } from './diff.ts';
import { observe, type StoragePoolActual } from './observe.ts';
import { resolve } from './resolve.ts';
import { sourceName, type StoragePoolSpec } from './spec.ts';

export type { StoragePoolActual } from './observe.ts';
export type { StoragePoolSpec } from './spec.ts';

/** mkfs on a slow disk; deletion of a large tree. */
const LONG_MS = 15 * 60_000;

export const storagePoolKind: Kind<StoragePoolSpec, StoragePoolActual, StoragePoolChange> = {
  name: 'StoragePool',
  resolve,
  needs: () => [],
  allocate: () => [],
  observe,
  diff,
  holds,
  apply: (host, ref, change, run) => applyWith(appliers, host, ref, change, run),
  describe,
  deadlineMs: () => LONG_MS,
  waitsForNeeds: () => false,
  unasked: (change) => (change.do === 'dropImages' || change.do === 'purge' ? 'upkeep' : undefined),
  condition,
  details,
  tombstones: (actual) => actual.tombstones ?? [],
  redact: (spec) => spec,
};

function holds(change: StoragePoolChange, now: Observed<StoragePoolActual>): boolean {
  if (now.is === 'unknown') return false;
  const actual = now.is === 'present' ? now.actual : undefined;
  switch (change.do) {
    case 'create':
      return actual?.ours !== true;
    case 'activate':
      return actual?.ours === true && !actual.active;
    case 'grow':
      return actual?.active === true && actual.target.source.type === 'loop' && actual.target.source.sizeBytes < change.to;
    case 'dropImages':
      return actual?.active === true && actual.staleImages.length > 0;
    case 'deactivate':
    case 'purge':
      return actual?.active === true;
    default:
      return actual !== undefined;
  }
}

function details(actual: StoragePoolActual): Readonly<Record<string, string | number | boolean | readonly string[]>> {
  return {
    driver: actual.target.driver,
    source: sourceName(actual.target),
    path: actual.target.path,
    active: actual.active,
    ...(actual.sizeBytes === undefined ? {} : { sizeBytes: actual.sizeBytes }),
    ...(actual.usedBytes === undefined ? {} : { usedBytes: actual.usedBytes }),
    ...(actual.volumes === undefined ? {} : { volumes: actual.volumes }),
    ...(actual.tombstones === undefined ? {} : tombstoneDetails(actual.tombstones)),
    ...(actual.idmapped === undefined ? {} : { idmapped: actual.idmapped }),
  };
}

function tombstoneDetails(tombstones: readonly TombstoneReading[]): Readonly<Record<string, number>> {
  const bytes = tombstones.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
  return { tombstones: tombstones.length, ...(tombstones.length === 0 ? {} : { tombstoneBytes: bytes }) };
}
