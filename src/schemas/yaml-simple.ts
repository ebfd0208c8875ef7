// Plain manifests read fast. Most manifests use a small part of YAML: block and one-line flow maps and lists, plain and quoted words on
// one line, comments. For text that stays within it, this gives exactly what YamlFile and yaml-value.ts give, some twenty times faster; for
// anything else, and for anything that is wrong, it gives nothing, and the full parser speaks. A fuzz test holds the two against each other.
import type { FieldPath } from './document.ts';
import { isTextPlace } from './yaml-value.ts';

export interface SimpleDocument {
  /** Which document of the file, as the full parser counts them. */
  readonly index: number;
  readonly value: Readonly<Record<string, unknown>>;
  /** Lines are one-based, columns too; the end is exclusive. */
  readonly line: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** Larger files take the full parser's limits into account. */
const MAX_CHARACTERS = 1024 * 1024;
const MAX_DEPTH = 24;
const MAX_DOCUMENTS = 1000;

interface Line {
  /** One-based. */
  readonly number: number;
  readonly indent: number;
  /** Without indentation, trailing spaces and comment. */
  readonly text: string;
  /** Column behind text and comment. */
  readonly endColumn: number;
}

/** It is not that simple. Thrown and caught in this file only. */
class NotSimple extends Error {}
const NOT_SIMPLE = new NotSimple('not simple');

/** The documents of a file, those that hold nothing left out; undefined when the text has to be read by the full parser. */
export function readSimple(text: string): readonly SimpleDocument[] | undefined {
  // Printable ASCII and line feeds: no tabs, no carriage returns, nothing that could be broken Unicode.
  if (text.length > MAX_CHARACTERS || /[^\n -~]/.test(text)) return undefined;
  try {
    return documentsOf(text);
  } catch (error) {
    if (error === NOT_SIMPLE) return undefined;
    throw error;
  }
}

function documentsOf(text: string): SimpleDocument[] {
  const documents: SimpleDocument[] = [];
  let lines: Line[] = [];
  let index = 0;
  let number = 0;
  let begun = false;
  let comment = false;
  const end = (): void => {
    const last = lines.at(-1);
    if (last === undefined) return;
    // Whether an indented comment after the last value is part of the document is the full parser's to say.
    if (comment) throw NOT_SIMPLE;
    const value = new Reader(lines).read();
    documents.push({ index, value, line: lines[0]!.number, endLine: last.number, endColumn: last.endColumn });
    lines = [];
  };
  for (const raw of text.split('\n')) {
    number++;
    const first = raw.search(/[^ ]/);
    if (first < 0) continue;
    if (raw[first] === '#') {
      comment ||= first > 0 && lines.length > 0;
      continue;
    }
    if (first === 0 && (raw.startsWith('---') || raw.startsWith('...') || raw.startsWith('%'))) {
      if (raw.trimEnd() !== '---') throw NOT_SIMPLE;
      end();
      if (begun) index++;
      if (index > MAX_DOCUMENTS) throw NOT_SIMPLE;
      begun = true;
      comment = false;
      continue;
    }
    begun = true;
    comment = false;
    const whole = raw.trimEnd();
    lines.push({ number, indent: first, text: withoutComment(whole.slice(first)), endColumn: whole.length + 1 });
  }
  end();
  return documents;
}

function withoutComment(text: string): string {
  const at = text.indexOf(' #');
  // A hash that may be in quotes is rare enough to leave to the full parser.
  if (at >= 0 && /["']/.test(text.slice(0, at))) throw NOT_SIMPLE;
  return (at < 0 ? text : text.slice(0, at)).trimEnd();
}

const KEY = /([A-Za-z][A-Za-z0-9_./-]*):(?: +|$)/y;
const FLOW_KEY = /([A-Za-z][A-Za-z0-9_./-]*): */y;
const FLOW_PLAIN = /[A-Za-z0-9./_][^,{}[\]"'#]*/y;
/** Keys that YAML reads as something else than text. */
const NO_TEXT = /^(?:true|false|null|y|n|yes|no|on|off)$/i;

class Reader {
  readonly #lines: Line[];
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  read(): Record<string, unknown> {
    if (this.#lines[0]?.indent !== 0) throw NOT_SIMPLE;
    const value = this.#map(0);
    if (this.#at < this.#lines.length) throw NOT_SIMPLE;
    return value;
  }

  #map(indent: number): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (let line = this.#lines[this.#at]; line !== undefined && line.indent >= indent; line = this.#lines[this.#at]) {
      if (line.indent > indent) throw NOT_SIMPLE;
      KEY.lastIndex = 0;
      const match = KEY.exec(line.text);
      const key = match?.[1];
      if (match === null || key === undefined || NO_TEXT.test(key) || Object.hasOwn(value, key)) throw NOT_SIMPLE;
      this.#at++;
      this.#path.push(key);
      const rest = line.text.slice(match[0].length);
      const member = rest === '' ? this.#below(indent) : this.#onLine(rest, indent);
      this.#path.pop();
      // An empty text stands for "not set"; that it was given twice would not be seen here.
      if (member === undefined) throw NOT_SIMPLE;
      value[key] = member;
    }
    return value;
  }

  /** The block under `key:`. A list may stand at the key's own indentation. */
  #below(indent: number): unknown {
    const next = this.#lines[this.#at];
    if (next === undefined || this.#path.length > MAX_DEPTH) throw NOT_SIMPLE;
    const isItem = next.text.startsWith('- ');
    if (next.indent > indent) return isItem ? this.#list(next.indent) : this.#map(next.indent);
    if (next.indent === indent && isItem) return this.#list(indent);
    throw NOT_SIMPLE;
  }

  #list(indent: number): unknown[] {
    const list: unknown[] = [];
    for (let line = this.#lines[this.#at]; line !== undefined && line.indent === indent; line = this.#lines[this.#at]) {
      if (!line.text.startsWith('- ')) break;
      const rest = line.text.slice(2).trimStart();
      this.#path.push(list.length);
      KEY.lastIndex = 0;
      if (KEY.test(rest)) {
        const inner = indent + line.text.length - rest.length;
        this.#lines[this.#at] = { ...line, indent: inner, text: rest };
        list.push(this.#map(inner));
      } else {
        this.#at++;
        const item = this.#onLine(rest, indent);
        if (item === undefined) throw NOT_SIMPLE;
        list.push(item);
      }
      this.#path.pop();
    }
    const next = this.#lines[this.#at];
    if (next !== undefined && next.indent > indent) throw NOT_SIMPLE;
    return list;
  }

  /** A value that stands on one line, and does not go on on the next. */
  #onLine(text: string, indent: number): unknown {
    const next = this.#lines[this.#at];
    if (next !== undefined && next.indent > indent) throw NOT_SIMPLE;
    const first = text[0]!;
    if (first === '{' || first === '[') {
      const flow = { text, at: 0 };
      const value = this.#flow(flow);
      if (flow.at !== text.length) throw NOT_SIMPLE;
      return value;
    }
    if (first === '"' || first === "'") return this.#quoted(text);
    if (!/^[A-Za-z0-9./_]/.test(first) || /: |:$/.test(text)) throw NOT_SIMPLE;
    return plain(text, this.#path);
  }

  #quoted(text: string): unknown {
    if (!/^(?:"[^"\\]*"|'[^']*')$/.test(text)) throw NOT_SIMPLE;
    if (text.length > 2) return text.slice(1, -1);
    return isTextPlace(this.#path) ? undefined : '';
  }

  #flow(flow: Flow): unknown {
    if (this.#path.length > MAX_DEPTH) throw NOT_SIMPLE;
    const first = flow.text[flow.at];
    if (first === '{') return this.#flowMap(flow);
    if (first === '[') return this.#flowList(flow);
    if (first === '"' || first === "'") {
      const end = flow.text.indexOf(first, flow.at + 1) + 1;
      if (end === 0) throw NOT_SIMPLE;
      const text = flow.text.slice(flow.at, end);
      flow.at = end;
      return this.#quoted(text);
    }
    FLOW_PLAIN.lastIndex = flow.at;
    const match = FLOW_PLAIN.exec(flow.text);
    if (match === null) throw NOT_SIMPLE;
    flow.at = FLOW_PLAIN.lastIndex;
    const text = match[0].trimEnd();
    if (/: |:$/.test(text)) throw NOT_SIMPLE;
    return plain(text, this.#path);
  }

  #flowMap(flow: Flow): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    flow.at++;
    skipSpaces(flow);
    if (take(flow, '}')) return value;
    for (;;) {
      FLOW_KEY.lastIndex = flow.at;
      const match = FLOW_KEY.exec(flow.text);
      const key = match?.[1];
      // `a:b` without a space is a word, except before what ends words.
      if (match === null || key === undefined || !match[0].endsWith(' ') || NO_TEXT.test(key) || Object.hasOwn(value, key))
        throw NOT_SIMPLE;
      flow.at = FLOW_KEY.lastIndex;
      this.#path.push(key);
      const member = this.#flow(flow);
      this.#path.pop();
      if (member === undefined) throw NOT_SIMPLE;
      value[key] = member;
      skipSpaces(flow);
      if (take(flow, '}')) return value;
      if (!take(flow, ',')) throw NOT_SIMPLE;
      skipSpaces(flow);
    }
  }

  #flowList(flow: Flow): unknown[] {
    const list: unknown[] = [];
    flow.at++;
    skipSpaces(flow);
    if (take(flow, ']')) return list;
    for (;;) {
      this.#path.push(list.length);
      const item = this.#flow(flow);
      this.#path.pop();
      if (item === undefined) throw NOT_SIMPLE;
      list.push(item);
      skipSpaces(flow);
      if (take(flow, ']')) return list;
      if (!take(flow, ',')) throw NOT_SIMPLE;
      skipSpaces(flow);
    }
  }
}

interface Flow {
  readonly text: string;
  at: number;
}

function skipSpaces(flow: Flow): void {
  while (flow.text[flow.at] === ' ') flow.at++;
}

function take(flow: Flow, character: string): boolean {
  if (flow.text[flow.at] !== character) return false;
  flow.at++;
  return true;
}

/** What YAML 1.2 core might read as a number, or some program as a date. With two dots it is none: an address, a version. */
const NUMBER_LIKE = /^(?!.*\..*\.)[.0-9][-+.0-9eExXoOa-fA-F_]*$|^\d{4}-\d|^\.(?:inf|nan)$/i;
const SMALL_INTEGER = /^(?:0|[1-9]\d{0,14})$/;

function plain(text: string, path: FieldPath): unknown {
  if (text === 'true' || text === 'false') return isTextPlace(path) ? text : text === 'true';
  if (SMALL_INTEGER.test(text)) return isTextPlace(path) ? text : Number(text);
  if (NUMBER_LIKE.test(text) || /^(?:true|false|null)$/i.test(text)) throw NOT_SIMPLE;
  return text;
}
