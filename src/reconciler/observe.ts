// Observes many objects through one view. Whatever fails or takes too long makes its object `unknown`, never absent.
import { AppError, toAppError } from '../core/errors.ts';
import { refText, type ResourceRef } from '../core/ref.ts';
import { inSlices, type Sliced } from '../core/slices.ts';
import type { HostView } from '../host/ports/view.ts';
import type { KindTable, Observed, Recorded } from '../kinds/kind.ts';

export const OBSERVE_DEADLINE_MS = 20_000;

export interface Observable {
  readonly ref: ResourceRef;
  readonly recorded: Recorded;
}

export async function observe(
  kinds: KindTable,
  view: HostView,
  object: Observable,
  deadlineMs = OBSERVE_DEADLINE_MS,
): Promise<Observed<unknown>> {
  let seen: Observed<unknown> | undefined;
  await observeAll(kinds, view, [object], (_object, observed) => (seen = observed), deadlineMs);
  return seen!;
}

/** All at the same time, with one deadline; `seen` is called once for each. */
export async function observeAll<Object extends Observable>(
  kinds: KindTable,
  view: HostView,
  objects: Iterable<Object>,
  seen: (object: Object, observed: Observed<unknown>) => void,
  deadlineMs = OBSERVE_DEADLINE_MS,
): Promise<void> {
  const late = Promise.withResolvers<'late'>();
  const stop = new AbortController();
  const timer = setTimeout(() => {
    stop.abort();
    late.resolve('late');
  }, deadlineMs);
  const look = async (object: Object): Promise<void> => {
    const { ref, recorded } = object;
    const kind = kinds.get(ref.kind);
    if (kind === undefined) return seen(object, unknown(new AppError('NOT_SUPPORTED_YET', { kind: ref.kind })));
    try {
      const found = await Promise.race([kind.observe(view, ref, recorded, stop.signal), late.promise]);
      if (found !== 'late') return seen(object, found);
      const message = `Looking at ${refText(ref)} did not end within ${deadlineMs / 1000} s.`;
      seen(object, unknown(new AppError('TIMED_OUT', {}, { message })));
    } catch (error) {
      seen(object, unknown(toAppError(error, 'HOST_UNREADABLE')));
    }
  };
  const looks: Promise<void>[] = [];
  function* begin(): Sliced<void> {
    for (const object of objects) {
      looks.push(look(object));
      yield;
    }
  }
  try {
    await inSlices(begin());
    await Promise.all(looks);
  } finally {
    clearTimeout(timer);
  }
}

function unknown(because: AppError): Observed<unknown> {
  return { is: 'unknown', because };
}
