// Loop devices and the sparse files behind them. losetup(8) is run when a pool is made, activated or grown, never per volume.
import { open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import { mustRun, run } from '../run/run.ts';

const LOSETUP_TIMEOUT_MS = 60_000;
const SYS_BLOCK = '/sys/block';

/** Makes a sparse file of this size, 0600; one that exists is emptied. */
export async function createSparseFile(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The loop devices (`/dev/loopN`) whose backing file this is, from sysfs. */
export async function loopsOf(file: string): Promise<string[]> {
  const devices: string[] = [];
  for (const name of await readdir(SYS_BLOCK)) {
    if (!/^loop\d+$/.test(name)) continue;
    // The kernel adds " (deleted)" when the file is gone: then it is not this file any more.
    if ((await readBackingFile(name)) === file) devices.push(`/dev/${name}`);
  }
  return devices;
}

async function readBackingFile(name: string): Promise<string | undefined> {
  try {
    return (await readFile(join(SYS_BLOCK, name, 'loop/backing_file'), 'utf8')).replace(/\n$/, '');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Attaches the file, or returns the device it is attached to already. Two would be two caches of one file system: never made. */
export async function attachLoop(file: string, signal: AbortSignal): Promise<string> {
  const [existing] = await loopsOf(file);
  if (existing !== undefined) return existing;
  let device: string;
  try {
    const { stdout } = await mustRun(['losetup', '--find', '--nooverlap', '--show', '--', file], { signal, timeoutMs: LOSETUP_TIMEOUT_MS });
    device = stdout.trim();
  } catch (cause) {
    if (cause instanceof AppError && (cause.code === 'CANCELLED' || cause.code === 'TIMED_OUT')) throw cause;
    throw new AppError(
      'FEATURE_MISSING',
      { file },
      {
        message: `The loop file "${file}" cannot be attached.`,
        hint: 'Loop devices are needed (modprobe loop); inside a container, use a pool of driver "dir" or an existing path.',
        cause,
      },
    );
  }
  // Direct I/O saves a second copy of everything in the page cache. Not every file system can, and then it works without.
  await run(['losetup', '--direct-io=on', '--', device], { signal, timeoutMs: LOSETUP_TIMEOUT_MS });
  return device;
}

/** Not attached is fine. Still mounted: the kernel detaches it when it is unmounted. */
export async function detachLoop(file: string, signal: AbortSignal): Promise<void> {
  for (const device of await loopsOf(file)) {
    await mustRun(['losetup', '--detach', device], { signal, timeoutMs: LOSETUP_TIMEOUT_MS });
  }
}

/** Only growing; the attached device then has the new size too. */
export async function growLoop(file: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const { size } = await stat(file);
  if (size < sizeBytes) await truncate(file, sizeBytes);
  for (const device of await loopsOf(file)) {
    await mustRun(['losetup', '--set-capacity', device], { signal, timeoutMs: LOSETUP_TIMEOUT_MS });
  }
}
