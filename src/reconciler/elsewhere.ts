// What is taken outside the ledger is read from the host, and that may fail or hang. Then nothing new is given out (a value might be
// taken), and everything that needs nothing new goes on.
import { AppError, toAppError } from '../core/errors.ts';
import type { RefKey } from '../core/ref.ts';

/** A reading takes some milliseconds; a round waits no longer for one that hangs. */
const PATIENCE_MS = 2000;

type Taken = (scope: string) => ReadonlySet<string>;
type Ask = (keys: readonly RefKey[]) => Promise<Taken>;

/** `ask` in bounded time. Never rejects: what it returns throws for whoever asks for something new. */
export function patiently(ask: Ask): Ask {
  return async (keys) => {
    const { promise, resolve } = Promise.withResolvers<Taken>();
    const timer = setTimeout(() => resolve(refusing(new AppError('TIMED_OUT'))), PATIENCE_MS);
    try {
      return await Promise.race([ask(keys).catch(refusing), promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function refusing(error: unknown): Taken {
  const message = 'What is taken on this host cannot be read, so nothing new is given out.';
  return () => {
    throw new AppError('HOST_UNREADABLE', {}, { message, cause: toAppError(error) });
  };
}
