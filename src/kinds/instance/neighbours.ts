// What an instance has to know of the objects it needs. Read from the facts of the plan; nothing else of theirs is used.
import type { ResourceRef } from '../../core/ref.ts';
import type { ImageActual } from '../image/kind.ts';
import type { Facts } from '../kind.ts';
import type { StoragePoolSpec } from '../storage-pool/spec.ts';
import type { RecordedImage } from './record.ts';
import { signalFrom } from './signals.ts';

/** Undefined while the image is not made. */
export function imageFacts(ref: ResourceRef, facts: Facts): RecordedImage | undefined {
  const actual = facts.actual(ref) as ImageActual | undefined;
  if (actual === undefined) return undefined;
  const halt = signalFrom(actual.properties['signal.halt']);
  const reboot = signalFrom(actual.properties['signal.reboot']);
  return {
    name: ref.name,
    fingerprint: actual.fingerprint,
    ...(halt === undefined ? {} : { haltSignal: halt }),
    ...(reboot === undefined ? {} : { rebootSignal: reboot }),
  };
}

/** Does the pool's driver enforce sizes? */
export function poolHasQuotas(ref: ResourceRef, facts: Facts): boolean {
  const spec = facts.desired(ref) as StoragePoolSpec | undefined;
  return spec?.driver === 'btrfs';
}
