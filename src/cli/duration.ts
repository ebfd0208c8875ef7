// Durations on the command line: `30s`, `5m`, `1h30m`.
import { parseDuration as parseSeconds } from '../core/units.ts';
import { usageError } from './errors.ts';

const MAX_SECONDS = 7 * 86_400;

/** Milliseconds, more than 0 and up to 7 days. Throws a usage error. */
export function parseDuration(text: string): number {
  const seconds = parseSeconds(text);
  if (!seconds.ok || seconds.value <= 0 || seconds.value > MAX_SECONDS) {
    throw usageError(`"${text}" is not a duration.`, 'Write it as 30s, 5m or 1h30m, at most 7d.');
  }
  return seconds.value * 1000;
}
