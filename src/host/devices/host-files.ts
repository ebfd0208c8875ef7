// Looks at paths of the host that devices name. Reads only.
import { stat } from 'node:fs/promises';
import { AppError, isErrno } from '../../core/errors.ts';
import type { FilesPort, HostPathReading } from '../ports/files.ts';

async function statHostPath(path: string): Promise<HostPathReading> {
  let found;
  try {
    found = await stat(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return { is: 'missing' };
    throw new AppError('HOST_UNREADABLE', { path }, { message: `The host path "${path}" cannot be looked at.`, cause: error });
  }
  if (found.isDirectory()) return { is: 'directory' };
  if (found.isCharacterDevice() || found.isBlockDevice()) {
    return { is: found.isCharacterDevice() ? 'char' : 'block', ...deviceNumbers(found.rdev) };
  }
  return { is: 'file' };
}

/** glibc's gnu_dev_major and gnu_dev_minor: 12 + 20 bits of major and 8 + 24 bits of minor, interleaved. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const id = BigInt(rdev);
  const major = ((id >> 8n) & 0xfffn) | ((id >> 32n) & 0xfffff000n);
  const minor = (id & 0xffn) | ((id >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

export const hostFiles: FilesPort = { stat: statHostPath };
