// Reads which stored images an Image object holds: the one it has now, and former ones that instances may still use.
import { toAppError } from '../../core/errors.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { ImageReading } from '../../host/ports/images.ts';
import type { HostView } from '../../host/ports/view.ts';
import type { Observed, Recorded } from '../kind.ts';

export interface FormerImage {
  readonly fingerprint: string;
  /** A container here was made from it and may be made from it again. */
  readonly inUse: boolean;
}

export interface ImageActual {
  readonly fingerprint: string;
  /** Hash of the source it was asked for with. */
  readonly sourceHash: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly architecture: string;
  readonly sizeBytes: number;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly former: readonly FormerImage[];
}

export async function observe(
  view: HostView,
  ref: ResourceRef,
  recorded: Recorded | undefined,
  signal: AbortSignal,
): Promise<Observed<ImageActual>> {
  // What an image is held by is the object's uid, which it has from its first record on.
  if (recorded === undefined) return { is: 'absent' };
  try {
    signal.throwIfAborted();
    const held = heldBy(recorded.uid, (await view.images()).values());
    const [current, ...former] = held;
    if (current === undefined) return { is: 'absent' };
    const { image, sourceHash } = current;
    return {
      is: 'present',
      actual: {
        fingerprint: image.fingerprint,
        sourceHash,
        properties: image.properties,
        architecture: image.architecture,
        sizeBytes: image.sizeBytes,
        createdAt: image.createdAt,
        former: await readFormer(view, former),
      },
    };
  } catch (error) {
    return { is: 'unknown', because: toAppError(error, 'HOST_UNREADABLE', { image: ref.name }) };
  }
}

interface Held {
  readonly image: ImageReading;
  readonly sourceHash: string;
  readonly since: number;
}

/** Newest hold first. */
function heldBy(uid: string, images: Iterable<ImageReading>): Held[] {
  const held: Held[] = [];
  for (const image of images) {
    const hold = Object.hasOwn(image.holders, uid) ? image.holders[uid] : undefined;
    if (hold !== undefined) held.push({ image, ...hold });
  }
  return held.toSorted((a, b) => b.since - a.since);
}

async function readFormer(view: HostView, former: readonly Held[]): Promise<FormerImage[]> {
  if (former.length === 0) return [];
  const containers = [...(await view.containers()).values()];
  return former.map(({ image: { fingerprint } }) => ({
    fingerprint,
    // The record names it wherever it names an image; 64 hexadecimal digits occur in it for no other reason.
    inUse: containers.some(({ record, started }) => record?.includes(fingerprint) === true || started?.includes(fingerprint) === true),
  }));
}
