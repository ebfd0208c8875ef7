// Everything the client prints goes through here: tables for a terminal, plain tab-separated lines for a pipe, JSON or YAML when asked
// for; errors and notes on stderr.
import { styleText } from 'node:util';
import { clean, cut, width } from './text.ts';

export type Format = 'table' | 'json' | 'yaml';
export type StyleName = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';
/** Colours a text, or leaves it as it is where colours are off. */
export type Style = (name: StyleName, text: string) => string;

export interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly format: Format;
  readonly color: boolean;
  readonly quiet: boolean;
  readonly stdout: Stream;
  readonly stderr: Stream;
}

export interface Cell {
  readonly text: string;
  readonly style?: StyleName;
}

const plain: Style = (_name, text) => text;
const coloured: Style = (name, text) => styleText(name, text, { validateStream: false });

/** Colours only on a terminal, and never with NO_COLOR (no-color.org) or a terminal that cannot. */
export function wantsColor(environment: NodeJS.ProcessEnv): boolean {
  return (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}

export class Output {
  readonly format: Format;
  readonly quiet: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;
  readonly style: Style;
  readonly errorStyle: Style;

  constructor(options: OutputOptions) {
    this.format = options.format;
    this.quiet = options.quiet;
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.style = options.color && options.stdout.isTTY === true ? coloured : plain;
    this.errorStyle = options.color && options.stderr.isTTY === true ? coloured : plain;
  }

  get terminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  get columns(): number {
    return this.#stdout.columns ?? 80;
  }

  get rows(): number {
    return this.#stdout.rows ?? 24;
  }

  /** Text as it is, for text that was cleaned already. */
  raw(text: string): void {
    this.#stdout.write(text);
  }

  line(text: string): void {
    this.#stdout.write(`${text}\n`);
  }

  /** What was done; not with --quiet, and not beside machine-readable output. */
  done(text: string): void {
    if (!this.quiet && this.format === 'table') this.line(clean(text));
  }

  /** Something beside the point that a person should know. */
  note(text: string): void {
    if (!this.quiet) this.#stderr.write(`${this.errorStyle('yellow', 'note:')} ${clean(text)}\n`);
  }

  error(message: string): void {
    this.#stderr.write(`${this.errorStyle('red', 'error:')} ${clean(message)}\n`);
  }

  errorDetail(label: string, text: string): void {
    this.#stderr.write(`  ${this.errorStyle('dim', `${label}:`)} ${clean(text)}\n`);
  }

  errorLine(line: string): void {
    this.#stderr.write(`${line}\n`);
  }

  /** The machine-readable form. True when it was printed and there is nothing left to do. */
  async data(value: unknown): Promise<boolean> {
    if (this.format === 'table') return false;
    if (this.format === 'json') {
      this.line(JSON.stringify(value, null, 2));
    } else {
      const { stringify } = await import('yaml');
      // Undefined members vanish as they do in JSON.
      this.raw(stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0 }));
    }
    return true;
  }

  /** A table on a terminal; on a pipe one tab-separated line per row, without heading, nothing cut. */
  table(heading: readonly string[], rows: readonly (readonly Cell[])[]): void {
    if (!this.terminal) {
      for (const row of rows) this.line(row.map((cell) => clean(cell.text)).join('\t'));
      return;
    }
    for (const line of layOut(heading, rows, this.columns, this.style)) this.line(line);
  }
}

/** Lines of a table. The last column is cut where the terminal ends. */
export function layOut(heading: readonly string[], rows: readonly (readonly Cell[])[], columns: number, style: Style): string[] {
  const cells = rows.map((row) => row.map((cell) => ({ ...cell, text: clean(cell.text) })));
  const widths = heading.map((title, at) => Math.max(width(title), ...cells.map((row) => width(row[at]?.text ?? ''))));
  const last = heading.length - 1;
  const before = widths.slice(0, last).reduce((sum, each) => sum + each + 2, 0);
  const room = Math.max(columns - before, 10);
  const lay = (row: readonly Cell[]) =>
    row
      .map((cell, at) => {
        const text = at === last ? cut(cell.text, room) : cell.text;
        const pad = at === last ? '' : ' '.repeat((widths[at] ?? 0) - width(text) + 2);
        return `${cell.style === undefined ? text : style(cell.style, text)}${pad}`;
      })
      .join('')
      .trimEnd();
  return [lay(heading.map((text) => ({ text, style: 'bold' }))), ...cells.map(lay)];
}
