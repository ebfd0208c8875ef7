// When an instance that is stopped is started, and when it is left alone: restart policy, back-off, boots of the host. Pure.
import { restartNotBefore } from '../../core/restart-backoff.ts';
import type { ExitRecord } from '../../host/ports/lxc.ts';
import type { Facts, Recorded } from '../kind.ts';
import type { InstanceActual } from './actual.ts';
import type { InstanceSpec } from './spec.ts';

export type StartDecision =
  | { readonly start: true; readonly because: string; readonly notBefore?: number }
  | { readonly start: false; readonly reason: 'StoppedByGuest' | 'HeldAfterBoot'; readonly message: string };

export interface PowerInput {
  readonly spec: InstanceSpec;
  readonly actual: InstanceActual;
  readonly recorded: Recorded;
  readonly facts: Facts;
  /** It was never started as it is wanted now: new, changed, or stopped on purpose before. */
  readonly wanted: boolean;
}

/** For an instance that is stopped and declared to be up. */
export function decideStart(input: PowerInput): StartDecision {
  const { spec, actual, recorded, wanted, facts } = input;
  if (isHeld(input)) {
    return { start: false, reason: 'HeldAfterBoot', message: 'It is not started after a boot of the host (boot.autostart is false).' };
  }
  if (wanted)
    return { start: true, because: actual.started === undefined ? 'it is declared to run' : 'it is declared to run as it is now' };
  if (recorded.firstLookSinceBoot && startsAtBoot(spec, actual)) return { start: true, because: 'the host has booted' };
  // Without an exit record it never came up, or the host went down under it: nothing of its own ended.
  if (spec.restart === 'Never' && actual.exit !== undefined) return stoppedByGuest('It ended');
  if (spec.restart === 'OnFailure' && actual.exit !== undefined && isCleanExit(actual.exit)) {
    return stoppedByGuest('It was shut down from inside');
  }
  const because = spec.restart === 'Always' ? 'it ended' : 'it failed';
  return { start: true, because, ...backoff(recorded.exits, facts.now) };
}

function stoppedByGuest(what: string): StartDecision {
  const message = `${what}, and its restart policy leaves it so. A change of its manifest starts it, or "state: Stopped" settles it.`;
  return { start: false, reason: 'StoppedByGuest', message };
}

/** Kept stopped by `boot.autostart: false` since the first look after a boot, until it is changed or the host boots again. */
export function isHeld({ spec, actual, recorded, facts, wanted }: PowerInput): boolean {
  if (spec.autostart !== false || wanted || actual.power !== 'Stopped') return false;
  return recorded.firstLookSinceBoot || actual.record?.heldBoot === facts.bootId;
}

function startsAtBoot(spec: InstanceSpec, actual: InstanceActual): boolean {
  return spec.autostart === true || spec.restart !== 'Never' || actual.exit === undefined;
}

/** reboot(2) from inside ends init as if by SIGINT (halt, poweroff) or SIGHUP (restart); see pid_namespaces(7). */
export function isCleanExit(exit: ExitRecord): boolean {
  if (exit.code !== undefined) return exit.code === 0;
  return exit.signal === 1 || exit.signal === 2;
}

function backoff(exits: readonly number[], now: number): { notBefore?: number } {
  const notBefore = restartNotBefore(exits, now);
  return notBefore === undefined ? {} : { notBefore };
}
