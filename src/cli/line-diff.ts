// Differences between two texts of several lines, as a person reads them: lines that stay, go and come, with a little of what is around.

export interface DiffLine {
  readonly sign: ' ' | '+' | '-' | '@';
  readonly text: string;
}

/** Lines around a change. */
const CONTEXT = 2;
/** Cells of the table; beyond that everything between the common ends counts as changed. */
const MAX_CELLS = 1_000_000;

/** `@` stands for lines that are left out. */
export function lineDiff(from: string, to: string): DiffLine[] {
  const [before, after] = [linesOf(from), linesOf(to)];
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const middle = longest(before.slice(start, before.length - end), after.slice(start, after.length - end));
  const keep = (lines: readonly string[]): DiffLine[] => lines.map((text) => ({ sign: ' ', text }));
  return withContext([...keep(before.slice(0, start)), ...middle, ...keep(before.slice(before.length - end))]);
}

/** A last line without its end is a line all the same. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** By the longest common subsequence of lines. */
function longest(before: readonly string[], after: readonly string[]): DiffLine[] {
  const gone = before.map((text): DiffLine => ({ sign: '-', text }));
  const come = after.map((text): DiffLine => ({ sign: '+', text }));
  if (before.length * after.length > MAX_CELLS) return [...gone, ...come];
  const width = after.length + 1;
  const table = new Uint32Array((before.length + 1) * width);
  for (let row = before.length - 1; row >= 0; row--) {
    for (let column = after.length - 1; column >= 0; column--) {
      const at = row * width + column;
      table[at] = before[row] === after[column] ? table[at + width + 1]! + 1 : Math.max(table[at + width]!, table[at + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [row, column] = [0, 0];
  while (row < before.length && column < after.length) {
    const at = row * width + column;
    if (before[row] === after[column]) {
      lines.push({ sign: ' ', text: before[row]! });
      row++;
      column++;
    } else if (table[at + width]! >= table[at + 1]!) lines.push(gone[row++]!);
    else lines.push(come[column++]!);
  }
  return [...lines, ...gone.slice(row), ...come.slice(column)];
}

function withContext(lines: readonly DiffLine[]): DiffLine[] {
  const near = new Set<number>();
  for (const [index, { sign }] of lines.entries()) {
    if (sign !== ' ') for (let at = index - CONTEXT; at <= index + CONTEXT; at++) near.add(at);
  }
  const shown: DiffLine[] = [];
  for (const [index, line] of lines.entries()) {
    if (near.has(index)) shown.push(line);
    else if (shown.at(-1)?.sign !== '@') shown.push({ sign: '@', text: '' });
  }
  return shown;
}
