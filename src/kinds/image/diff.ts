// From actual to desired image. Pure. An image whose source changed is made anew; the former one stays while an instance uses it.
import type { DiffInput, PlannedStep, Readiness } from '../kind.ts';
import type { ImageChange } from './changes.ts';
import type { ImageActual } from './observe.ts';
import type { ImageSpec } from './resolve.ts';

type Step = PlannedStep<ImageChange>;

export function diff({ desired, actual, recorded }: DiffInput<ImageSpec, ImageActual>): readonly Step[] {
  const holder = recorded.uid;
  if (desired === undefined) {
    if (actual === undefined) return [];
    const fingerprints = [actual.fingerprint, ...actual.former.map(({ fingerprint }) => fingerprint)];
    return [{ change: { do: 'delete', fingerprints, holder } }];
  }
  if (actual === undefined || actual.sourceHash !== desired.sourceHash) {
    return [{ change: { do: 'create', ...desired, holder, from: actual?.fingerprint } }];
  }
  const unused = actual.former.filter(({ inUse }) => !inUse).map(({ fingerprint }) => fingerprint);
  return unused.length === 0 ? [] : [{ change: { do: 'release', fingerprints: unused, holder } }];
}

export function condition(spec: ImageSpec, actual: ImageActual): Readiness {
  const short = actual.fingerprint.slice(0, 12);
  if (actual.sourceHash !== spec.sourceHash) {
    return { ready: false, reason: 'Outdated', message: `The image ${short} was made from another source than is declared now.` };
  }
  return { ready: true, reason: 'Available', message: `The image ${short} is stored on this host.` };
}
