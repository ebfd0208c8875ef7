// A table that is drawn over itself while things change. Rows that are not ready come first when there are too many for the screen.
import type { ObjectStatus } from '../api/types.ts';
import { isReady } from '../core/object-status.ts';
import { layOut, type Output } from './output.ts';
import { STATUS_HEADING, statusRow } from './status-table.ts';
import { cut, plural, width } from './text.ts';

const ESCAPE = '\u001b[';

export class LiveTable {
  readonly #output: Output;
  #drawn = 0;
  #last = '';

  constructor(output: Output) {
    this.#output = output;
  }

  show(objects: readonly ObjectStatus[]): void {
    const lines = this.#lines(objects);
    const text = lines.join('\n');
    if (text === this.#last) return;
    this.#last = text;
    this.#output.raw(`${this.#up()}${lines.map((line) => `${ESCAPE}2K${line}`).join('\n')}\n${ESCAPE}0J`);
    this.#drawn = lines.length;
  }

  /** Removes what was drawn, so that the final answer takes its place. */
  clear(): void {
    if (this.#drawn > 0) this.#output.raw(`${this.#up()}${ESCAPE}0J`);
    this.#drawn = 0;
    this.#last = '';
  }

  #up(): string {
    return this.#drawn === 0 ? '' : `${ESCAPE}${this.#drawn}A\r`;
  }

  #lines(objects: readonly ObjectStatus[]): string[] {
    const ready = objects.filter(isReady).length;
    const heading = `${ready} of ${plural(objects.length, 'object')} ready`;
    const room = Math.max(this.#output.rows - 4, 3);
    const shown =
      objects.length <= room
        ? objects
        : [...objects.filter((one) => !isReady(one)), ...objects.filter((one) => isReady(one))].slice(0, room);
    const rows = layOut(STATUS_HEADING, shown.map(statusRow), this.#output.columns, this.#output.style);
    const more = objects.length > shown.length ? [`… and ${objects.length - shown.length} more`] : [];
    // A line that wraps would make the way up too short; the style's own bytes take no columns.
    return [heading, ...rows, ...more].map((line) =>
      width(strip(line)) > this.#output.columns ? cut(strip(line), this.#output.columns) : line,
    );
  }
}

function strip(line: string): string {
  // oxlint-disable-next-line no-control-regex
  return line.replace(/\u001b\[[0-9;]*m/g, '');
}
