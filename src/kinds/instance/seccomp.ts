// The seccomp policy of every instance: LXD's deny list (its instance security documentation), which keeps a container from loading
// kernels and modules and from opening files by handle.
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Paths } from '../../core/paths.ts';

/** ENOSYS: programs then behave as on a kernel without the call. */
const ENOSYS = 38;

const DENIED = ['kexec_load', 'open_by_handle_at', 'init_module', 'finit_module', 'delete_module'] as const;

/** liblxc's policy format 2: version, kind of list, then rules for all architectures. */
export function seccompPolicy(): string {
  return ['2', 'denylist', 'reject_force_umount', '[all]', ...DENIED.map((call) => `${call} errno ${ENOSYS}`), ''].join('\n');
}

/** In the state directory, not the run directory: a guest's reboot reads it again, whatever became of the daemon. */
export function seccompPath(paths: Pick<Paths, 'stateDir'>): string {
  return join(paths.stateDir, 'seccomp', 'default');
}

/** Called at daemon start, before any container. Safe to repeat; never leaves half a file. */
export async function writeSeccompPolicies(paths: Pick<Paths, 'stateDir'>): Promise<void> {
  const path = seccompPath(paths);
  await mkdir(dirname(path), { recursive: true, mode: 0o711 });
  const temporary = `${path}.new`;
  await using file = await open(temporary, 'w', 0o644);
  await file.writeFile(seccompPolicy());
  await file.sync();
  await rename(temporary, path);
}
