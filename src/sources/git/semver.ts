// Versions and ranges of versions (semver.org 2.0.0) for choosing a tag: comparators, `^`, `~`, `x`, hyphen ranges and `||`. Pure.
// A version with a pre-release part is only chosen by a range that names a pre-release of the same major.minor.patch.

export interface Version {
  readonly numbers: readonly [number, number, number];
  readonly pre: readonly (string | number)[];
}

interface Comparator {
  readonly op: '<' | '<=' | '>' | '>=' | '=';
  readonly version: Version;
}

/** Alternatives, each a list of comparators that must all hold. */
export type Range = readonly (readonly Comparator[])[];

const VERSION = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const PARTIAL = /^v?(\d{1,9}|[xX*])(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*])(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?$/;
const MAX_RANGE = 200;

/** The version a tag stands for (`v1.2.3`, `1.2.3-rc.1`), or undefined. */
export function parseVersion(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (!match) return undefined;
  return { numbers: [Number(match[1]), Number(match[2]), Number(match[3])], pre: preRelease(match[4]) };
}

/** Undefined when it is no range. */
export function parseRange(text: string): Range | undefined {
  if (text.length > MAX_RANGE) return undefined;
  const alternatives = text.split('||').map((part) => parseAlternative(part.trim()));
  return alternatives.every((one) => one !== undefined) ? alternatives : undefined;
}

export function satisfies(version: Version, range: Range): boolean {
  return range.some((all) => {
    if (!all.every((comparator) => holds(comparator, version))) return false;
    if (version.pre.length === 0) return true;
    return all.some(({ version: named }) => named.pre.length > 0 && compareNumbers(named, version) === 0);
  });
}

/** Negative, 0 or positive, by precedence (semver.org, section 11). */
export function compareVersions(a: Version, b: Version): number {
  const numbers = compareNumbers(a, b);
  if (numbers !== 0) return numbers;
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (let n = 0; n < Math.max(a.pre.length, b.pre.length); n++) {
    const order = comparePart(a.pre[n], b.pre[n]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareNumbers(a: Version, b: Version): number {
  for (const n of [0, 1, 2] as const) {
    if (a.numbers[n] !== b.numbers[n]) return a.numbers[n] - b.numbers[n];
  }
  return 0;
}

function comparePart(a: string | number | undefined, b: string | number | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1;
  if (typeof b === 'number') return 1;
  return a < b ? -1 : 1;
}

function holds({ op, version }: Comparator, candidate: Version): boolean {
  const order = compareVersions(candidate, version);
  switch (op) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return order === 0;
  }
}

function preRelease(text: string | undefined): (string | number)[] {
  return text === undefined ? [] : text.split('.').map((part) => (/^\d{1,15}$/.test(part) ? Number(part) : part));
}

function parseAlternative(text: string): Comparator[] | undefined {
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(text);
  if (hyphen) return joined([comparators('>=', hyphen[1]!), comparators('<=', hyphen[2]!)]);
  const words = text.replace(/([<>=^~])\s+/g, '$1').split(/\s+/);
  return joined(
    words.map((word) => {
      const [, op = '', rest = ''] = /^(\^|~>?|[<>]=?|=)?(.*)$/.exec(word) ?? [];
      return comparators(op, rest);
    }),
  );
}

function joined(parts: readonly (Comparator[] | undefined)[]): Comparator[] | undefined {
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

/** One comparator of a range; a version that is not given in full stands for all it may be completed to. */
function comparators(op: string, text: string): Comparator[] | undefined {
  const match = PARTIAL.exec(text);
  if (!match) return undefined;
  const given = [match[1], match[2], match[3]].map((part) => (part === undefined || /[xX*]/.test(part) ? undefined : Number(part)));
  const length = given.includes(undefined) ? given.indexOf(undefined) : 3;
  const [major = 0, minor = 0, patch = 0] = given.slice(0, length);
  const low: Version = { numbers: [major ?? 0, minor ?? 0, patch ?? 0], pre: length === 3 ? preRelease(match[4]) : [] };
  if (length === 0) return op === '<' || op === '>' ? [{ op: '<', version: zero() }] : [{ op: '>=', version: zero() }];
  switch (op) {
    case '^': {
      const at = low.numbers.findIndex((number) => number > 0);
      return between(low, Math.min(at < 0 ? length - 1 : at, length - 1));
    }
    case '~':
    case '~>':
      return between(low, Math.min(1, length - 1));
    case '<':
    case '>=':
      return [{ op, version: low }];
    case '>':
      return length === 3 ? [{ op, version: low }] : [{ op: '>=', version: raised(low, length - 1) }];
    case '<=':
      return length === 3 ? [{ op, version: low }] : [{ op: '<', version: raised(low, length - 1) }];
    default:
      return length === 3 ? [{ op: '=', version: low }] : between(low, length - 1);
  }
}

/** From `low` up to, not including, the next version at this place (0 major, 1 minor, 2 patch). */
function between(low: Version, place: number): Comparator[] {
  return [
    { op: '>=', version: low },
    { op: '<', version: raised(low, place) },
  ];
}

function raised(low: Version, place: number): Version {
  const [major, minor, patch] = low.numbers;
  if (place <= 0) return { numbers: [major + 1, 0, 0], pre: [] };
  if (place === 1) return { numbers: [major, minor + 1, 0], pre: [] };
  return { numbers: [major, minor, patch + 1], pre: [] };
}

function zero(): Version {
  return { numbers: [0, 0, 0], pre: [] };
}
