// After a ledger was lost, or its last transactions were: who owns what, read back from the small record in each instance's directory and
// from the alias of each bridge. Nothing is deleted until somebody confirms what was read, so an unusable record is a problem to report
// and never a reason to delete.
import { LEDGER_CONFIRMATION } from '../core/confirmations.ts';
import { canonicalJson, hashOf } from '../core/hash.ts';
import { objectNameProblem } from '../core/names.ts';
import { isKindName, makeRef, parseRefKey, type RefKey, type ResourceRef, refKey, refText } from '../core/ref.ts';
import type { AllocationRow, Ledger, ObjectRow } from './ledger.ts';

/** Whose documents are in the ledger itself and nowhere else. */
const STORED_SOURCE = 'api';
/** Of objects nobody is known to have declared, or whose documents cannot be read back. It is never configured, so that they stay until somebody forgets it. */
const LOST_SOURCE = 'api.lost';

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

export interface Restored {
  /** Objects the ledger did not know, or knew with another uid. */
  readonly objects: readonly ResourceRef[];
  readonly problems: readonly string[];
}

/**
 * Puts what the ledger does not know into it, in one transaction, and asks for a confirmation until which nothing is deleted. A ledger
 * that knows everything is not written to.
 */
export function restoreOwnership(ledger: Ledger, { objects, problems }: Rebuilt, nowMs: number): Restored {
  const unknown = objects.filter(({ row }) => ledger.objects.byUid(row.uid) === undefined);
  restoreAllocations(ledger, objects);
  if (unknown.length === 0) return { objects: [], problems };
  const clashes: string[] = [];
  ledger.transaction(() => {
    for (const { row, allocations } of unknown) {
      const other = ledger.objects.get(row.ref);
      // The host has the newer one: a record is written after its row and removed before it.
      if (other !== undefined) ledger.objects.remove(other.uid);
      const text = row.source === STORED_SOURCE ? row.document : '';
      ledger.objects.put(row.source === STORED_SOURCE && text === '' ? { ...row, source: LOST_SOURCE } : row);
      if (text !== '') ledger.documents.put({ ref: row.ref, source: STORED_SOURCE, text, updatedAt: nowMs });
      for (const { what, value } of allocations) {
        if (ledger.allocations.taken(what).has(value))
          clashes.push(`The value "${value}" of ${refText(row.ref)} is held by another object.`);
        else ledger.allocations.add({ uid: row.uid, what, value });
      }
    }
    ask(
      ledger,
      unknown.map(({ row }) => refKey(row.ref)),
      nowMs,
    );
  });
  return { objects: unknown.map(({ row }) => row.ref), problems: [...problems, ...clashes] };
}

/** What an object that is known was given in transactions that were lost. */
function restoreAllocations(ledger: Ledger, objects: readonly RebuiltObject[]): void {
  const known = objects.filter(({ row }) => ledger.objects.byUid(row.uid) !== undefined);
  const missing = known.flatMap(({ row, allocations }) => {
    const has = ledger.allocations.of(row.uid);
    return allocations.filter(({ what, value }) => !has.has(what) && !ledger.allocations.taken(what).has(value));
  });
  if (missing.length > 0) ledger.transaction(() => missing.forEach((one) => ledger.allocations.add(one)));
}

function ask(ledger: Ledger, found: readonly RefKey[], nowMs: number): void {
  const before = ledger.confirmations.all().find((row) => row.source === LEDGER_CONFIRMATION && row.confirmedAt === null);
  const objects = [...new Set([...(before?.objects ?? []), ...found])].toSorted();
  const reason =
    `The ledger was damaged, lost or older than what is on this host; ${objects.length === 1 ? '1 object' : `${objects.length} objects`} ` +
    'of Lockstep that it did not know were found by their own records. Nothing is deleted before this is confirmed.';
  const hash = hashOf([LEDGER_CONFIRMATION, objects]);
  const row = { source: LEDGER_CONFIRMATION, hash, objects, protected: [], reason, askedAt: nowMs, confirmedAt: null, confirmedBy: null };
  ledger.confirmations.put(row);
}

export interface MarkedLink {
  readonly name: string;
  readonly alias: string | undefined;
  readonly hwaddr: string;
  readonly addresses: readonly string[];
}

/** Networks by the alias their bridges carry. Only of those in project `default` with a short name can the name be told. */
export function rebuildNetworks(prefix: string, links: Iterable<MarkedLink>): Rebuilt {
  const objects: RebuiltObject[] = [];
  const problems: string[] = [];
  for (const { name, alias, hwaddr } of links) {
    const [, uid] = new RegExp(`^lockstep:${prefix}:([0-9a-f-]{36})$`).exec(alias ?? '') ?? [];
    if (uid === undefined || !name.startsWith(`${prefix}-`)) continue;
    const network = name.slice(prefix.length + 1);
    if (objectNameProblem(network) !== undefined) {
      problems.push(`The bridge "${name}" is marked as ours, but says no name of a network.`);
      continue;
    }
    const allocations = [
      { uid, what: 'link:bridge', value: name },
      { uid, what: 'hwaddr:bridge', value: hwaddr },
    ];
    objects.push({ row: { ...EMPTY_ROW, uid, ref: makeRef('Network', network), createdAt: createdAt(uid) }, allocations });
  }
  return { objects, problems };
}

/** Nobody's, until a source declares it. */
const EMPTY_ROW: Omit<ObjectRow, 'uid' | 'ref' | 'createdAt'> = {
  source: LOST_SOURCE,
  path: '',
  line: 0,
  document: '',
  applied: null,
  appliedHash: null,
  appliedRevision: null,
  protected: false,
  declared: true,
};

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
    ...EMPTY_ROW,
    uid,
    ref,
    source: textOr(record['source'], LOST_SOURCE),
    path: textOr(record['path'], ''),
    line: typeof line === 'number' && Number.isSafeInteger(line) ? line : 0,
    document: documentOf(record['document']),
    protected: record['protected'] === true,
    createdAt: createdAt(uid),
  };
  const allocations = isObject(record['allocations']) ? Object.entries(record['allocations']) : [];
  return {
    row,
    allocations: allocations.flatMap(([what, value]) => (typeof value === 'string' ? [{ uid, what, value }] : [])),
  };
}

/** Empty when it cannot be used: secrets stand in it as fingerprints, and must not be taken for the values. */
function documentOf(value: unknown): string {
  const text = typeof value === 'string' ? value : canonicalJson(value ?? {});
  return /"sha256:[0-9a-f]{32}"/.test(text) ? '' : text;
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
