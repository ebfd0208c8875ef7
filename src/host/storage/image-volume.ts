// An image is unpacked once per pool; containers are copies or snapshots of that volume. One unpacking per image and pool at a time,
// under a temporary name until everything is on disk, so that a crash leaves nothing that looks whole.
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import { heavyWork } from '../heavy-work.ts';
import { pathExists } from '../path-exists.ts';
import { mustRun } from '../run/run.ts';
import type { OpenPool } from './open-pool.ts';
import { FACTS_LINK, readFacts, writeFacts } from './volume-facts.ts';
import { TEMPORARY_PREFIX, volumePath } from './volume-layout.ts';

/** Unpacks the root file system of an image into `rootfs`, which does not exist yet. IMAGE_MISSING when there is no such image. */
export type UnpackImage = (fingerprint: string, rootfs: string, signal: AbortSignal) => Promise<void>;

const SYNC_TIMEOUT_MS = 5 * 60_000;

export class ImageVolumes {
  readonly #unpack: UnpackImage;
  /** By volume path. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(unpack: UnpackImage) {
    this.#unpack = unpack;
  }

  /** The path of the image's volume in this pool, unpacked. */
  async ensure(pool: OpenPool, fingerprint: string, signal: AbortSignal): Promise<string> {
    const path = volumePath(pool.target.path, { type: 'image', name: fingerprint });
    for (;;) {
      signal.throwIfAborted();
      if (isUnpacked(path)) return path;
      const running = this.#running.get(path);
      if (running === undefined) {
        const work = this.#make(pool, path, fingerprint, signal).finally(() => this.#running.delete(path));
        this.#running.set(path, work);
        await work;
        return path;
      }
      try {
        await running;
      } catch (error) {
        // The one who unpacked was cancelled, not we: take over.
        if (!(error instanceof AppError && error.code === 'CANCELLED')) throw error;
      }
    }
  }

  async #make(pool: OpenPool, path: string, fingerprint: string, signal: AbortSignal): Promise<void> {
    const { driver } = pool;
    const fresh = join(dirname(path), `${TEMPORARY_PREFIX}${basename(path)}`);
    await driver.deleteVolume(fresh, signal);
    // Left by a deletion that did not come to its end: its facts are gone.
    if (await pathExists(path)) await driver.deleteVolume(path, signal);
    try {
      await driver.createVolume(fresh, signal);
      await heavyWork(() => this.#unpack(fingerprint, join(fresh, 'rootfs'), signal), signal);
      await writeFacts(fresh, { type: 'image', name: fingerprint, image: undefined, sizeBytes: undefined });
      // The rename below may reach the disk before the files' contents do, unless they are written first.
      await mustRun(['sync', '--file-system', '--', fresh], { signal, timeoutMs: SYNC_TIMEOUT_MS });
      await driver.sealVolume(fresh, signal);
      await rename(fresh, path);
    } catch (error) {
      await driver.deleteVolume(fresh, AbortSignal.timeout(SYNC_TIMEOUT_MS)).catch(() => {
        // The first error says more; what is left is removed at the next try or activation.
      });
      throw error;
    }
  }
}

/** The facts of a container's snapshot name the container, those of a half-made one are missing or the image's. */
function isUnpacked(path: string): boolean {
  const facts = readFacts(path);
  return facts?.type === 'image' && facts.name === basename(path);
}

/** Takes a volume's facts away first, so that one whose deletion is interrupted is not taken for a whole one. */
export async function forgetFacts(path: string): Promise<void> {
  try {
    await rm(join(path, FACTS_LINK), { force: true });
  } catch (error) {
    // A sealed subvolume: it is deleted in one piece. Or not a directory at all.
    if (!isErrno(error, 'EROFS') && !isErrno(error, 'ENOTDIR')) throw error;
  }
}
