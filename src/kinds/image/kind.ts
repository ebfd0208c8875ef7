// Image: what instances are made from, built or imported once per host.
import { applyWith } from '../changes.ts';
import type { Kind, Observed } from '../kind.ts';
import { appliers } from './apply.ts';
import { describe, type ImageChange } from './changes.ts';
import { condition, diff } from './diff.ts';
import { type ImageActual, observe } from './observe.ts';
import { type ImageSpec, resolve } from './resolve.ts';

export type { ImageActual } from './observe.ts';
export type { ImageSpec } from './resolve.ts';

/** A Debian build over a slow mirror. */
const BUILD_MS = 40 * 60_000;
const REMOVE_MS = 5 * 60_000;

export const imageKind: Kind<ImageSpec, ImageActual, ImageChange> = {
  name: 'Image',
  resolve,
  needs: () => [],
  allocate: () => [],
  observe,
  diff,
  holds,
  apply: (host, ref, change, run) => applyWith(appliers, host, ref, change, run),
  describe,
  deadlineMs: (change) => (change.do === 'create' ? BUILD_MS : REMOVE_MS),
  waitsForNeeds: () => false,
  unasked: (change) => (change.do === 'release' ? 'upkeep' : undefined),
  condition,
  details,
  redact: (spec) => spec,
};

function holds(change: ImageChange, now: Observed<ImageActual>): boolean {
  if (now.is === 'unknown') return false;
  const actual = now.is === 'present' ? now.actual : undefined;
  if (change.do === 'create') return actual?.sourceHash !== change.sourceHash;
  if (change.do === 'delete') return actual !== undefined;
  // Only what is still a former image: the object may have gone back to it.
  return change.fingerprints.every((fingerprint) => actual?.former.some((one) => one.fingerprint === fingerprint && !one.inUse) === true);
}

function details(actual: ImageActual): Readonly<Record<string, string | number | boolean | readonly string[]>> {
  return {
    fingerprint: actual.fingerprint,
    architecture: actual.architecture,
    sizeBytes: actual.sizeBytes,
    description: actual.properties['description'] ?? '',
    ...(actual.former.length === 0 ? {} : { former: actual.former.map(({ fingerprint }) => fingerprint.slice(0, 12)) }),
  };
}
