// Manifests for tests, and what their problems are in short.
import type { ManifestDocument } from '../../../src/schemas/document.ts';
import { parseManifests } from '../../../src/schemas/parse.ts';
import type { Problem } from '../../../src/schemas/problem.ts';

export function parse(text: string, path = 'm.yaml'): ReturnType<typeof parseManifests> {
  return parseManifests([{ path, text, source: 'test' }]);
}

/** A document without its apiVersion, which every document has. */
export function manifest(kind: string, name: string, rest: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\n${rest}\n---\n`;
}

/** The documents of texts that must be valid each by itself. */
export function documentsOf(...texts: string[]): readonly ManifestDocument[] {
  const { documents, problems } = parse(texts.join(''));
  if (problems.length > 0) throw new Error(problems.map(short).join('\n'));
  return documents;
}

/** `line:column rule field`. */
export function short({ line, column, rule, field }: Problem): string {
  return `${line}:${column} ${rule} ${field}`.trim();
}
