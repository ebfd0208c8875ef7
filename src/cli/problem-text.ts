// Problems in manifests as lines that editors and people can follow: file:line:column first.
import type { Problem } from '../api/types.ts';
import type { Style } from './output.ts';
import { clean } from './text.ts';

export function problemLines(problems: readonly Problem[], style: Style): string[] {
  return problems.flatMap((problem) => {
    const word = problem.severity === 'error' ? style('red', 'error') : style('yellow', 'warning');
    const field = problem.field === '' ? '' : ` (${clean(problem.field)})`;
    const line = `${style('bold', `${clean(problem.file)}:${problem.line}:${problem.column}`)}: ${word}: ${clean(problem.message)}${field}`;
    return problem.hint === undefined ? [line] : [line, `    ${style('dim', 'next:')} ${clean(problem.hint)}`];
  });
}
