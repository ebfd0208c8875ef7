// From the YAML tree to plain data, with everything a hostile or careless file may hold turned into located problems: duplicate keys, NULs,
// floats where text is meant, alias bombs, nesting without end, `__proto__`. Nulls are dropped: an empty `mtu:` means unset.
import { isAlias, isMap, isPair, isScalar, isSeq, type LineCounter, type Node, type Pair, Scalar } from 'yaml';
import type { FieldPath } from './document.ts';
import { fieldText } from './field-path.ts';
import { shown } from './finding.ts';
import type { Problem } from './problem.ts';
import { keyText, trimmedEnd, type YamlDocument, type YamlFile } from './yaml-file.ts';

const MAX_DEPTH = 32;
/** Values that all aliases of one file may stand for. */
const MAX_ALIASED_NODES = 20_000;
const MAX_PROBLEMS = 50;

// oxlint-disable-next-line no-control-regex -- finding control characters is its purpose; tab and line breaks are judged by each option
const FORBIDDEN_CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const DATE = /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?$/;

/** What stands for a value that had a problem or was null: its key is left out. */
const NOTHING = Symbol('nothing');

export interface YamlReading {
  readonly value: unknown;
  readonly problems: readonly Problem[];
}

/** What is left for the aliases of a file; shared by its documents. */
export interface AliasBudget {
  left: number;
}

export function aliasBudget(): AliasBudget {
  return { left: MAX_ALIASED_NODES };
}

export function readYamlDocument(file: YamlFile, document: YamlDocument, lines: LineCounter, budget: AliasBudget): YamlReading {
  const reader = new Reader(file, lines, budget);
  const value = document.contents === null ? NOTHING : reader.read(document.contents, [], 0);
  return { value: value === NOTHING ? undefined : value, problems: reader.problems };
}

/** Lists whose items are LXD's maps of strings: rules of a NetworkACL, ports of a NetworkForward. */
const TEXT_LISTS: ReadonlySet<unknown> = new Set(['ingress', 'egress', 'ports']);

