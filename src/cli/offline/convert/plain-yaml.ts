// YAML as plain values, for documents that are converted: no schema, no judgement. Values of config, devices, labels and annotations are
// text as it is written there (`yes`, `0755`, `1e3`), as LXD and Lockstep take it; empty ones (null) are left out.
import { isAlias, isMap, isPair, isScalar, isSeq, type Node } from 'yaml';
import type { Problem } from '../../../schemas/problem.ts';
import { keyText, YamlFile } from '../../../schemas/yaml-file.ts';
import { TooComplex } from '../../../schemas/yaml-tokens.ts';

export type Plain = string | number | boolean | readonly Plain[] | PlainMap;

export interface PlainMap {
  readonly [key: string]: Plain;
}

export interface PlainDocument {
  readonly value: PlainMap;
  /** 1-based line of its start. */
  readonly line: number;
}

export interface PlainReading {
  readonly documents: readonly PlainDocument[];
  readonly problems: readonly Problem[];
}

const MAX_DEPTH = 32;
const TEXT_PLACES: ReadonlySet<string> = new Set(['config', 'devices', 'labels', 'annotations']);

export function isPlainMap(value: Plain | undefined): value is PlainMap {
  return typeof value === 'object' && !Array.isArray(value);
}

/** Thrown inside; becomes a problem. */
class Unreadable extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Never throws: what cannot be read is a problem, and its document is left out. */
export function readPlainYaml(path: string, text: string): PlainReading {
  const file = new YamlFile(path, text);
  const problems: Problem[] = [];
  function report(message: string, offset: number): void {
    problems.push({ ...file.positionOfOffset(offset), severity: 'error', rule: 'convert', field: '', message });
  }
  const documents: PlainDocument[] = [];
  try {
    for (const tree of file.tree().documents) {
      const [error] = tree.errors;
      if (error !== undefined) {
        report(`${error.message.split('\n', 1)[0]}.`, error.pos[0]);
        continue;
      }
      if (tree.contents === null) continue;
      try {
        const value = read(tree.contents, false, 0);
        if (value === undefined) continue;
        if (isPlainMap(value)) documents.push({ value, line: file.positionOfOffset(tree.contents.range[0]).line });
        else report('The document is not a map.', tree.contents.range[0]);
      } catch (problem) {
        if (!(problem instanceof Unreadable)) throw problem;
        report(problem.message, problem.offset);
      }
    }
  } catch (problem) {
    if (!(problem instanceof TooComplex)) throw problem;
    report(problem.message, problem.offset);
  }
  return { documents, problems };
}

function read(node: Node, asText: boolean, depth: number): Plain | undefined {
  const offset = node.range?.[0] ?? 0;
  if (depth > MAX_DEPTH) throw new Unreadable(`This is nested more than ${MAX_DEPTH} levels deep.`, offset);
  // Neither LXD nor convert writes them; a few lines of them can stand for gigabytes.
  if (isAlias(node)) throw new Unreadable('Aliases ("*") are not converted: write the value out.', offset);
  if (isMap(node)) return readMap(node.items, asText, depth);
  if (isSeq(node)) {
    return node.items.flatMap((item) => {
      const value = read(item as Node, asText, depth + 1);
      return value === undefined ? [] : [value];
    });
  }
  if (!isScalar(node) || node.value === null) return undefined;
  const { value, source } = node;
  if (typeof value === 'string') return value;
  if (!asText && (typeof value === 'number' || typeof value === 'boolean')) return value;
  return source ?? '';
}

function readMap(pairs: readonly unknown[], asText: boolean, depth: number): PlainMap {
  const map: Record<string, Plain> = {};
  for (const pair of pairs) {
    if (!isPair(pair)) continue;
    const key = keyText(pair);
    const offset = (pair.key as Node).range?.[0] ?? 0;
    // oxlint-disable-next-line no-control-regex -- finding control characters is its purpose
    if (key === undefined || key === '__proto__' || /[\u0000-\u001f\u007f-\u009f]/.test(key) || !key.isWellFormed()) {
      throw new Unreadable('This key is not plain text.', offset);
    }
    if (Object.hasOwn(map, key)) throw new Unreadable(`The key "${key}" is given twice in this map.`, offset);
    const child = pair.value as Node | null;
    const value = child === null ? undefined : read(child, asText || TEXT_PLACES.has(key), depth + 1);
    if (value !== undefined) map[key] = value;
  }
  return map;
}
