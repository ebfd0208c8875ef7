// Exits that nobody of ours caused: what is planned to be started, and not as the end of a stop of ours, has ended by itself.
import type { RefKey } from '../core/ref.ts';
import type { ObjectPlan } from './plan.ts';
import type { Tracker } from './tracker.ts';

const KEPT_EXITS = 20;

/** Records new exits, each once; returns the objects whose plan is another one now. `expected`: the host goes down, so nothing ended by itself. */
export function recordExits(plans: readonly ObjectPlan[], tracker: Tracker, now: number, expected: boolean): RefKey[] {
  const exited: RefKey[] = [];
  for (const planned of plans) {
    const tracked = tracker.objects.get(planned.key)!;
    const steps = [...planned.steps, ...planned.held];
    // What is held for somebody's word is about later.
    const until = steps.findIndex((step) => step.hold !== undefined);
    const changes = new Set((until < 0 ? steps : steps.slice(0, until)).map((step) => step.change.do));
    // A start behind a stop of ours is a restart: nothing has ended yet.
    if (!changes.has('start') || changes.has('shutdown') || changes.has('kill') || tracked.exitExpected) continue;
    tracked.exitExpected = true;
    if (expected) continue;
    tracked.recorded = { ...tracked.recorded, exits: [...tracked.recorded.exits, now].slice(-KEPT_EXITS) };
    exited.push(planned.key);
  }
  return exited;
}
