// What a file is, by its first bytes, and how it becomes an uncompressed archive to look into.
import { open, rename } from 'node:fs/promises';
import { AppError } from '../../../core/errors.ts';
import { mustRun } from '../../run/run.ts';

export type FileForm = 'tar' | 'gzip' | 'xz' | 'zstd' | 'squashfs';

const DECOMPRESS_TIMEOUT_MS = 20 * 60_000;

const MAGICS: readonly { readonly form: FileForm; readonly at: number; readonly bytes: string }[] = [
  { form: 'gzip', at: 0, bytes: '\x1f\x8b' },
  { form: 'xz', at: 0, bytes: '\xfd7zXZ\0' },
  { form: 'zstd', at: 0, bytes: '\x28\xb5\x2f\xfd' },
  { form: 'squashfs', at: 0, bytes: 'hsqs' },
  { form: 'tar', at: 257, bytes: 'ustar' },
];

/** File name endings that tar(1) and the tools below know. */
export const ENDINGS: Readonly<Record<FileForm, string>> = {
  tar: '.tar',
  gzip: '.tar.gz',
  xz: '.tar.xz',
  zstd: '.tar.zst',
  squashfs: '.squashfs',
};

/** IMAGE_INVALID when it is nothing we can read. `shown` is the name people know the file by. */
export async function detectForm(path: string, shown: string): Promise<FileForm> {
  const head = Buffer.alloc(512);
  const file = await open(path, 'r');
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  const found = MAGICS.find(({ at, bytes }) => head.toString('latin1', at, at + bytes.length) === bytes);
  if (found !== undefined) return found.form;
  throw new AppError(
    'IMAGE_INVALID',
    { path: shown },
    { message: `"${shown}" is not an image: neither a tar archive (plain, gz, xz or zst) nor a squashfs.` },
  );
}

const TOOLS: Readonly<Record<'gzip' | 'xz' | 'zstd', readonly string[]>> = {
  gzip: ['gzip', '--decompress', '--keep', '--force', '--quiet'],
  xz: ['xz', '--decompress', '--keep', '--force', '--quiet', '--threads=0'],
  zstd: ['zstd', '--decompress', '--keep', '--force', '--quiet'],
};

/** Makes `into` from a compressed archive (whose name has its ending). More than `maxBytes` is IMAGE_INVALID. */
export async function decompress(
  path: string,
  form: 'gzip' | 'xz' | 'zstd',
  into: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    // The kernel ends the tool at the limit (RLIMIT_FSIZE), however little was packed to so much.
    await mustRun(['prlimit', `--fsize=${maxBytes}`, ...TOOLS[form], '--', path], { signal, timeoutMs: DECOMPRESS_TIMEOUT_MS });
  } catch (cause) {
    if (cause instanceof AppError && cause.code === 'TOOL_FAILED' && !cause.message.includes('No space left')) {
      throw new AppError(
        'IMAGE_INVALID',
        {},
        { message: `The archive cannot be decompressed: it is damaged, or unpacks to more than ${maxBytes} bytes.`, cause },
      );
    }
    throw cause;
  }
  // These tools name what they write by taking their ending away.
  await rename(path.slice(0, path.lastIndexOf('.')), into);
}
