// Is there anything at a path? Whatever it is: a symbolic link counts, too.
import { lstat } from 'node:fs/promises';
import { isErrno } from '../core/errors.ts';

/** Rejects when that cannot be told: unreadable is not absent. */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
