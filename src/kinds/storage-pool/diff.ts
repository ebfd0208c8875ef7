// From actual to desired pool. Pure. Nothing here ever formats or gives up what holds data: a pool that was there once and whose
// backing is gone is not made anew, because its backing may come back (an unplugged disk, a file system that is not mounted yet).
import type { Reason } from '../../core/reasons.ts';
import { formatSize } from '../../core/units.ts';
import type { PoolTarget } from '../../host/ports/storage.ts';
import type { DiffInput, Facts, PlannedStep, Readiness, Recorded } from '../kind.ts';
import type { StoragePoolChange } from './changes.ts';
import type { StoragePoolActual } from './observe.ts';
import { sourceName, type StoragePoolSpec, targetOf } from './spec.ts';
import { isOver, keepSteps, purgeSteps } from './tombstones.ts';

type Step = PlannedStep<StoragePoolChange>;

export function diff({ ref, desired, actual, recorded, facts }: DiffInput<StoragePoolSpec, StoragePoolActual>): readonly Step[] {
  if (desired === undefined) return actual === undefined ? [] : removal(ref.name, actual, facts);
  const target = targetOf(desired, ref.name, facts.paths);
  if (actual === undefined) return [{ change: { do: 'create', target } }];
  if (immutable(target, actual.target) !== undefined) return actual.ours && !actual.active ? [activation(actual.target, target)] : [];
  if (!actual.active) return inactive(actual, target, recorded);
  const steps: Step[] = [];
  const size = growth(desired, actual);
  if (size !== undefined) steps.push({ change: { do: 'grow', target: withSize(actual.target, size.to), ...size } });
  if (actual.staleImages.length > 0) steps.push({ change: { do: 'dropImages', pool: ref.name, fingerprints: actual.staleImages } });
  return [...steps, ...keepSteps(ref.name, actual, facts), ...purgeSteps(ref.name, actual, facts)];
}

/** Tombstones keep a pool's backing; while they do, it is deactivated. Its end is the end of the last one. */
function removal(pool: string, actual: StoragePoolActual, facts: Facts): readonly Step[] {
  const { target } = actual;
  const unknown = keepSteps(pool, actual, facts);
  if (unknown.length > 0) return unknown;
  const kept = facts.tombstones(pool).some((one) => !isOver(one, facts.now));
  const purges = purgeSteps(pool, actual, facts);
  const activate: Step[] = purges.length > 0 && !actual.active && actual.ours ? [{ change: { do: 'activate', target } }] : [];
  if (!kept) return [...activate, ...purges, { change: { do: 'delete', target } }];
  const idle = actual.active ? actual.volumes === 0 : activate.length > 0;
  return [...activate, ...purges, ...(idle ? [{ change: { do: 'deactivate', target } } as const] : [])];
}

function inactive(actual: StoragePoolActual, target: PoolTarget, recorded: Recorded): readonly Step[] {
  if (actual.ours) return [activation(actual.target, target)];
  // Half-made by a create that did not come to its end, or refused because the place is taken; asked again, it says which.
  return recorded.applied === undefined && actual.made !== true ? [{ change: { do: 'create', target } }] : [];
}

/** As it was made, with the mount options that are wanted now. */
function activation(made: PoolTarget, wanted: PoolTarget): Step {
  const { mountOptions: _former, ...rest } = made;
  const target = wanted.mountOptions === undefined ? rest : { ...rest, mountOptions: wanted.mountOptions };
  return { change: { do: 'activate', target } };
}

function growth(desired: StoragePoolSpec, actual: StoragePoolActual): { from: number; to: number } | undefined {
  const { source } = actual.target;
  if (source.type !== 'loop' || desired.sizeBytes === undefined || desired.sizeBytes <= source.sizeBytes) return undefined;
  return { from: source.sizeBytes, to: desired.sizeBytes };
}

function withSize(target: PoolTarget, sizeBytes: number): PoolTarget {
  return target.source.type === 'loop' ? { ...target, source: { ...target.source, sizeBytes } } : target;
}

/** What of a pool was changed although it cannot be, in words. */
function immutable(wanted: PoolTarget, made: PoolTarget): string | undefined {
  if (wanted.driver !== made.driver) return `its driver is "${made.driver}", not "${wanted.driver}"`;
  if (sourceName(wanted) !== sourceName(made)) return `it lies in ${sourceName(made)}, not in ${sourceName(wanted)}`;
  return undefined;
}

export function condition(spec: StoragePoolSpec, actual: StoragePoolActual, recorded: Recorded, facts: Facts): Readiness {
  const { ref } = recorded;
  const target = targetOf(spec, ref.name, facts.paths);
  if (!actual.backing && !actual.active) {
    return unready(
      'BackingMissing',
      `What pool "${ref.name}" lies on (${sourceName(actual.target)}) is not there. It is used again when it comes back; to start over, delete the pool.`,
    );
  }
  if (!actual.ours) return unready('Foreign', `What is in the place of pool "${ref.name}" does not belong to it. Nothing is overwritten.`);
  if (!actual.active) return unready('Inactive', `Pool "${ref.name}" is not active.`);
  const changed = immutable(target, actual.target);
  if (changed !== undefined) {
    return unready('Immutable', `Pool "${ref.name}" cannot be changed like this: ${changed}. Declare it as it is, or make another pool.`);
  }
  const { source } = actual.target;
  if (source.type === 'loop' && spec.sizeBytes !== undefined && spec.sizeBytes < source.sizeBytes) {
    return unready(
      'CannotShrink',
      `Pool "${ref.name}" has ${formatSize(source.sizeBytes)} and cannot shrink to ${formatSize(spec.sizeBytes)}. Declare at least its present size.`,
    );
  }
  return { ready: true, reason: 'Active', message: `Pool "${ref.name}" is active.` };
}

function unready(reason: Reason, message: string): Readiness {
  return { ready: false, reason, message };
}
