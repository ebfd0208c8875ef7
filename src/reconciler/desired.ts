// Desired state: what the sources declare, plus what they declared validly before wherever they are broken now.
//
//   snapshots --parse--> documents --checks--> usable documents --resolve (profiles, defaults)--> DesiredObject
//                                       \--> broken file, broken document, unreadable source: the last valid document stays
//
// Pure: text and ledger rows in, objects and problems out. Deletion is not decided here (deletion.ts).
import { type RefKey, type ResourceRef, refKey, refText } from '../core/ref.ts';
import { finish, type Sliced } from '../core/slices.ts';
import type { KindTable, Need } from '../kinds/kind.ts';
import { checkInSlices } from '../schemas/checks/check-documents.ts';
import { CheckMemo } from '../schemas/checks/memo.ts';
import type { ManifestDocument } from '../schemas/document.ts';
import { type ParseCache, parseInSlices, reviveDocument } from '../schemas/parse.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Snapshot } from '../sources/snapshot.ts';
import type { ObjectRow } from '../state/ledger.ts';
import { renamesOf } from './renames.ts';
import { ResolveCache, type ResolvedOnce } from './resolve-cache.ts';

export interface DesiredObject {
  readonly ref: ResourceRef;
  readonly key: RefKey;
  readonly document: ManifestDocument;
  readonly source: string;
  /** Of its source, when this was first declared so. */
  readonly revision: string;
  /** Who signed that revision, where its source checked it. */
  readonly signer?: string;
  readonly spec: unknown;
  readonly specHash: string;
  readonly needs: readonly Need[];
  readonly protect: boolean;
  /** The text in the source is broken now; this is what was last valid. */
  readonly kept: boolean;
  /** Problems of this object's own text, for its conditions. */
  readonly problems: readonly Problem[];
}

export interface SourceInput {
  readonly name: string;
  /** Undefined: it cannot be read now. All it last declared stays. */
  readonly snapshot: Snapshot | undefined;
}

export interface DesiredState {
  readonly objects: ReadonlyMap<RefKey, DesiredObject>;
  /** Declared, but what they refer to makes no sense now (a profile is gone): left alone, never deleted. With their problems. */
  readonly unresolved: ReadonlyMap<RefKey, readonly Problem[]>;
  readonly problems: readonly Problem[];
  /** Sources whose current snapshot is complete: only these may lead to deletes. */
  readonly complete: ReadonlySet<string>;
  /** Declared objects that the ledger knows by another name: new key to known key. */
  readonly renames: ReadonlyMap<RefKey, RefKey>;
  /** The current revision of each source that could be read. */
  readonly revisions: ReadonlyMap<string, string>;
}

export const NOTHING_DESIRED: DesiredState = {
  objects: new Map(),
  unresolved: new Map(),
  problems: [],
  complete: new Set(),
  revisions: new Map(),
  renames: new Map(),
};

/** What earlier computations found, so that an unchanged file and an unchanged object cost next to nothing. */
export interface DesiredCache {
  /** Reviving a stored document takes a parse; a source that stays broken for days must not pay it at every change. */
  readonly revived: Map<string, ManifestDocument>;
  /** By source. */
  readonly parsed: Map<string, ParseCache>;
  readonly checked: CheckMemo;
  readonly resolved: ResolveCache;
}

export function emptyDesiredCache(): DesiredCache {
  return { revived: new Map(), parsed: new Map(), checked: new CheckMemo(), resolved: new ResolveCache() };
}

/** For a computation whose files are not what the sources hold (a preview): it profits, and spoils nothing. */
export function copyOfCache({ parsed, ...shared }: DesiredCache): DesiredCache {
  return { ...shared, parsed: new Map([...parsed].map(([name, cache]) => [name, new Map(cache)])) };
}

/** All at once, see desiredInSlices. */
export function computeDesired(...input: Parameters<typeof desiredInSlices>): DesiredState {
  return finish(desiredInSlices(...input));
}

