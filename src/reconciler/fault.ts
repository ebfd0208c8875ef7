// Fault injection for the crash tests: LOCKSTEP_FAULT=kill@N ends the daemon with SIGKILL at the N-th boundary (the place before or
// after any step of any change); LOCKSTEP_FAULT=count only logs them. Counted over the process, so a test can visit each one.
import type { Log } from '../core/log.ts';

/** Called at each boundary; may throw (tests) or never return (kill). */
export type Boundary = (where: string) => void;

export const noFaults: Boundary = () => {};

export function faultsFromEnvironment(text: string | undefined, log: Log): Boundary {
  if (text === undefined || text === '') return noFaults;
  const match = /^(?:kill@([1-9][0-9]*)|count)$/.exec(text);
  if (match === null) throw new Error(`LOCKSTEP_FAULT must be "kill@N" or "count", not "${text}"`);
  const killAt = match[1] === undefined ? undefined : Number(match[1]);
  let count = 0;
  return (where) => {
    count++;
    log.info({ boundary: count, where }, 'boundary');
    if (count === killAt) process.kill(process.pid, 'SIGKILL');
  };
}
