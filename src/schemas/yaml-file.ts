// One manifest file's YAML, and the way from a field back to line and column. The syntax tree is large compared with the text, so it is
// kept only weakly: asking for a position later reads the text again.
import { Composer, type Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, type ParsedNode } from 'yaml';
import type { FieldPath } from './document.ts';
import type { Position } from './problem.ts';
import { boundedTokens, TooComplex } from './yaml-tokens.ts';

const MAX_DOCUMENTS = 10_000;

export type YamlDocument = Document.Parsed<ParsedNode, false>;

interface Tree {
  readonly documents: readonly YamlDocument[];
  readonly lines: LineCounter;
}

export class YamlFile {
  readonly path: string;
  readonly text: string;
  #tree: WeakRef<Tree> | undefined;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** Parses; throws TooComplex for text that would take the parser too much memory or depth. */
  tree(): Tree {
    const known = this.#tree?.deref();
    if (known !== undefined) return known;
    const lines = new LineCounter();
    // uniqueKeys compares every key with every other; the reader in yaml-value.ts finds duplicates in linear time instead.
    const options = { version: '1.2', schema: 'core', uniqueKeys: false, logLevel: 'silent' } as const;
    const composer = new Composer<ParsedNode, false>(options);
    const documents: YamlDocument[] = [];
    for (const document of composer.compose(boundedTokens(this.text, lines), false, this.text.length)) {
      if (documents.push(document) > MAX_DOCUMENTS)
        throw new TooComplex(`The file has more than ${MAX_DOCUMENTS} documents: split it.`, document.range[0]);
    }
    const tree = { documents, lines };
    this.#tree = new WeakRef(tree);
    return tree;
  }

  /** Position of one character, for text that cannot be parsed. */
  positionOfOffset(offset: number): Position {
    const before = this.text.slice(0, offset);
    const line = before.split('\n').length;
    const column = offset - before.lastIndexOf('\n');
    return { file: this.path, line, column, endLine: line, endColumn: column + 1 };
  }

  /** Position of text offsets. The end is exclusive; an empty range is widened to one column. */
  positionAt(start: number, end: number, lines: LineCounter = this.tree().lines): Position {
    const from = lines.linePos(start);
    const to = lines.linePos(Math.max(start, end));
    const empty = from.line === to.line && from.col === to.col;
    return {
      file: this.path,
      line: Math.max(1, from.line),
      column: Math.max(1, from.col),
      endLine: Math.max(1, to.line),
      endColumn: Math.max(1, empty ? to.col + 1 : to.col),
    };
  }

  /** Position of a field of a document, or of the nearest parent that is in the text. */
  locate(index: number, path: FieldPath, inKey = false): Position {
    const { documents } = this.tree();
    const document = documents[index];
    let node: Node | null = document?.contents ?? null;
    let found: Node | undefined = node ?? undefined;
    for (const [at, part] of path.entries()) {
      const last = at === path.length - 1;
      const pair: Pair | undefined = isMap(node) ? node.items.find((item) => keyText(item) === String(part)) : undefined;
      const next: unknown = pair === undefined ? (isSeq(node) ? node.items[Number(part)] : undefined) : pair.value;
      const key = pair?.key as Node | undefined;
      node = (next ?? null) as Node | null;
      if (last && inKey && key !== undefined) found = key;
      else if (node?.range && node.range[1] > node.range[0]) found = node;
      else if (key !== undefined) found = key;
      if (node === null) break;
    }
    const [start, end] = found?.range ?? document?.range ?? [0, 0];
    return this.positionAt(start, trimmedEnd(this.text, start, end));
  }
}

/** The key of a map's pair as text, when it is a scalar. */
export function keyText(pair: unknown): string | undefined {
  if (!isPair(pair) || !isScalar(pair.key)) return undefined;
  const { key } = pair;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

/** Block values end behind their last line break; the position shown ends with their text. */
export function trimmedEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && ' \n\r\t'.includes(text[at - 1]!)) at--;
  return at;
}
