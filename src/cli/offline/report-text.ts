// For people: each problem with its source line and a mark below it, a summary last.
import { clean, plural, width } from '../text.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { ValidateReport } from './validate-report.ts';

const MAX_LINE = 160;

export function textReport(report: ValidateReport): string {
  const lines = new Map<string, string[]>();
  function linesOf(file: string): string[] | undefined {
    let known = lines.get(file);
    const text = report.files.get(file);
    if (known === undefined && text !== undefined) {
      known = text.split(/\r\n|\n|\r/);
      lines.set(file, known);
    }
    return known;
  }
  const blocks = report.problems.map((problem) => block(problem, linesOf(problem.file)?.[problem.line - 1]));
  return [...blocks, summary(report), ''].join('\n');
}

function block(problem: Problem, source: string | undefined): string {
  const head = `${clean(problem.file)}:${problem.line}:${problem.column}: ${problem.severity}: ${clean(problem.message)} [${problem.rule}]`;
  const shown = source === undefined || source.trim() === '' ? [] : excerpt(problem, source);
  const hint = problem.hint === undefined ? [] : [`  hint: ${clean(problem.hint)}`];
  return [head, ...shown, ...hint, ''].join('\n');
}

/** The line, cut round the problem when it is long, and carets below. Tabs count as one column, as `clean` makes them one space. */
function excerpt(problem: Problem, source: string): string[] {
  const start = Math.min(problem.column - 1, source.length);
  const from = start > MAX_LINE - 40 ? start - 40 : 0;
  const part = source.slice(from, from + MAX_LINE);
  const end = problem.endLine > problem.line ? source.length : problem.endColumn - 1;
  const before = clean(part.slice(0, start - from));
  const marked = clean(part.slice(start - from, Math.max(end, start + 1) - from));
  const number = String(problem.line);
  const gutter = ' '.repeat(number.length);
  return [` ${number} | ${clean(part)}`, ` ${gutter} | ${' '.repeat(width(before))}${'^'.repeat(Math.max(1, width(marked)))}`];
}

function summary({ files, documents, problems }: ValidateReport): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  const read = `${plural(files.size, 'file')}, ${plural(documents, 'valid document')}`;
  if (problems.length === 0) return `${read}: no problems.`;
  const bad = new Set(problems.map((problem) => problem.file)).size;
  const found = [errors > 0 ? plural(errors, 'error') : '', warnings > 0 ? plural(warnings, 'warning') : ''].filter((text) => text !== '');
  return `${read}: ${found.join(' and ')} in ${plural(bad, 'file')}.`;
}
