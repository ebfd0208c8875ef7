// Manifest text to typed documents and located problems.
//
//   text --YamlFile--> trees --yaml-value--> plain data --check-value--> ManifestDocument
//        \----------- yaml-simple ----------/
//
// One bad document never stops the others, and nothing here throws: what is wrong becomes a Problem.
import { canonicalJson } from '../core/hash.ts';
import { type RefKey, refKey, type ResourceRef } from '../core/ref.ts';
import { finish, type Sliced } from '../core/slices.ts';
import { checkValue, claimedRef } from './check-value.ts';
import { duplicateObjects } from './checks/duplicate-objects.ts';
import type { ManifestDocument, Origin } from './document.ts';
import { type Finding, locateFinding, problemIn } from './finding.ts';
import type { Position, Problem } from './problem.ts';
import { MAX_FINDINGS } from './validate.ts';
import { YamlFile } from './yaml-file.ts';
import { readSimple } from './yaml-simple.ts';
import { syntaxProblems } from './yaml-syntax.ts';
import { TooComplex } from './yaml-tokens.ts';
import { aliasBudget, readYamlDocument } from './yaml-value.ts';

/** Characters of one file. Manifests are written by people; a larger file is a mistake or an attack. */
const MAX_FILE_CHARACTERS = 4 * 1024 * 1024;
const MAX_SYNTAX_PROBLEMS = 5;
const MAX_FILE_PROBLEMS = 200;

export interface ManifestFile {
  /** As people know it. */
  readonly path: string;
  readonly text: string;
  /** Name of the source it belongs to. */
  readonly source: string;
}

export interface FileResult {
  readonly path: string;
  readonly source: string;
  /** The valid ones. */
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly Problem[];
  /** Objects that invalid documents of this file declare, as far as that can be told. */
  readonly claims: readonly RefKey[];
}

export interface ParsedManifests {
  /** All valid documents. An object that is declared twice is in none of them. */
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly Problem[];
  readonly perFile: readonly FileResult[];
}

/** What earlier calls found, by path: an unchanged file is not parsed again, and its documents stay the same objects. */
export type ParseCache = Map<string, { readonly file: ManifestFile; readonly result: FileResult }>;

/** Parses files that belong together: objects declared twice among them are problems. A cache belongs to one such set of files. */
export function parseManifests(files: readonly ManifestFile[], cache?: ParseCache): ParsedManifests {
  return finish(parseInSlices(files, cache));
}

export function* parseInSlices(files: readonly ManifestFile[], cache: ParseCache = new Map()): Sliced<ParsedManifests> {
  const results = yield* parseCached(files, cache);
  const duplicates = duplicateObjects(results.flatMap((result) => result.documents));
  if (duplicates.length > 0) {
    for (const [at, result] of results.entries()) results[at] = withoutDuplicates(result, duplicates);
  }
  return {
    documents: results.flatMap((result) => result.documents),
    problems: results.flatMap((result) => result.problems),
    perFile: results,
  };
}

function* parseCached(files: readonly ManifestFile[], cache: ParseCache): Sliced<FileResult[]> {
  const results: FileResult[] = [];
  const now = new Set<string>();
  for (const file of files) {
    now.add(file.path);
    const before = cache.get(file.path);
    if (before !== undefined && before.file.text === file.text && before.file.source === file.source) {
      results.push(before.result);
      continue;
    }
    const result = parseFile(file);
    cache.set(file.path, { file, result });
    results.push(result);
    yield;
  }
  for (const path of cache.keys()) if (!now.has(path)) cache.delete(path);
  return results;
}

function withoutDuplicates(result: FileResult, duplicates: readonly { document: ManifestDocument; finding: Finding }[]): FileResult {
  const here = duplicates.filter(({ document }) => result.documents.includes(document));
  if (here.length === 0) return result;
  const gone = new Set(here.map(({ document }) => document));
  return {
    ...result,
    documents: result.documents.filter((document) => !gone.has(document)),
    problems: [...result.problems, ...here.map(({ document, finding }) => problemIn(document, finding))],
    claims: [...result.claims, ...here.map(({ document }) => document.key)],
  };
}

