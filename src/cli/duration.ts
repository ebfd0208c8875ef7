// Durations on the command line: `30s`, `5m`, `1h30m`, `500ms`.
import { usageError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_MS = 7 * 86_400_000;

/** Milliseconds, up to 7 days. Throws a usage error. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  const sum = parts.reduce((total, [, value, unit]) => total + Number(value) * (UNITS[unit ?? ''] ?? 0), 0);
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text || sum > MAX_MS) {
    throw usageError(`"${text}" is not a duration.`, 'Write it as 30s, 5m or 1h30m, at most 7d.');
  }
  return Math.round(sum);
}
