// One field of a change as lines: `+ a: new`, `~ b: old -> new`, `- c: old`; values of several lines as a diff.
import { type DiffLine, lineDiff } from './line-diff.ts';
import type { Style, StyleName } from './output.ts';
import type { Field } from './plan-view.ts';
import { clean, cut } from './text.ts';

/** Columns of a value; a text that long belongs into a file, not into a plan. */
const VALUE_COLUMNS = 160;
/** Lines of a diff. */
const DIFF_LINES = 40;

const COLOURS: Readonly<Record<string, StyleName>> = { '+': 'green', '-': 'red', '~': 'yellow', '@': 'dim' };

export function fieldLines(field: Field, indent: string, style: Style, { full }: { readonly full: boolean }): string[] {
  const { from, to, secret, knownAfterApply } = field;
  const sign = from === undefined ? '+' : to === undefined && knownAfterApply !== true ? '-' : '~';
  const head = `${indent}${style(COLOURS[sign]!, sign)} ${clean(field.field)}:`;
  if (secret === true) return [`${head} ${style('dim', { '+': '(secret)', '-': '(secret, taken away)', '~': '(secret, changed)' }[sign])}`];
  const after = knownAfterApply === true ? style('dim', '(known after apply)') : undefined;
  if (from?.includes('\n') || to?.includes('\n')) {
    const room = full ? Number.POSITIVE_INFINITY : DIFF_LINES;
    return [after === undefined ? head : `${head} ${after}`, ...diffLines(lineDiff(from ?? '', to ?? ''), `${indent}    `, style, room)];
  }
  const show = (value: string | undefined): string => valueText(value ?? '', full);
  if (sign === '+') return [`${head} ${after ?? show(to)}`];
  if (sign === '-') return [`${head} ${show(from)}`];
  return [`${head} ${show(from)} ${style('dim', '->')} ${after ?? show(to)}`];
}

function diffLines(lines: readonly DiffLine[], indent: string, style: Style, room: number): string[] {
  const shown = lines.slice(0, room).map(({ sign, text }) => {
    if (sign === '@') return `${indent}${style('dim', '  ...')}`;
    const line = `${sign} ${clean(text)}`;
    return `${indent}${sign === ' ' ? line : style(COLOURS[sign]!, line)}`.trimEnd();
  });
  return lines.length <= room
    ? shown
    : [...shown, `${indent}${style('dim', `  ... ${lines.length - room} more lines (--verbose shows them)`)}`];
}

/** An empty value must be seen. */
function valueText(value: string, full: boolean): string {
  if (value === '') return '""';
  const text = clean(value);
  return full ? text : cut(text, VALUE_COLUMNS);
}
