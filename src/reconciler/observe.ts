// Observes many objects through one view. Whatever fails or takes too long makes its object `unknown`, never absent.
import { AppError, toAppError } from '../core/errors.ts';
import { refText } from '../core/ref.ts';
import type { HostView } from '../host/ports/view.ts';
import type { KindTable, Observed } from '../kinds/kind.ts';
import type { Tracked } from './tracker.ts';

export const OBSERVE_DEADLINE_MS = 20_000;

export async function observe(
  kinds: KindTable,
  view: HostView,
  tracked: Pick<Tracked, 'ref' | 'recorded'>,
  deadlineMs = OBSERVE_DEADLINE_MS,
): Promise<Observed<unknown>> {
  const kind = kinds.get(tracked.ref.kind);
  if (kind === undefined) return { is: 'unknown', because: new AppError('NOT_SUPPORTED_YET', { kind: tracked.ref.kind }) };
  const late = Promise.withResolvers<Observed<unknown>>();
  const stop = new AbortController();
  const timer = setTimeout(() => {
    stop.abort();
    const message = `Looking at ${refText(tracked.ref)} did not end within ${deadlineMs / 1000} s.`;
    late.resolve({ is: 'unknown', because: new AppError('TIMED_OUT', {}, { message }) });
  }, deadlineMs);
  try {
    return await Promise.race([kind.observe(view, tracked.ref, tracked.recorded, stop.signal), late.promise]);
  } catch (error) {
    return { is: 'unknown', because: toAppError(error, 'HOST_UNREADABLE') };
  } finally {
    clearTimeout(timer);
  }
}
