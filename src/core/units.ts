// Numbers as people write them in manifests: sizes, rates, percentages, durations, booleans, `soft:hard` limits.
// Errors are values (`expected` says what would be right), because a bad manifest value is a problem to show, not an exception.
// For each notation `format(parse(text))` is one canonical text, and parsing that gives the same value again.

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** What would have been right, to follow "must be": `a size such as 10GiB`. */
  | { readonly ok: false; readonly expected: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function unexpected<T>(expected: string): Parsed<T> {
  return { ok: false, expected };
}

type Unit = readonly [suffix: string, factor: number];

// LXD's units (its shared/units package): a lower-case k for the decimal thousand, "KiB" for 1024.
const SIZE_UNITS: readonly Unit[] = [
  ['B', 1],
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
  ['PB', 1e15],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
  ['PiB', 1024 ** 5],
];

const RATE_UNITS: readonly Unit[] = [
  ['bit', 1],
  ['kbit', 1e3],
  ['Mbit', 1e6],
  ['Gbit', 1e9],
  ['Tbit', 1e12],
  ['Pbit', 1e15],
  ['Kibit', 1024],
  ['Mibit', 1024 ** 2],
  ['Gibit', 1024 ** 3],
  ['Tibit', 1024 ** 4],
  ['Pibit', 1024 ** 5],
];

function parseWithUnit(text: string, units: readonly Unit[], expected: string): Parsed<number> {
  const match = /^(\d{1,16})([A-Za-z]*| bytes)$/.exec(text);
  if (!match) return unexpected(expected);
  const suffix = match[2]!;
  // " bytes", with the space, is what LXD once wrote itself, and the only suffix it takes a space before.
  const factor = suffix === '' || (suffix === ' bytes' && units === SIZE_UNITS) ? 1 : units.find(([name]) => name === suffix)?.[1];
  if (factor === undefined) return unexpected(expected);
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? parsed(value) : unexpected(`${expected}, below 8PiB`);
}

/** The shortest text of all units that divide the value; a binary unit wins a tie. */
function formatWithUnit(value: number, units: readonly Unit[]): string {
  let best = `${value}${units[0]![0]}`;
  if (value === 0) return best;
  for (const [suffix, factor] of units.toReversed()) {
    if (value % factor !== 0) continue;
    const text = `${value / factor}${suffix}`;
    if (text.length < best.length) best = text;
  }
  return best;
}

/** Bytes. `10GiB`, `10GB`, `512MiB`, `1024`. */
export function parseSize(text: string): Parsed<number> {
  return parseWithUnit(text, SIZE_UNITS, 'a size in bytes with an optional unit, such as 10GiB, 512MiB or 10GB');
}

export function formatSize(bytes: number): string {
  return formatWithUnit(bytes, SIZE_UNITS);
}

/** Bits per second. `100Mbit`, `1Gbit`. */
export function parseRate(text: string): Parsed<number> {
  return parseWithUnit(text, RATE_UNITS, 'a rate in bits per second with an optional unit, such as 100Mbit or 1Gbit');
}

export function formatRate(bitsPerSecond: number): string {
  return formatWithUnit(bitsPerSecond, RATE_UNITS);
}

/** Whole percent, 1 to 100. */
export function parsePercent(text: string): Parsed<number> {
  const match = /^(\d{1,3})%$/.exec(text);
  const value = match ? Number(match[1]) : 0;
  return value >= 1 && value <= 100 ? parsed(value) : unexpected('a percentage from 1% to 100%');
}

export function formatPercent(percent: number): string {
  return `${percent}%`;
}

export type SizeOrPercent = { readonly bytes: number } | { readonly percent: number };

/** An amount of memory: a size, or a percentage of the host's memory. */
export function parseSizeOrPercent(text: string): Parsed<SizeOrPercent> {
  const percent = parsePercent(text);
  if (percent.ok) return parsed({ percent: percent.value });
  const size = parseSize(text);
  if (size.ok) return parsed({ bytes: size.value });
  return unexpected('a size such as 512MiB or 2GiB, or a percentage of the host such as 50%');
}

export function formatSizeOrPercent(amount: SizeOrPercent): string {
  return 'percent' in amount ? formatPercent(amount.percent) : formatSize(amount.bytes);
}

const TRUE_WORDS = ['true', '1', 'yes', 'on'];
const FALSE_WORDS = ['false', '0', 'no', 'off'];

/** LXD's booleans, in any case. */
export function parseBoolean(text: string): Parsed<boolean> {
  const word = text.toLowerCase();
  if (TRUE_WORDS.includes(word)) return parsed(true);
  if (FALSE_WORDS.includes(word)) return parsed(false);
  return unexpected('"true" or "false"');
}

export function formatBoolean(value: boolean): string {
  return value ? 'true' : 'false';
}

export interface IntegerRange {
  readonly min?: number;
  readonly max?: number;
}

/** A decimal integer. Octal and hexadecimal notations are refused, not misread. */
export function parseInteger(text: string, range: IntegerRange = {}): Parsed<number> {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return parsed(value === 0 ? 0 : value);
  return unexpected(`a whole number${rangeText(range)}`);
}

function rangeText({ min, max }: IntegerRange): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
}

export function formatInteger(value: number): string {
  return String(value);
}

/** File permission bits in octal: `0660`, `660`. */
export function parseMode(text: string): Parsed<number> {
  return /^[0-7]{3,4}$/.test(text) ? parsed(Number.parseInt(text, 8)) : unexpected('file permission bits in octal, such as 0660');
}

export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

export type LimitValue = number | 'unlimited';

export interface SoftHard {
  readonly soft: LimitValue;
  readonly hard: LimitValue;
}

/** A process limit: `N`, `unlimited` (both for soft and hard), or `soft:hard`. */
export function parseSoftHard(text: string): Parsed<SoftHard> {
  const expected = 'a number, "unlimited", or both limits as SOFT:HARD such as 1024:4096';
  const parts = text.split(':').map(parseLimitValue);
  const [soft, hard = soft] = parts;
  if (soft === undefined || hard === undefined || parts.includes(undefined) || parts.length > 2) return unexpected(expected);
  if (hard !== 'unlimited' && (soft === 'unlimited' || soft > hard))
    return unexpected(`${expected}, the soft limit not above the hard one`);
  return parsed({ soft, hard });
}

function parseLimitValue(text: string): LimitValue | undefined {
  if (text === 'unlimited') return text;
  const number = parseInteger(text, { min: 0 });
  return number.ok ? number.value : undefined;
}

export function formatSoftHard({ soft, hard }: SoftHard): string {
  return soft === hard ? String(soft) : `${soft}:${hard}`;
}

const DURATION_UNITS: readonly Unit[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** Seconds. One or more of `7d`, `4h`, `5m`, `10s`, largest first: `1h30m`. A bare number is refused: its unit is a guess. */
export function parseDuration(text: string): Parsed<number> {
  const match = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/.exec(text);
  if (!match || text === '') return unexpected('a duration such as 10s, 5m, 4h or 7d');
  return parsed(DURATION_UNITS.reduce((sum, [, factor], at) => sum + Number(match[at + 1] ?? 0) * factor, 0));
}

export function formatDuration(seconds: number): string {
  let rest = seconds;
  let text = '';
  for (const [suffix, factor] of DURATION_UNITS) {
    const count = Math.floor(rest / factor);
    if (count > 0) text += `${count}${suffix}`;
    rest -= count * factor;
  }
  return text === '' ? '0s' : text;
}