/** `previous`: the objects as they were computed before. One that is still the same is the same object in the result. */
export function* desiredInSlices(
  sources: readonly SourceInput[],
  rows: readonly ObjectRow[],
  kinds: KindTable,
  cache: DesiredCache = emptyDesiredCache(),
  previous: ReadonlyMap<RefKey, DesiredObject> = new Map(),
): Sliced<DesiredState> {
  const problems: Problem[] = [];
  const documents = new Map<RefKey, ManifestDocument>();
  const kept = new Set<RefKey>();
  /** Declared by a document with problems, which are those of its file. */
  const claimed = new Map<RefKey, readonly Problem[]>();
  const complete = new Set<string>();
  const revisions = new Map<string, string>();
  const signers = new Map<string, string>();
  const configured = new Set(sources.map((source) => source.name));
  const stored = new Set(sources.filter((source) => source.snapshot?.stored === true).map((source) => source.name));
  const rowsBySource = Map.groupBy(rows, (row) => row.source);

  const add = (document: ManifestDocument | undefined, isKept: boolean): void => {
    if (document === undefined) return;
    const { key } = document;
    const owner = documents.get(key);
    if (owner === undefined) {
      documents.set(key, document);
      if (isKept) kept.add(key);
    } else if (!isKept && owner.origin.source !== document.origin.source && !stored.has(document.origin.source)) {
      problems.push(ownedElsewhere(document, owner));
    }
  };

  // A manifest that takes the name of an object made through the API takes it over: stored sources come last.
  for (const { name, snapshot } of sources.toSorted((a, b) => Number(stored.has(a.name)) - Number(stored.has(b.name)))) {
    const known = rowsBySource.get(name) ?? [];
    if (snapshot === undefined) {
      for (const row of known) if (row.declared) add(revive(row, cache), true);
      continue;
    }
    revisions.set(name, snapshot.revision);
    if (snapshot.signer !== undefined) signers.set(name, snapshot.signer);
    if (snapshot.complete) complete.add(name);
    const unreadable = new Set(snapshot.files.filter((file) => file.text === undefined).map((file) => file.path));
    for (const file of snapshot.files) {
      if (file.text === undefined) problems.push(unreadableFile(file.path, file.error ?? 'it cannot be read'));
    }
    const readable = snapshot.files.flatMap((file) =>
      file.text === undefined ? [] : [{ path: file.path, text: file.text, source: name }],
    );
    const parsed = yield* parseInSlices(readable, parseCacheOf(cache, name));
    problems.push(...parsed.problems);
    for (const file of parsed.perFile) {
      for (const key of file.claims) claimed.set(key, file.problems);
    }
    const broken = new Set(parsed.problems.filter((problem) => problem.severity === 'error').map((problem) => problem.file));
    for (const document of parsed.documents) add(document, false);
    if (broken.size + unreadable.size === 0) continue;
    const declaredHere = new Set(parsed.documents.map((document) => document.key));
    for (const row of known) {
      const stays = row.declared && (broken.has(row.path) || unreadable.has(row.path));
      if (stays && !declaredHere.has(refKey(row.ref))) add(revive(row, cache), true);
    }
  }
  // A source that is no longer configured deletes nothing; what it declared stays as it was.
  for (const row of rows) if (row.declared && !configured.has(row.source)) add(revive(row, cache), true);

  // What stays as it was last valid is there; only what nothing is known of is merely claimed.
  for (const key of documents.keys()) claimed.delete(key);
  const checked = yield* checkInSlices([...documents.values()], new Set(claimed.keys()), cache.checked);
  problems.push(...checked.problems);
  const byRef = new Map(rows.map((row) => [refKey(row.ref), row]));
  const unresolved = new Map<RefKey, readonly Problem[]>();
  const unusable: ManifestDocument[] = [];
  for (const key of checked.unusable) {
    const document = documents.get(key);
    if (document !== undefined) unusable.push(document);
    const row = byRef.get(key);
    documents.delete(key);
    kept.delete(key);
    if (row?.declared && row.document !== '') add(revive(row, cache), true);
    if (documents.has(key)) continue;
    const own = document === undefined ? [] : problemsAt(problems, document);
    const other = checked.waitsFor.get(key);
    unresolved.set(key, own.length > 0 || other === undefined ? own : (claimed.get(other) ?? []));
  }
  const { renames, stuck } = renamesOf(documents.values(), unusable, byRef, documents);
  for (const [key, problem] of stuck) {
    problems.push(problem);
    unresolved.set(key, [problem]);
  }
  const resolved = yield* resolveAll({ documents, kept, problems, revisions, signers, kinds, rows: byRef, cache, previous, unresolved });
  return { ...resolved, complete, revisions, renames };
}

interface ResolveInput {
  readonly documents: ReadonlyMap<RefKey, ManifestDocument>;
  readonly kept: ReadonlySet<RefKey>;
  readonly problems: Problem[];
  readonly revisions: ReadonlyMap<string, string>;
  readonly signers: ReadonlyMap<string, string>;
  readonly kinds: KindTable;
  readonly rows: ReadonlyMap<RefKey, ObjectRow>;
  readonly cache: DesiredCache;
  readonly previous: ReadonlyMap<RefKey, DesiredObject>;
  readonly unresolved: Map<RefKey, readonly Problem[]>;
}

