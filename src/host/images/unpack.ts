// Unpacks a stored image's root file system into a volume. Its archive was checked when it was imported (tarball/scan.ts) and has lain
// in our own directory since; tar's own protections (names stripped of `/` and `..`, links out of the tree made last) stand besides.
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Paths } from '../../core/paths.ts';
import { mustRun } from '../run/run.ts';
import { readRecord } from './image-record.ts';
import { ImageStore, imageMissing } from './image-store.ts';

const UNPACK_TIMEOUT_MS = 20 * 60_000;

/** `rootfs` does not exist yet; its parent does. DISK_FULL before anything is written when it cannot fit. */
export async function unpackImage(paths: Paths, fingerprint: string, rootfs: string, signal: AbortSignal): Promise<void> {
  const directory = new ImageStore(paths.images).directory(fingerprint);
  const record = await readRecord(directory);
  if (record === undefined) throw imageMissing(fingerprint);
  await checkSpace(record.unpackedBytes, dirname(rootfs), fingerprint);
  const form = record.rootfs;
  const file = join(directory, form.file);
  try {
    if (form.as === 'squashfs') await unpackSquashfs(file, rootfs, signal);
    else if (form.as === 'tar') await unpackTar(file, rootfs, undefined, signal);
    else await unpackUnified(file, rootfs, form.prefix, signal);
    // None is needed (a container gets its own /dev), and set-up mistakes must not turn one into access to the host's hardware.
    await mustRun(['find', rootfs, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-delete'], {
      signal,
      timeoutMs: UNPACK_TIMEOUT_MS,
    });
  } catch (error) {
    throw unpackError(error, fingerprint);
  }
}

async function checkSpace(bytes: number, at: string, fingerprint: string): Promise<void> {
  const space = await statfs(at, { bigint: true });
  const free = Number(space.bavail * space.bsize);
  if (bytes <= free) return;
  throw new AppError(
    'DISK_FULL',
    { fingerprint, neededBytes: bytes, freeBytes: free },
    { message: `The image ${fingerprint.slice(0, 12)} needs ${bytes} bytes, and the pool has ${free} left.`, hint: 'Enlarge the pool.' },
  );
}

async function unpackUnified(file: string, rootfs: string, prefix: string, signal: AbortSignal): Promise<void> {
  const parent = join(dirname(rootfs), '.unpack');
  await rm(parent, { recursive: true, force: true });
  await unpackTar(file, parent, prefix, signal);
  await rename(join(parent, prefix), rootfs);
  await rm(parent, { recursive: true, force: true });
}

async function unpackTar(file: string, into: string, prefix: string | undefined, signal: AbortSignal): Promise<void> {
  await mkdir(into, { mode: 0o755 });
  const devices = prefix === undefined ? ['./dev/*', 'dev/*'] : [`${prefix}/dev/*`];
  await mustRun(
    [
      'tar',
      '--extract',
      `--file=${file}`,
      `--directory=${into}`,
      '--numeric-owner',
      '--same-owner',
      '--preserve-permissions',
      '--acls',
      '--xattrs',
      '--xattrs-include=user.*',
      '--xattrs-include=security.capability',
      '--anchored',
      ...devices.map((pattern) => `--exclude=${pattern}`),
      ...(prefix === undefined ? [] : ['--', prefix]),
    ],
    { signal, timeoutMs: UNPACK_TIMEOUT_MS },
  );
}

async function unpackSquashfs(file: string, rootfs: string, signal: AbortSignal): Promise<void> {
  await mustRun(['unsquashfs', '-no-progress', '-quiet', '-dest', rootfs, file], { signal, timeoutMs: UNPACK_TIMEOUT_MS });
}

function unpackError(error: unknown, fingerprint: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'TOOL_FAILED') return error;
  const full = error.message.includes('No space left on device') || error.message.includes('Disk quota exceeded');
  return new AppError(
    full ? 'DISK_FULL' : 'IMAGE_INVALID',
    { fingerprint },
    { message: `The image ${fingerprint.slice(0, 12)} cannot be unpacked.`, cause: error },
  );
}
