// A saved plan is carried out only while a new plan would be the same.
import { AppError } from '../../core/errors.ts';
import type { Control } from '../../reconciler/control.ts';

/** Throws PLAN_STALE when the plan made now has another hash. */
export async function checkPlanHash(control: Control, hash: string, ...plan: Parameters<Control['plan']>): Promise<void> {
  const now = await control.plan(...plan);
  if (now.hash === hash) return;
  throw new AppError(
    'PLAN_STALE',
    { saved: hash, now: now.hash },
    {
      message: 'The saved plan is no longer what would happen: something has changed since it was made.',
      hint: 'Make a new plan and read it.',
    },
  );
}