function* resolveAll(input: ResolveInput): Sliced<Pick<DesiredState, 'objects' | 'unresolved' | 'problems'>> {
  const { documents, kept, problems, revisions, signers, kinds, rows, cache, previous, unresolved } = input;
  const objects = new Map<RefKey, DesiredObject>();
  const problemsByFile = Map.groupBy(problems, (problem) => problem.file);
  for (const [key, document] of documents) {
    const kind = kinds.get(document.kind);
    if (kind === undefined) continue;
    let used = document;
    let isKept = kept.has(key);
    let resolved = cache.resolved.resolve(kind, used, documents);
    const own: Problem[] = [...resolved.problems];
    problems.push(...resolved.problems);
    const before = previous.get(key);
    if (before !== undefined && !isKept && isStill(before, used, resolved)) {
      objects.set(key, before);
      continue;
    }
    yield;
    const row = resolved.spec === undefined ? rows.get(key) : undefined;
    const last = !isKept && row?.declared === true ? revive(row, cache) : undefined;
    if (last !== undefined) {
      used = last;
      isKept = true;
      resolved = cache.resolved.resolve(kind, used, documents);
    }
    if (resolved.spec === undefined) {
      // What it refers to is gone. It stays as it was, as long as we know how that was, and is left alone otherwise.
      const why = [...own, ...problemsAt(problems, document)];
      if (before === undefined) unresolved.set(key, why);
      else objects.set(key, { ...before, kept: true, problems: why });
      continue;
    }
    if (isKept) own.push(...(problemsByFile.get(used.origin.file) ?? []));
    const same = before?.specHash === resolved.specHash ? before : undefined;
    const revision = same?.revision ?? revisions.get(used.origin.source) ?? '';
    const signer = same === undefined ? signers.get(used.origin.source) : same.signer;
    objects.set(key, {
      ref: used.ref,
      key,
      document: used,
      source: used.origin.source,
      revision,
      ...(signer === undefined ? {} : { signer }),
      spec: resolved.spec,
      specHash: resolved.specHash,
      needs: resolved.needs,
      protect: hasProtect(resolved.spec),
      kept: isKept,
      problems: own,
    });
  }
  return { objects, unresolved, problems };
}

/** The very document, refering to what it did. */
function isStill(before: DesiredObject, document: ManifestDocument, { spec, problems }: ResolvedOnce): boolean {
  return before.document === document && before.spec === spec && !before.kept && problems.length + before.problems.length === 0;
}

function parseCacheOf({ parsed }: DesiredCache, source: string): ParseCache {
  let cache = parsed.get(source);
  if (cache === undefined) {
    cache = new Map();
    parsed.set(source, cache);
  }
  return cache;
}

/** Problems in the lines of a document, as far as its own start tells. */
function problemsAt(problems: readonly Problem[], { origin }: ManifestDocument): Problem[] {
  return problems.filter((problem) => problem.file === origin.file && problem.line >= origin.line && problem.line <= origin.endLine);
}

function hasProtect(spec: unknown): boolean {
  return typeof spec === 'object' && spec !== null && 'protect' in spec && spec.protect === true;
}

/** Undefined when the stored text can no longer be read (an older version's): the object is then only kept, not planned. */
function revive(row: ObjectRow, { revived: cache }: DesiredCache): ManifestDocument | undefined {
  const cacheKey = `${row.uid} ${row.document}`;
  let document = cache.get(cacheKey);
  if (document === undefined) {
    document = reviveDocument(row.document, { source: row.source, file: row.path, line: row.line });
    if (document !== undefined) cache.set(cacheKey, document);
  }
  return document;
}

function ownedElsewhere(document: ManifestDocument, owner: ManifestDocument): Problem {
  const { source: _source, ...position } = document.origin;
  const where = `${owner.origin.file}:${owner.origin.line}`;
  return {
    severity: 'error',
    rule: 'owned-by-other-source',
    ...position,
    field: 'metadata.name',
    message: `${refText(document.ref)} is already declared by the source "${owner.origin.source}" at ${where}.`,
    hint: 'Remove one of the two declarations.',
  };
}

function unreadableFile(file: string, because: string): Problem {
  return {
    severity: 'error',
    rule: 'unreadable-file',
    file,
    line: 1,
    column: 1,
    endLine: 1,
    endColumn: 1,
    field: '',
    message: `The file cannot be read: ${because}. What it last declared stays in force.`,
  };
}

/** One line for a person about an object's own problems. */
export function problemText(problems: readonly Problem[]): string {
  const first = problems[0];
  if (first === undefined) return '';
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return `${first.file}:${first.line}:${first.column}: ${first.message}${more}`;
}
