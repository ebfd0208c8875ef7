// Counts on the command line.
import { usageError } from './errors.ts';

export function wholeNumber(text: string, option: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw usageError(`${option} must be a number from ${least} to ${most}, not "${text}".`);
  return value;
}
