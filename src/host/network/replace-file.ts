// Writes a file so that readers (dnsmasq among them) see the old content or the new, never a part.
import { chown, rename, rm, writeFile } from 'node:fs/promises';
import { AppError, toAppError } from '../../core/errors.ts';

/** `gid`: the group that may read it. Rejects with DISK_FULL or FILE_FAILED; the old file is then still there. */
export async function replaceFile(path: string, content: string, options: { readonly mode: number; readonly gid?: number }): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await rm(temporary, { force: true });
    await writeFile(temporary, content, { mode: options.mode, flag: 'wx' });
    if (options.gid !== undefined) await chown(temporary, 0, options.gid);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const { code } = toAppError(error, 'FILE_FAILED');
    throw new AppError(code, { path }, { message: `The file "${path}" could not be written.`, cause: error });
  }
}
