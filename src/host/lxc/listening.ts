// Whether an init takes notice of the signal that asks it to shut down. The kernel drops a signal for the init of a pid namespace that neither
// catches nor blocks it (pid_namespaces(7)): one that was started, or thawed, a moment ago has often not come that far yet.
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** glibc's; liblxc counts from it. */
const SIGRTMIN = 34;
const LOOK_MS = 10;

/** Numbers of the signals that liblxc may choose from for a container with this configuration (lxcapi_shutdown). */
export function haltSignals(config: string): readonly number[] {
  const name = /^lxc\.signal\.halt = (\S+)$/m.exec(config)?.[1];
  // Without one it is SIGPWR, or SIGRTMIN+3 for an init that blocks that, as systemd does.
  if (name === undefined) return [constants.signals.SIGPWR, SIGRTMIN + 3];
  const above = /^SIGRTMIN\+(\d+)$/.exec(name)?.[1];
  const number = above === undefined ? (constants.signals as Readonly<Record<string, number>>)[name] : SIGRTMIN + Number(above);
  return number === undefined ? [] : [number];
}

/** From /proc/PID/status. */
export function isListening(status: string, signals: readonly number[]): boolean {
  const masks = [/^SigCgt:\s*([0-9a-f]+)$/m, /^SigBlk:\s*([0-9a-f]+)$/m].map((line) => BigInt(`0x${line.exec(status)?.[1] ?? '0'}`));
  return signals.some((number) => masks.some((mask) => ((mask >> BigInt(number - 1)) & 1n) === 1n));
}

/** Resolves when it listens, has ended, or `patienceMs` are over: there are inits that never do. */
export async function untilListening(pid: number, signals: readonly number[], patienceMs: number): Promise<void> {
  if (signals.length === 0) return;
  for (const until = performance.now() + patienceMs; performance.now() < until; await sleep(LOOK_MS)) {
    const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => undefined);
    if (status === undefined || isListening(status, signals)) return;
  }
}