/** Places where LXD has a map of strings: an unquoted number or boolean is taken as it is written there. */
export function isTextPlace(path: FieldPath): boolean {
  if (path[0] === 'metadata') return path.length === 3 && (path[1] === 'labels' || path[1] === 'annotations');
  if (path[0] !== 'spec') return false;
  if (path[1] === 'template') return isTextPlace(path.slice(2));
  if (TEXT_LISTS.has(path[1])) return path.length === 4 && typeof path[2] === 'number';
  return (path[1] === 'config' && path.length === 3) || (path[1] === 'devices' && path.length === 4);
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: YamlFile;
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  readonly #budget: AliasBudget;
  #insideAlias = 0;

  constructor(file: YamlFile, lines: LineCounter, budget: AliasBudget) {
    this.#budget = budget;
    this.#file = file;
    this.#lines = lines;
  }

  read(node: Node, path: FieldPath, depth: number): unknown {
    if (depth > MAX_DEPTH) return this.#problem(node, path, 'too-deep', `This is nested more than ${MAX_DEPTH} levels deep.`);
    if (this.#insideAlias > 0 && --this.#budget.left < 0) {
      if (this.problems.at(-1)?.rule === 'alias-limit') return NOTHING;
      return this.#problem(node, path, 'alias-limit', `The aliases of this file stand for more than ${MAX_ALIASED_NODES} values.`);
    }
    if (isAlias(node)) return this.#readAlias(node, node.source, path, depth);
    // Anchors count in document order, so the tree is read in document order and an alias sees the anchor last set before it.
    if (this.#insideAlias === 0 && 'anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#readMap(node.items, path, depth);
    if (isSeq(node)) return this.#readSeq(node.items, path, depth);
    if (isScalar(node)) return this.#readScalar(node, path);
    return NOTHING;
  }

  #readAlias(node: Node, name: string, path: FieldPath, depth: number): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      return this.#problem(node, path, 'unknown-alias', `The alias "*${name}" has no anchor "&${name}" before it in this document.`);
    }
    this.#insideAlias++;
    const value = this.read(target, path, depth + 1);
    this.#insideAlias--;
    return value;
  }

  #readMap(pairs: readonly unknown[], path: FieldPath, depth: number): unknown {
    const value: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const key = this.#readKey(pair, path, seen);
      if (key === undefined) continue;
      seen.add(key);
      const child = pair.value as Node | null;
      const member = child === null ? NOTHING : this.read(child, [...path, key], depth + 1);
      if (member !== NOTHING) value[key] = member;
    }
    return value;
  }

  #readKey(pair: Pair, path: FieldPath, seen: ReadonlySet<string>): string | undefined {
    const key = keyText(pair);
    const node = pair.key as Node;
    if (key === undefined) {
      this.#problem(node, path, 'key-type', 'A key must be plain text.');
      return undefined;
    }
    const at = [...path, key.slice(0, 100)];
    if (key === '__proto__') {
      this.#problem(node, at, 'forbidden-key', 'The key "__proto__" is not allowed.');
    } else if (key === '<<') {
      this.#problem(node, at, 'merge-key', 'YAML merge keys ("<<") are not part of YAML 1.2.', 'Put what is shared into a Profile.');
    } else if (FORBIDDEN_CONTROL.test(key) || /[\n\r\t]/.test(key) || !key.isWellFormed()) {
      this.#problem(node, path, 'control-character', 'A key must not hold control characters or broken Unicode.');
    } else if (seen.has(key)) {
      this.#problem(node, at, 'duplicate-key', `The key ${shown(key)} is given twice in this map.`, 'Keep one of them.');
    } else {
      return key;
    }
    return undefined;
  }

  #readSeq(items: readonly unknown[], path: FieldPath, depth: number): unknown {
    const list: unknown[] = [];
    for (const [at, item] of items.entries()) {
      const value = this.read(item as Node, [...path, at], depth + 1);
      if (value !== NOTHING) list.push(value);
      else if (isScalar(item) && item.value === null) this.#problem(item, [...path, at], 'empty-item', 'This list entry is empty.');
    }
    return list;
  }

  #readScalar(node: Scalar, path: FieldPath): unknown {
    const { value, source } = node;
    const inText = isTextPlace(path);
    if (value === null) return NOTHING;
    if (typeof value === 'string') {
      if (FORBIDDEN_CONTROL.test(value) || !value.isWellFormed()) {
        return this.#problem(node, path, 'control-character', 'The text holds control characters or broken Unicode.', 'Remove them.');
      }
      if (inText && value === '') return NOTHING;
      if (inText && node.type === Scalar.PLAIN && DATE.test(value)) {
        return this.#problem(node, path, 'date-scalar', `"${value}" is read as a date by some programs.`, `Quote it: "${value}".`);
      }
      return value;
    }
    if (typeof value === 'boolean') return inText ? (source ?? String(value)) : value;
    if (typeof value !== 'number' && typeof value !== 'bigint')
      return this.#problem(node, path, 'type', 'This kind of value is not supported.');
    const text = source ?? String(value);
    if (inText) {
      if (/^[-+]?\d+$/.test(text)) return text;
      return this.#problem(node, path, 'number-scalar', `The number ${text} is not a whole decimal number.`, `Quote it: "${text}".`);
    }
    return Number(value);
  }

  #problem(node: Node, path: FieldPath, rule: string, message: string, hint?: string): typeof NOTHING {
    if (this.problems.length >= MAX_PROBLEMS) return NOTHING;
    const [start, end] = node.range ?? [0, 0];
    this.problems.push({
      ...this.#file.positionAt(start, trimmedEnd(this.#file.text, start, end), this.#lines),
      severity: 'error',
      rule,
      field: fieldText(path),
      message,
      ...(hint === undefined ? {} : { hint }),
    });
    return NOTHING;
  }
}
