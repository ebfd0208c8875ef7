// Pools in a plain directory of any file system: volumes are copied (as reflinks where the file system can), without quotas.
import { mkdir } from 'node:fs/promises';
import { AppError } from '../../../core/errors.ts';
import { heavyWork } from '../../heavy-work.ts';
import { pathExists } from '../../path-exists.ts';
import { mustRun } from '../../run/run.ts';
import type { PoolTarget } from '../../ports/storage.ts';
import type { PoolDriver } from '../pool-driver.ts';
import { activatePath, createPathBacking, deactivatePath, readPathBacking, removePathBacking } from '../path-source.ts';
import { setAside } from '../reclaim.ts';

const COPY_TIMEOUT_MS = 30 * 60_000;

function sourcePath(target: PoolTarget): string {
  if (target.source.type === 'path') return target.source.path;
  throw new AppError(
    'VALUE_INVALID',
    { pool: target.name },
    {
      message: `The pool "${target.name}" of driver "dir" can only lie in a directory.`,
      hint: 'Set config.source to a directory, or leave it away.',
    },
  );
}

export const dirDriver: PoolDriver = {
  capabilities: { snapshots: false, quotas: false, blockBacked: false },

  async probe() {
    return { usable: true };
  },

  async readBacking(target, identity) {
    return await readPathBacking(sourcePath(target), identity);
  },

  async createBacking(target, identity) {
    await createPathBacking(target, sourcePath(target), identity);
  },

  async activate(target, _identity, signal) {
    await activatePath(target, sourcePath(target), signal);
  },

  async deactivate(target, signal) {
    await deactivatePath(target, sourcePath(target), signal);
  },

  async grow() {
    // It is as large as the file system below it.
  },

  async removeBacking(target) {
    await removePathBacking(target, sourcePath(target));
  },

  async createVolume(path) {
    await mkdir(path, { mode: 0o700 });
  },

  async cloneVolume(from, to, signal) {
    if (await pathExists(to)) await setAside(to);
    // --archive keeps owners, modes, links, ACLs and extended attributes (security.capability of ping, for one).
    const argv = ['cp', '--archive', '--reflink=auto', '--no-target-directory', '--', from, to];
    await heavyWork(() => mustRun(argv, { signal, timeoutMs: COPY_TIMEOUT_MS }), signal);
  },

  async sealVolume() {
    // A directory cannot be made read-only for root; nobody else reaches it.
  },

  async deleteVolume(path) {
    await setAside(path);
  },

  async limitVolume() {
    throw new AppError('NOT_SUPPORTED_YET', {}, { message: 'Volumes of a "dir" pool cannot be limited in size.' });
  },
};
