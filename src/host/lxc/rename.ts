// A container's directory under another name. What is written in it (paths, host name, cgroup) is made anew by whoever renames it.
import { open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, toAppError } from '../../core/errors.ts';
import type { Paths } from '../../core/paths.ts';
import { pathExists } from '../path-exists.ts';
import { checkName } from './files.ts';

/** In one step. Done already is fine. */
export async function renameContainer(paths: Paths, name: string, to: string): Promise<void> {
  checkName(name);
  checkName(to);
  try {
    if (await pathExists(paths.instance(to))) {
      if (!(await pathExists(paths.instance(name)))) return;
      throw new AppError('CONFLICT', { name, to }, { message: `Container "${name}" cannot become "${to}": there is one of that name.` });
    }
    await rename(paths.instance(name), paths.instance(to));
    await using directory = await open(paths.instances, 'r');
    await directory.sync();
  } catch (error) {
    throw toAppError(error, 'FILE_FAILED', { name, to });
  }
  // liblxc's lock file of the former name.
  await unlink(join('/run/lxc/lock', paths.instances, `.${name}`)).catch(() => undefined);
}
