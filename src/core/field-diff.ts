// Two values, field by field: what the audit log tells of before and after. Bounded, whatever the values are.
import { sha256Hex } from './hash.ts';

export interface FieldDifference {
  /** Path with dots: `config.limits.memory`. */
  readonly field: string;
  readonly from?: string;
  readonly to?: string;
}

const LONGEST_VALUE = 500;
const MOST_FIELDS = 200;
const DEEPEST = 12;

/** Fields that differ, in order of their names; undefined stands for nothing at all. */
export function fieldDifferences(before: unknown, after: unknown): readonly FieldDifference[] {
  const [old, now] = [flatten(before), flatten(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name)).toSorted();
  const told = names
    .slice(0, MOST_FIELDS)
    .map((field) => ({ field, ...valueOf('from', old.get(field)), ...valueOf('to', now.get(field)) }));
  return names.length <= MOST_FIELDS ? told : [...told, { field: `(${names.length - MOST_FIELDS} more fields)` }];
}

/** A long value is cut; what was cut off is told by its length and hash. */
export function shortValue(text: string): string {
  if (text.length <= LONGEST_VALUE) return text;
  return `${text.slice(0, LONGEST_VALUE)}... (${text.length} characters, sha256 ${sha256Hex(text).slice(0, 16)})`;
}

function valueOf(name: 'from' | 'to', text: string | undefined): { readonly [key in 'from' | 'to']?: string } {
  return text === undefined ? {} : { [name]: shortValue(text) };
}

function flatten(value: unknown): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const walk = (path: string, one: unknown, depth: number): void => {
    if (one === undefined || one === null) return;
    if (typeof one !== 'object' || Array.isArray(one) || depth === DEEPEST) {
      fields.set(path, typeof one === 'string' ? one : JSON.stringify(one));
      return;
    }
    for (const [key, member] of Object.entries(one)) walk(path === '' ? key : `${path}.${key}`, member, depth + 1);
  };
  walk('', value, 0);
  return fields;
}
