// What a process costs, from /proc: CPU time, context switches of all its threads, memory.
import { readdirSync, readFileSync } from 'node:fs';

/** CPU seconds as proc_pid_stat(5) has them, in hundredths: also of threads that ended. */
export function statSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Times a thread went to sleep by itself: each wakes a core again. */
export function voluntarySwitches(pid: number): number {
  return sumOverThreads(pid, 'status', (text) => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1]));
}

/** MiB of a field of /proc/PID/status, such as VmRSS. */
export function statusMiB(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** MiB of memory that is the process's share of what it maps (PSS). */
export function pssMiB(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024;
}

export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function sumOverThreads(pid: number, file: string, value: (text: string) => number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += value(readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'latin1'));
    } catch {
      // The thread ended between the two readings.
    }
  }
  return sum;
}
