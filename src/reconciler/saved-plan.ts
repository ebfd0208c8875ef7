// A saved plan is put into effect only while a new plan says the same. Pure.
import { AppError } from '../core/errors.ts';
import { type RefKey, refKey, refText } from '../core/ref.ts';
import type { PlannedObject, PlanReport } from './control.ts';

const NAMED = 5;

/** Throws PLAN_STALE, naming what moved and on which side, when the plan made now differs from the saved one. */
export function refuseStale(saved: readonly PlannedObject[], now: PlanReport): void {
  const moved = movedSince(saved, now.objects);
  if (moved.length === 0) return;
  const more = moved.length > NAMED ? ` There are ${moved.length - NAMED} more.` : '';
  throw new AppError(
    'PLAN_STALE',
    { objects: moved.length },
    {
      message: `The saved plan is no longer what would happen. ${moved.slice(0, NAMED).join(' ')}${more}`,
      hint: 'Make a new plan and read it.',
    },
  );
}

/** One sentence for each object that is no longer as the saved plan says. */
export function movedSince(saved: readonly PlannedObject[], now: readonly PlannedObject[]): string[] {
  const current = new Map<RefKey, PlannedObject>(now.map((one) => [refKey(one.ref), one]));
  const sentences: string[] = [];
  for (const before of saved) {
    const after = current.get(refKey(before.ref));
    current.delete(refKey(before.ref));
    const name = refText(before.ref);
    if (after === undefined) sentences.push(`${name} has nothing left to change: it was changed meanwhile, or is as declared.`);
    else if (after.desired !== before.desired) sentences.push(`What is declared for ${name} has changed.`);
    else if (after.changes !== before.changes) sentences.push(`The actual state of ${name} has changed.`);
  }
  for (const added of current.values()) sentences.push(`${refText(added.ref)} would be changed too.`);
  return sentences;
}
