// Imports an image from files: a unified tarball, or a metadata tarball with a root file system as tarball or squashfs. The files are
// copied first, so that what was checked is what is unpacked later, and kept as they are: their hash is LXD's fingerprint.
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../../core/errors.ts';
import type { ImageSource } from '../../ports/images.ts';
import { mustRun } from '../../run/run.ts';
import { kernelArchitecture } from '../architecture.ts';
import type { Progress } from '../image-port.ts';
import type { NewImage } from '../image-store.ts';
import { decompress, detectForm, ENDINGS, type FileForm } from './compression.ts';
import { refused } from './entry.ts';
import { parseMetadata } from './metadata.ts';
import { DEFAULT_LIMITS, type Scan, scanTar, type ScanLimits } from './scan.ts';

type FileSource = Extract<ImageSource, { readonly type: 'file' }>;

const CHUNK_BYTES = 1024 ** 2;
const MAX_COMPRESSED_BYTES = 32 * 1024 ** 3;

export async function importFile(
  source: FileSource,
  directory: string,
  progress: Progress,
  signal: AbortSignal,
  limits: ScanLimits = DEFAULT_LIMITS,
): Promise<NewImage> {
  const hash = createHash('sha256');
  progress(`copying ${source.path}`);
  const first = await copyIn(source.path, join(directory, 'incoming'), hash, signal);
  const second = source.rootfs === undefined ? undefined : await copyIn(source.rootfs, join(directory, 'incoming-rootfs'), hash, signal);
  const fingerprint = hash.digest('hex');
  if (source.sha256 !== undefined && source.sha256.toLowerCase() !== fingerprint) {
    throw new AppError(
      'IMAGE_INVALID',
      { path: source.path, fingerprint },
      {
        message: `"${source.path}" has the sha256 ${fingerprint}, not the declared ${source.sha256}.`,
        hint: 'Correct sha256, or put the right file there.',
      },
    );
  }
  const head = await takeIn(directory, 'incoming', source.rootfs === undefined ? 'image' : 'metadata', source.path);
  progress('checking the archive');
  const scan = await scanFile(directory, head, limits, signal);
  if (scan.metadata === undefined) throw refused('it has no metadata.yaml');
  const metadata = parseMetadata(scan.metadata);
  const common = {
    fingerprint,
    sizeBytes: first + (second ?? 0),
    properties: metadata.properties,
    architecture: kernelArchitecture(metadata.architecture),
  };
  if (source.rootfs === undefined) {
    if (scan.rootfsPrefix === undefined) throw refused('it has no rootfs directory');
    return { ...common, unpackedBytes: scan.bytes, rootfs: { as: 'unified-tar', file: head.file, prefix: scan.rootfsPrefix } };
  }
  const root = await takeIn(directory, 'incoming-rootfs', 'rootfs', source.rootfs);
  const unpackedBytes =
    root.form === 'squashfs'
      ? await squashfsBytes(join(directory, root.file), limits, signal)
      : (await scanFile(directory, root, limits, signal)).bytes;
  return {
    ...common,
    unpackedBytes,
    metadataFile: head.file,
    rootfs: { as: root.form === 'squashfs' ? 'squashfs' : 'tar', file: root.file },
  };
}

/** Copies a regular file and adds its bytes to the hash. */
async function copyIn(path: string, into: string, hash: Hash, signal: AbortSignal): Promise<number> {
  // O_NONBLOCK: opening a FIFO that somebody put there must not wait for ever.
  const from = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw new AppError(
      isErrno(cause, 'ENOENT') ? 'IMAGE_MISSING' : 'IMAGE_INVALID',
      { path },
      { message: `The image file "${path}" cannot be read.`, hint: 'Its path is relative to the manifest that names it.', cause },
    );
  });
  try {
    const at = await from.stat();
    if (!at.isFile() || at.size > MAX_COMPRESSED_BYTES) {
      throw new AppError('IMAGE_INVALID', { path }, { message: `"${path}" is not a regular file of a sensible size.` });
    }
    const to = await open(into, 'wx', 0o600);
    try {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      let copied = 0;
      for (;;) {
        if (signal.aborted) throw new AppError('CANCELLED', { path });
        const { bytesRead } = await from.read(buffer, 0, CHUNK_BYTES, null);
        if (bytesRead === 0) return copied;
        const chunk = buffer.subarray(0, bytesRead);
        hash.update(chunk);
        await to.writeFile(chunk);
        copied += bytesRead;
        if (copied > MAX_COMPRESSED_BYTES) throw new AppError('IMAGE_INVALID', { path }, { message: `"${path}" grows while it is read.` });
      }
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

interface TakenFile {
  readonly file: string;
  readonly form: FileForm;
}

/** Gives the copied file a name with the ending of what it is. */
async function takeIn(directory: string, from: string, name: string, shown: string): Promise<TakenFile> {
  const form = await detectForm(join(directory, from), shown);
  if (form === 'squashfs' && name !== 'rootfs') throw refused('a squashfs has no metadata; name it as "rootfs" beside a metadata tarball');
  const file = `${name}${ENDINGS[form]}`;
  await rename(join(directory, from), join(directory, file));
  return { file, form };
}

async function scanFile(directory: string, taken: TakenFile, limits: ScanLimits, signal: AbortSignal): Promise<Scan> {
  const path = join(directory, taken.file);
  if (taken.form === 'tar') return await scanTar(path, limits);
  if (taken.form === 'squashfs') throw refused('a squashfs is not a tar archive');
  const plain = join(directory, 'plain.tar');
  try {
    await decompress(path, taken.form, plain, limits.maxBytes, signal);
    return await scanTar(plain, limits);
  } finally {
    await rm(plain, { force: true });
  }
}

/** Sum of the sizes of all files, from the listing. unsquashfs itself keeps names inside its destination. */
async function squashfsBytes(path: string, limits: ScanLimits, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  let entries = 0;
  // `-rw-r--r-- root/root   1234 2020-01-01 00:00 squashfs-root/...`: names come last and may hold anything, also line breaks.
  const argv = ['unsquashfs', '-no-progress', '-lln', '-dest', 'root', path];
  await mustRun(argv, {
    signal,
    timeoutMs: 10 * 60_000,
    onStdoutLine: (line) => {
      const match = /^-\S{9} \d+\/\d+ +(\d+) \d{4}-\d\d-\d\d /.exec(line);
      entries++;
      if (match) bytes += Number(match[1]);
    },
  });
  if (entries > limits.maxEntries || bytes > limits.maxBytes) throw refused(`it unpacks to ${entries} entries and ${bytes} bytes`);
  return bytes;
}
