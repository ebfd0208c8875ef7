// Desired state: what the sources declare, plus what they declared validly before wherever they are broken now.
//
//   snapshots --parse--> documents --checks--> usable documents --resolve (profiles, defaults)--> DesiredObject
//                                       \--> broken file, broken document, unreadable source: the last valid document stays
//
// Pure: text and ledger rows in, objects and problems out. Deletion is not decided here (deletion.ts).
import { type RefKey, type ResourceRef, refKey, refText } from '../core/ref.ts';
import type { KindTable, Lookup, Need } from '../kinds/kind.ts';
import { checkDocuments } from '../schemas/checks/check-documents.ts';
import type { ManifestDocument } from '../schemas/document.ts';
import { type ParseCache, parseManifests, reviveDocument } from '../schemas/parse.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Snapshot } from '../sources/snapshot.ts';
import type { ObjectRow } from '../state/ledger.ts';
import { ResolveCache } from './resolve-cache.ts';

export interface DesiredObject {
  readonly ref: ResourceRef;
  readonly key: RefKey;
  readonly document: ManifestDocument;
  readonly source: string;
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
}

/** What earlier computations found, so that an unchanged file and an unchanged object cost next to nothing. */
export interface DesiredCache {
  /** Reviving a stored document takes a parse; a source that stays broken for days must not pay it at every change. */
  readonly revived: Map<string, ManifestDocument>;
  /** By source. */
  readonly parsed: Map<string, ParseCache>;
  readonly resolved: ResolveCache;
}

export function emptyDesiredCache(): DesiredCache {
  return { revived: new Map(), parsed: new Map(), resolved: new ResolveCache() };
}

/** For a computation whose files are not what the sources hold (a preview): it profits, and spoils nothing. */
export function copyOfCache({ revived, parsed, resolved }: DesiredCache): DesiredCache {
  return { revived, parsed: new Map([...parsed].map(([name, cache]) => [name, new Map(cache)])), resolved };
}

export function computeDesired(
  sources: readonly SourceInput[],
  rows: readonly ObjectRow[],
  kinds: KindTable,
  cache: DesiredCache = emptyDesiredCache(),
  previous: ReadonlyMap<RefKey, DesiredObject> = new Map(),
): DesiredState {
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
    const key = refKey(document.ref);
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
    const parsed = parseManifests(readable, parseCacheOf(cache, name));
    problems.push(...parsed.problems);
    for (const file of parsed.perFile) {
      for (const key of file.claims) claimed.set(key, file.problems);
    }
    const broken = new Set(parsed.problems.filter((problem) => problem.severity === 'error').map((problem) => problem.file));
    for (const document of parsed.documents) add(document, false);
    const declaredHere = new Set(parsed.documents.map((document) => refKey(document.ref)));
    for (const row of known) {
      const stays = row.declared && (broken.has(row.path) || unreadable.has(row.path));
      if (stays && !declaredHere.has(refKey(row.ref))) add(revive(row, cache), true);
    }
  }
  // A source that is no longer configured deletes nothing; what it declared stays as it was.
  for (const row of rows) if (row.declared && !configured.has(row.source)) add(revive(row, cache), true);

  // What stays as it was last valid is there; only what nothing is known of is merely claimed.
  for (const key of documents.keys()) claimed.delete(key);
  const checked = checkDocuments([...documents.values()], new Set(claimed.keys()));
  problems.push(...checked.problems);
  const byRef = new Map(rows.map((row) => [refKey(row.ref), row]));
  const unresolved = new Map<RefKey, readonly Problem[]>();
  for (const key of checked.unusable) {
    const document = documents.get(key);
    const row = byRef.get(key);
    documents.delete(key);
    kept.delete(key);
    if (row?.declared && row.document !== '') add(revive(row, cache), true);
    if (documents.has(key)) continue;
    const own = document === undefined ? [] : problemsAt(problems, document);
    const other = checked.waitsFor.get(key);
    unresolved.set(key, own.length > 0 || other === undefined ? own : (claimed.get(other) ?? []));
  }
  return { ...resolveAll({ documents, kept, problems, revisions, signers, kinds, rows: byRef, cache, previous, unresolved }), complete };
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

function resolveAll(input: ResolveInput): Pick<DesiredState, 'objects' | 'unresolved' | 'problems'> {
  const { documents, kept, problems, revisions, signers, kinds, rows, cache, previous, unresolved } = input;
  const lookup: Lookup = { document: (ref) => documents.get(refKey(ref)) };
  const objects = new Map<RefKey, DesiredObject>();
  const problemsByFile = Map.groupBy(problems, (problem) => problem.file);
  for (const [key, document] of documents) {
    const kind = kinds.get(document.kind);
    if (kind === undefined) continue;
    let used = document;
    let isKept = kept.has(key);
    let resolved = cache.resolved.resolve(kind, used, lookup);
    const own: Problem[] = [...resolved.problems];
    problems.push(...resolved.problems);
    const row = rows.get(key);
    const last = resolved.spec === undefined && !isKept && row?.declared ? revive(row, cache) : undefined;
    if (last !== undefined) {
      used = last;
      isKept = true;
      resolved = cache.resolved.resolve(kind, used, lookup);
    }
    if (resolved.spec === undefined) {
      // What it refers to is gone. It stays as it was, as long as we know how that was, and is left alone otherwise.
      const before = previous.get(key);
      const why = [...own, ...problemsAt(problems, document)];
      if (before === undefined) unresolved.set(key, why);
      else objects.set(key, { ...before, kept: true, problems: why });
      continue;
    }
    if (isKept) own.push(...(problemsByFile.get(used.origin.file) ?? []));
    const signer = signers.get(used.origin.source);
    objects.set(key, {
      ref: used.ref,
      key,
      document: used,
      source: used.origin.source,
      revision: revisions.get(used.origin.source) ?? '',
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