function parseFile(file: ManifestFile): FileResult {
  const { path, source } = file;
  const documents: ManifestDocument[] = [];
  const problems: Problem[] = [];
  const claims: RefKey[] = [];
  const yaml = new YamlFile(path, file.text);
  const broken = unreadable(yaml);
  if (broken !== undefined) return { path, source, documents, problems: [broken], claims };
  const simple = readSimple(file.text);
  if (simple !== undefined) {
    for (const { index, value, line, endLine, endColumn } of simple) {
      const result = checkDocument(value, yaml, index, source, { file: path, line, column: 1, endLine, endColumn });
      problems.push(...result.problems);
      if (result.document !== undefined) documents.push(result.document);
      else if (result.ref !== undefined) claims.push(refKey(result.ref));
    }
    return { path, source, documents, problems: capped(problems), claims };
  }
  try {
    const { documents: trees, lines } = yaml.tree();
    const budget = aliasBudget();
    for (const [index, tree] of trees.entries()) {
      const syntax = syntaxProblems(yaml, tree);
      if (syntax.length > 0) {
        problems.push(...syntax.slice(0, MAX_SYNTAX_PROBLEMS));
        continue;
      }
      const reading = readYamlDocument(yaml, tree, lines, budget);
      // A document of comments only, such as the one after a last `---`.
      if (reading.value === undefined && reading.problems.length === 0) continue;
      const result = checkDocument(reading.value, yaml, index, source);
      problems.push(...reading.problems, ...notFollowingFrom(result.problems, reading.problems));
      if (result.document !== undefined && reading.problems.length === 0) documents.push(result.document);
      else if (result.ref !== undefined) claims.push(refKey(result.ref));
    }
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error;
    const position = yaml.positionOfOffset(error.offset);
    problems.push({ ...position, severity: 'error', rule: 'too-complex', field: '', message: error.message });
  }
  return { path, source, documents, problems: capped(problems), claims };
}

function capped(problems: readonly Problem[]): readonly Problem[] {
  const last = problems[MAX_FILE_PROBLEMS];
  if (last === undefined) return problems;
  const message = `The file has ${problems.length - MAX_FILE_PROBLEMS} more problems, which are not shown.`;
  return [
    ...problems.slice(0, MAX_FILE_PROBLEMS),
    { ...fileProblem(last.file, 'more-problems', message), line: last.line, endLine: last.line },
  ];
}

/** A value that could not be read is missing in the data; what follows from that would only repeat it. */
function notFollowingFrom(problems: readonly Problem[], unread: readonly Problem[]): readonly Problem[] {
  if (unread.length === 0) return problems;
  return problems.filter(({ rule, field }) => rule !== 'required' && !unread.some((other) => other.field.startsWith(field)));
}

function unreadable(yaml: YamlFile): Problem | undefined {
  const { path, text } = yaml;
  if (text.length > MAX_FILE_CHARACTERS) {
    return fileProblem(
      path,
      'too-large',
      `The file has ${text.length} characters; a manifest file may have at most ${MAX_FILE_CHARACTERS}.`,
    );
  }
  const nul = text.indexOf('\0');
  if (nul < 0) return undefined;
  const message = 'The file holds a NUL character: it is not a text file, or not in UTF-8.';
  return { ...fileProblem(path, 'control-character', message), ...yaml.positionOfOffset(nul) };
}

function fileProblem(file: string, rule: string, message: string): Problem {
  return { file, line: 1, column: 1, endLine: 1, endColumn: 2, severity: 'error', rule, field: '', message };
}

interface Checked {
  readonly document: ManifestDocument | undefined;
  readonly problems: readonly Problem[];
  readonly ref: ResourceRef | undefined;
}

function checkDocument(value: unknown, yaml: YamlFile, index: number, source: string, at?: Position): Checked {
  function locate(path: readonly (string | number)[], inKey?: boolean): Position {
    return yaml.locate(index, path, inKey);
  }
  const { findings, document } = checkValue(value);
  const problems = findings.slice(0, MAX_FINDINGS).map((finding) => locateFinding(finding, locate));
  const ref = claimedRef(value);
  if (document === undefined || findings.length > 0) return { document: undefined, problems, ref };
  const origin: Origin = { ...(at ?? locate([])), source };
  return { document: { ...document, origin, locate }, problems, ref };
}

/** A document as canonical JSON, to be stored; `reviveDocument` reads it back. */
export function documentJson(document: ManifestDocument): string {
  const { apiVersion, kind, metadata, spec } = document;
  return canonicalJson({ apiVersion, kind, metadata, spec });
}

/** Where a stored document came from. */
export interface StoredOrigin {
  readonly source: string;
  readonly file: string;
  readonly line: number;
}

/**
 * A stored document as it was when it was last valid, at its old place (fields all point to its first line). Undefined when this
 * release no longer accepts it, or when the text is not what `documentJson` wrote.
 */
export function reviveDocument(text: string, stored: StoredOrigin): ManifestDocument | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { findings, document } = checkValue(value);
  if (document === undefined || findings.length > 0) return undefined;
  const { file, line, source } = stored;
  const position: Position = { file, line, column: 1, endLine: line, endColumn: 2 };
  return { ...document, origin: { ...position, source }, locate: () => position };
}
