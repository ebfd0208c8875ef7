// Gathers what was decided about an instance: from its spec, its allocations, its own record where that pins something, and the facts.
import { AppError } from '../../core/errors.ts';
import { lxcName } from '../../core/names.ts';
import { makeRef, type ResourceRef } from '../../core/ref.ts';
import type { NicNetwork } from '../../host/devices/device-spec.ts';
import { rootfsPath } from '../../host/ports/storage.ts';
import type { Facts, Recorded } from '../kind.ts';
import type { InstanceActual } from './actual.ts';
import { nicNetwork } from '../network/spec.ts';
import { imageFacts } from './neighbours.ts';
import type { RecordedImage } from './record.ts';
import type { Target } from './render.ts';
import { seccompPath } from './seccomp.ts';
import type { InstanceSpec } from './spec.ts';

/** The image and pool it has, once made; else those it is to get. */
export interface Base {
  readonly pool: string;
  /** Undefined while the image is not there. */
  readonly image: RecordedImage | undefined;
}

export function baseOf(spec: InstanceSpec, actual: InstanceActual | undefined, recorded: Recorded, facts: Facts): Base {
  const declared = imageFacts(spec.image, facts);
  const record = actual?.record;
  if (record?.stage === 'made') {
    // The same image under another name, or with other properties: nothing has to be made anew for that.
    return { pool: record.pool, image: declared?.fingerprint === record.image.fingerprint ? declared : record.image };
  }
  const volume = actual?.volume;
  if (record === undefined && volume?.is === 'there' && volume.reading.complete && volume.reading.image !== undefined) {
    const same = declared?.fingerprint === volume.reading.image ? declared : undefined;
    return { pool: volume.pool, image: same ?? { name: spec.image.name, fingerprint: volume.reading.image } };
  }
  return { pool: recorded.tombstone?.pool ?? spec.root.pool, image: declared };
}

export interface TargetDecisions {
  readonly generation: number;
  readonly heldBoot: string | undefined;
  readonly seed: string | undefined;
}

export function makeTarget(
  ref: ResourceRef,
  spec: InstanceSpec,
  base: { readonly pool: string; readonly image: RecordedImage },
  recorded: Recorded,
  facts: Facts,
  decisions: TargetDecisions,
): Target {
  const name = lxcName(ref);
  return {
    uid: recorded.uid,
    ref,
    source: recorded.source,
    prefix: facts.prefix,
    spec,
    host: facts.host,
    dir: facts.paths.instance(name),
    rootfs: rootfsPath(facts.paths.pool(base.pool), name),
    seccomp: seccompPath(facts.paths),
    pool: base.pool,
    image: base.image,
    allocations: Object.fromEntries([...recorded.allocations].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    idBase: idBase(spec, recorded),
    hwaddrs: hwaddrs(recorded),
    networks: networks(spec, facts),
    state: spec.state,
    ...decisions,
  };
}

function idBase(spec: InstanceSpec, recorded: Recorded): number | undefined {
  if (spec.privileged) return undefined;
  const first = recorded.allocations.get('idrange');
  if (first !== undefined) return Number(first);
  // Without this an instance would silently be made privileged.
  throw new AppError('INTERNAL', { instance: recorded.ref.name }, { message: `The instance "${recorded.ref.name}" has no range of ids.` });
}

function hwaddrs(recorded: Recorded): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [what, value] of recorded.allocations) if (what.startsWith('hwaddr:')) found[what.slice('hwaddr:'.length)] = value;
  return found;
}

function networks(spec: InstanceSpec, facts: Facts): Record<string, NicNetwork> {
  const found: Record<string, NicNetwork> = {};
  for (const device of spec.deviceList) {
    const network = device.type === 'nic' ? nicNetwork(facts, device.network) : undefined;
    if (network !== undefined) found[device.name] = network;
  }
  return found;
}

export function poolRef(name: string): ResourceRef {
  return makeRef('StoragePool', name);
}
