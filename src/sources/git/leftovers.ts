// What a git that was ended leaves behind: simple-git signals git alone, and its helpers (git-remote-https, ssh) wait on for their network. They
// carry a mark of our own in their environment, which is how they are told from all other processes.
import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from '../../core/errors.ts';

export const MARK = 'LOCKSTEP_GIT_CALL';

/** SIGKILL to every process with this mark. `mark`: as unguessable as a UUID. */
export async function endMarked(mark: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  await Promise.all(
    pids.map(async (pid) => {
      // Gone meanwhile, or somebody else's: not one of ours.
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      if (environment.split('\0').includes(`${MARK}=${mark}`)) kill(Number(pid));
    }),
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
