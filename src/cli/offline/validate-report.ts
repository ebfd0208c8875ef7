// What `validate` found, before it is put into a format.
import type { Problem } from '../../schemas/problem.ts';

export interface ValidateReport {
  /** By path as given: the text, for showing the line. */
  readonly files: ReadonlyMap<string, string>;
  readonly documents: number;
  /** By file, line and column. */
  readonly problems: readonly Problem[];
  readonly version: string;
}

export function byPlace(a: Problem, b: Problem): number {
  return (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column;
}

export function oneSentence(problem: Problem): string {
  return problem.hint === undefined ? problem.message : `${problem.message} ${problem.hint}`;
}
