// Processes that a peer's daemon has started and leaves running when it ends: dnsmasq, forkproxy, monitors. In a mount namespace of their own
// they would keep whatever was mounted on this host when that was made, other programs' loop devices among it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PeerProcesses {
  /** Its directory, as its processes see it: whatever names it or something below it among its arguments is the peer's. */
  readonly directory: string;
  /** The daemon's mount namespace, where that is one of its own: whatever is in it is the peer's. */
  readonly namespace: string | undefined;
}

/** `mnt:[4026531841]`; undefined when the process is gone, or in the namespace of this one. */
export function ownMountNamespace(pid: number): string | undefined {
  const namespace = namespaceOf(pid);
  return namespace === namespaceOf(process.pid) ? undefined : namespace;
}

/** SIGKILL, and waits until they are gone. Gives the pids of those that are still there after `patienceMs`. */
export async function endProcesses(of: PeerProcesses, patienceMs: number): Promise<number[]> {
  const until = performance.now() + patienceMs;
  for (;;) {
    // Again and again: one that was just being started is seen by the next look.
    const left = find(of);
    if (left.length === 0 || performance.now() > until) return left;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ended meanwhile
      }
    }
    await sleep(50);
  }
}

function find({ directory, namespace }: PeerProcesses): number[] {
  const own = ancestors(process.pid);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && !own.has(pid) && !isZombie(pid))
    .filter((pid) => (namespace !== undefined && namespaceOf(pid) === namespace) || names(pid, directory));
}

function names(pid: number, directory: string): boolean {
  return read(`/proc/${pid}/cmdline`)
    .split('\0')
    .some((argument) => {
      const value = argument.replace(/^[^/]*[= ]/, '');
      return value === directory || value.startsWith(`${directory}/`);
    });
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** Ended, and waited for by nobody yet: it holds nothing any more. */
function isZombie(pid: number): boolean {
  return /\) Z /.test(read(`/proc/${pid}/stat`));
}

/** This process and those it was started by. */
function ancestors(pid: number): Set<number> {
  const found = new Set<number>();
  for (let at = pid; at > 0 && !found.has(at); at = Number(/.*\) \S (\d+)/s.exec(read(`/proc/${at}/stat`))?.[1] ?? 0)) found.add(at);
  return found;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
