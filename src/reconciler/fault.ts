// Fault injection for the crash tests, by LOCKSTEP_FAULT. A boundary is the place before or after any step of any change.
//   kill@N      ends the daemon with SIGKILL at the N-th boundary since its start
//   count       only logs them
//   file:PATH   does what that file says at each boundary, counted anew whenever its text changes: one daemon serves several tries
import { readFileSync } from 'node:fs';
import type { Log } from '../core/log.ts';

/** Called at each boundary; may throw (tests) or never return (kill). */
export type Boundary = (where: string) => void;

export const noFaults: Boundary = () => {};

export function faultsFromEnvironment(text: string | undefined, log: Log): Boundary {
  if (text === undefined || text === '') return noFaults;
  const file = /^file:(\/.*)$/s.exec(text)?.[1];
  const order = file === undefined ? (): string => text : (): string => readFileSync(file, 'utf8');
  killAt(order());
  let last = '';
  let count = 0;
  return (where) => {
    const now = order();
    if (now !== last) count = 0;
    last = now;
    count++;
    log.info({ boundary: count, order: now, where }, 'boundary');
    if (count === killAt(now)) process.kill(process.pid, 'SIGKILL');
  };
}

/** What stands behind the first word of a file's text only tells one try from the next. */
function killAt(text: string): number | undefined {
  const match = /^(?:kill@([1-9][0-9]*)|count)(?: [^\n]*)?$/.exec(text);
  if (match === null)
    throw new Error(`LOCKSTEP_FAULT must be "kill@N", "count" or "file:" with the path of a file that says so, not "${text}".`);
  return match[1] === undefined ? undefined : Number(match[1]);
}
