// The image port of the real host: builds or imports what an Image object asks for, once per source, and keeps it.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Paths } from '../../core/paths.ts';
import type { ImagePort, ImageReading, ImageSource } from '../ports/images.ts';
import { heavyWork } from '../heavy-work.ts';
import { hostArchitecture } from './architecture.ts';
import { buildBusybox } from './busybox/build.ts';
import { buildDebian } from './debian/build.ts';
import { ImageStore, type NewImage } from './image-store.ts';
import { importFile } from './tarball/import.ts';

export type Progress = (text: string, fraction?: number) => void;

export interface ImagePortOptions {
  readonly paths: Paths;
  readonly log: Log;
}

interface Wanted {
  readonly source: ImageSource;
  readonly sourceHash: string;
  readonly holder: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export function createImagePort({ paths, log }: ImagePortOptions): ImagePort {
  const store = new ImageStore(paths.images);
  /** By source hash: two objects that ask for the same image at once wait for one build. */
  const running = new Map<string, Promise<ImageReading>>();

  async function find(sourceHash: string): Promise<ImageReading | undefined> {
    const images = [...(await store.list()).values()];
    return images.find(
      (image) => image.sourceHash === sourceHash || Object.values(image.holders).some((hold) => hold.sourceHash === sourceHash),
    );
  }

  async function make({ source, sourceHash, holder, progress, signal }: Wanted): Promise<ImageReading> {
    const known = await find(sourceHash);
    if (known !== undefined) return known;
    log.info({ source: source.type }, 'making an image');
    const making = (directory: string): Promise<NewImage> => heavyWork(() => makeFrom(source, directory, progress, signal), signal);
    return await store.add(sourceHash, Date.now(), holder, making, signal);
  }

  async function makeOnce(wanted: Wanted): Promise<ImageReading> {
    const { sourceHash, progress, signal } = wanted;
    for (;;) {
      signal.throwIfAborted();
      const other = running.get(sourceHash);
      if (other === undefined) {
        const work = make(wanted).finally(() => running.delete(sourceHash));
        running.set(sourceHash, work);
        return await work;
      }
      progress('waiting for the same image');
      try {
        return await other;
      } catch (error) {
        // The one who made it was cancelled, not we: take over.
        if (!(error instanceof AppError && error.code === 'CANCELLED')) throw error;
      }
    }
  }

  return {
    list: async () => await store.list(),
    present: async (fingerprints) => await store.present(fingerprints),
    create: async (source, sourceHash, holder, progress, signal) => {
      const image = await makeOnce({ source, sourceHash, holder, progress, signal });
      return await store.hold(image.fingerprint, holder, sourceHash, Date.now());
    },
    release: async (fingerprint, holder) => await store.release(fingerprint, holder),
  };
}

/** For the one daemon of a state directory: what an earlier one left unfinished is removed first. */
export async function openImagePort(options: ImagePortOptions): Promise<ImagePort> {
  await new ImageStore(options.paths.images).sweep();
  return createImagePort(options);
}

async function makeFrom(source: ImageSource, directory: string, progress: Progress, signal: AbortSignal): Promise<NewImage> {
  if (source.type === 'file') return await importFile(source, directory, progress, signal);
  if (source.type === 'build-debian') return await buildDebian(source, directory, progress, signal);
  return await makeBusybox(directory, signal);
}

async function makeBusybox(directory: string, signal: AbortSignal): Promise<NewImage> {
  const architecture = hostArchitecture();
  const { tarball, properties } = await buildBusybox(architecture, signal);
  await writeFile(join(directory, 'image.tar'), tarball, { mode: 0o600 });
  return {
    fingerprint: createHash('sha256').update(tarball).digest('hex'),
    sizeBytes: tarball.length,
    unpackedBytes: tarball.length,
    properties,
    architecture,
    rootfs: { as: 'unified-tar', file: 'image.tar', prefix: 'rootfs' },
  };
}
