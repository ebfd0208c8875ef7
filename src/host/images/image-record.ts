// image.json of one stored image: what it is, who needs it, and how its files are unpacked.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { ImageReading } from '../ports/images.ts';

/** How the root file system lies in the image's directory. */
export type RootfsForm =
  /** Below `prefix` (`rootfs` or `./rootfs`) in a tarball. */
  | { readonly as: 'unified-tar'; readonly file: string; readonly prefix: string }
  /** A tarball of the root itself. */
  | { readonly as: 'tar'; readonly file: string }
  | { readonly as: 'squashfs'; readonly file: string };

export interface ImageRecord extends ImageReading {
  readonly version: 1;
  readonly rootfs: RootfsForm;
  /** The metadata tarball of a split image, for export. */
  readonly metadataFile?: string;
  /** Bytes all files hold when unpacked. */
  readonly unpackedBytes: number;
}

export const RECORD_FILE = 'image.json';
const UNFINISHED_FILE = `${RECORD_FILE}.new`;

/** Undefined when there is no image. A record that cannot be read is HOST_UNREADABLE. */
export async function readRecord(directory: string): Promise<ImageRecord | undefined> {
  const path = join(directory, RECORD_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR')) return undefined;
    throw unreadable(path, cause);
  }
  try {
    const value = JSON.parse(text) as ImageRecord;
    if (value.version === 1 && typeof value.fingerprint === 'string' && typeof value.holders === 'object') return value;
  } catch (cause) {
    throw unreadable(path, cause);
  }
  throw unreadable(path, undefined);
}

function unreadable(path: string, cause: unknown): AppError {
  return new AppError(
    'HOST_UNREADABLE',
    { path },
    {
      message: `The record "${path}" of an image cannot be read.`,
      hint: 'Restore it, or remove its directory: the image is then made again.',
      cause,
    },
  );
}

/** What a daemon that was killed while it wrote one has left. */
export async function removeUnfinishedRecord(directory: string): Promise<void> {
  await rm(join(directory, UNFINISHED_FILE), { force: true });
}

export async function writeRecord(directory: string, record: ImageRecord): Promise<void> {
  const fresh = join(directory, UNFINISHED_FILE);
  await writeFile(fresh, `${JSON.stringify(record, undefined, 1)}\n`, { mode: 0o600, flush: true });
  await rename(fresh, join(directory, RECORD_FILE));
}

export function toReading(record: ImageRecord): ImageReading {
  const { fingerprint, sourceHash, sizeBytes, createdAt, properties, architecture, holders } = record;
  return { fingerprint, sourceHash, sizeBytes, createdAt, properties, architecture, holders };
}
