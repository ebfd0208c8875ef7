// Programs that are ours are told from all other processes by a mark in their environment. A daemon that is killed leaves its tools running
// (mkfs, tar, git), and the next one must not work beside them; git's own helpers (git-remote-https, ssh) outlive a git that was ended.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from './errors.ts';

/** Its value is the state directory of the daemon that started the tool. Services that stay (dnsmasq) do not carry it. */
export const TOOL_MARK = 'LOCKSTEP_TOOL_OF';

/** From here on every tool this process starts is marked. */
export function markTools(stateDir: string): void {
  process.env[TOOL_MARK] = stateDir;
}

/** What a tool gets into its environment. */
export function toolMark(): Readonly<Record<string, string>> {
  const value = process.env[TOOL_MARK];
  return value === undefined ? {} : { [TOOL_MARK]: value };
}

/** SIGKILL to every process with this mark in its environment, except this one; returns their pids. */
export async function endMarked(name: string, value: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid));
  const marked = await Promise.all(
    pids.map(async (pid) => {
      // Gone meanwhile, or somebody else's: not one of ours.
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(`${name}=${value}`) && kill(Number(pid), 'SIGKILL') ? [Number(pid)] : [];
    }),
  );
  return marked.flat();
}

/** Ends what an earlier daemon of this state directory left at work, and waits until it is gone. To be called before any tool is started. */
export async function endOrphanedTools(stateDir: string, patienceMs: number): Promise<readonly number[]> {
  const ended = await endMarked(TOOL_MARK, stateDir);
  const until = performance.now() + patienceMs;
  // A process in an uninterruptible wait (a disk that hangs) cannot be waited for without end.
  while (ended.some((pid) => kill(pid, 0)) && performance.now() < until) await sleep(10);
  return ended;
}

/** False when there is no such process. */
function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
    return false;
  }
}
