// What is remembered of an object's looks: the last one, the last that led to changes, and since when there was nothing to do.
// A few values per object, in memory only; what outlives a restart is the history in the ledger (recording.ts).
import type { Cause } from '../core/cause.ts';
import type { Causes } from './dirty.ts';
import type { ObjectPlan } from './plan.ts';
import type { Tracked } from './tracker.ts';

export interface Look {
  /** Epoch ms. */
  readonly at: number;
  readonly causes: Causes;
}

export interface Trace {
  readonly looked: Look | undefined;
  /** The last look whose plan had changes that could start. */
  readonly acted: Look | undefined;
  /** Since when looks plan nothing (epoch ms); undefined while there is something to do or it cannot be told. */
  readonly idleSince: number | undefined;
}

export const NO_TRACE: Trace = { looked: undefined, acted: undefined, idleSince: undefined };

export function traceLook(before: Trace, plan: ObjectPlan, look: Look): Trace {
  const acts = plan.steps.length > 0;
  const idle = !acts && plan.held.length === 0 && plan.unknown === undefined;
  return { looked: look, acted: acts ? look : before.acted, idleSince: idle ? (before.idleSince ?? look.at) : undefined };
}

/** An object's time has come: for its next try, or for what its plan waited for. */
export function dueCause(tracked: Pick<Tracked, 'nextRetry' | 'plan'> | undefined): Cause {
  if (tracked?.nextRetry !== undefined) return { event: 'RetryDue' };
  const waitsFor = tracked?.plan?.waitsFor;
  return { event: 'TimerDue', ...(waitsFor === undefined ? {} : { about: waitsFor }) };
}
