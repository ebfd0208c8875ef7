// After a ledger was lost: who owns what, read back from the small record that lies in each instance's directory. Pure mapping; what
// comes of it is read-only until somebody confirms, so an unusable record is a problem to report and never a reason to delete.
import { canonicalJson } from '../core/hash.ts';
import { isKindName, parseRefKey, type ResourceRef, refKey, refText } from '../core/ref.ts';
import type { AllocationRow, Ledger, ObjectRow } from './ledger.ts';

/** Set in `meta` (epoch ms) by `restoreOwnership`; while it is there nothing may be deleted. */
export const REBUILT_KEY = 'ownershipRebuiltAt';

export interface InstanceRecord {
  /** Where it was read, for problems. */
  readonly file: string;
  /** The file's text: JSON with `uid`, `ref`, and as far as known `source`, `path`, `line`, `document`, `allocations`, `protected`. */
  readonly text: string;
}

export interface RebuiltObject {
  readonly row: ObjectRow;
  readonly allocations: readonly AllocationRow[];
}

export interface Rebuilt {
  readonly objects: readonly RebuiltObject[];
  /** Full sentences: records that say nothing usable, or contradict each other. */
  readonly problems: readonly string[];
}

export function rebuildOwnership(records: readonly InstanceRecord[]): Rebuilt {
  const objects: RebuiltObject[] = [];
  const problems: string[] = [];
  const uids = new Map<string, string>();
  const refs = new Map<string, string>();
  const values = new Map<string, string>();
  for (const { file, text } of records) {
    const made = fromRecord(text);
    if (typeof made === 'string') {
      problems.push(`The record "${file}" cannot be used: ${made}.`);
      continue;
    }
    const { row, allocations } = made;
    const twin = uids.get(row.uid) ?? refs.get(refKey(row.ref));
    if (twin !== undefined) {
      problems.push(`The record "${file}" claims ${refText(row.ref)} (uid ${row.uid}), as "${twin}" does; the first one counts.`);
      continue;
    }
    uids.set(row.uid, file);
    refs.set(refKey(row.ref), file);
    const own = allocations.filter((one) => {
      const key = `${one.what.split(':')[0]}=${one.value}`;
      const holder = values.get(key);
      if (holder === undefined || holder === row.uid) {
        values.set(key, row.uid);
        return true;
      }
      problems.push(`The record "${file}" claims "${one.value}" for "${one.what}", which another record holds too.`);
      return false;
    });
    objects.push({ row, allocations: own });
  }
  return { objects, problems };
}

/** Writes what was rebuilt into a new ledger in one transaction, and marks it so that nothing is deleted until somebody confirms. */
export function restoreOwnership(ledger: Ledger, rebuilt: Rebuilt, nowMs: number): void {
  ledger.transaction(() => {
    for (const { row, allocations } of rebuilt.objects) {
      ledger.objects.put(row);
      for (const one of allocations) ledger.allocations.add(one);
    }
    ledger.meta.set(REBUILT_KEY, String(nowMs));
  });
}

/** The object a record speaks of, or why it cannot be told. */
function fromRecord(text: string): RebuiltObject | string {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isObject(record)) return 'it is not a JSON object';
  const { uid } = record;
  if (typeof uid !== 'string' || !/^[0-9a-f-]{36}$/.test(uid)) return 'it has no uid';
  const ref = readRef(record['ref']);
  if (!ref) return 'it names no object';
  const line = record['line'];
  const row: ObjectRow = {
    uid,
    ref,
    source: textOr(record['source'], ''),
    path: textOr(record['path'], ''),
    line: typeof line === 'number' && Number.isSafeInteger(line) ? line : 0,
    document: typeof record['document'] === 'string' ? record['document'] : canonicalJson(record['document'] ?? {}),
    applied: null,
    appliedHash: null,
    appliedRevision: null,
    protected: record['protected'] === true,
    declared: true,
    createdAt: createdAt(uid),
  };
  const allocations = isObject(record['allocations']) ? Object.entries(record['allocations']) : [];
  return {
    row,
    allocations: allocations.flatMap(([what, value]) => (typeof value === 'string' ? [{ uid, what, value }] : [])),
  };
}

/** As an object or as `Kind/project/parent/name`. */
function readRef(value: unknown): ResourceRef | undefined {
  if (typeof value === 'string') return parseRefKey(value);
  if (!isObject(value)) return undefined;
  const { kind, project, parent, name } = value;
  if (typeof kind !== 'string' || !isKindName(kind)) return undefined;
  if (typeof project !== 'string' || typeof parent !== 'string' || typeof name !== 'string') return undefined;
  return parseRefKey(`${kind}/${project}/${parent}/${name}`);
}

/** A UUIDv7 begins with 48 bits of epoch milliseconds. */
function createdAt(uid: string): number {
  return Number.parseInt(uid.slice(0, 8) + uid.slice(9, 13), 16) || 0;
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
