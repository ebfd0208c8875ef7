// Prints a plan in the form that was asked for.
import type { PlanReport } from '../api/types.ts';
import { EXIT } from './exit-codes.ts';
import type { Format, Output } from './output.ts';
import { planDiff } from './plan-diff.ts';
import { planMarkdown } from './plan-markdown.ts';
import { planText } from './plan-text.ts';

export type PlanFormat = 'text' | 'json' | 'markdown' | 'diff';

export interface PrintPlanOptions {
  /** Undefined: as `--output` says. */
  readonly format?: PlanFormat | undefined;
  readonly verbose?: boolean | undefined;
}

export async function printPlan(report: PlanReport, output: Output, { format, verbose = false }: PrintPlanOptions): Promise<void> {
  const chosen: PlanFormat | Format = format ?? output.format;
  if (chosen === 'json') output.line(JSON.stringify(report, null, 2));
  else if (chosen === 'yaml') await output.data(report);
  else for (const line of linesOf(chosen, report, output, verbose)) output.line(line);
}

function linesOf(format: 'table' | Exclude<PlanFormat, 'json'>, report: PlanReport, output: Output, verbose: boolean): string[] {
  if (format === 'markdown') return planMarkdown(report);
  if (format === 'diff') return planDiff(report, output.style);
  return planText(report, output.style, { verbose });
}

/** 1 when manifests have errors, else 2 when there are changes, else 0. What is pending anyway is not a change of the files given. */
export function planExitCode({ problems, counts }: PlanReport): number {
  if (problems.some((problem) => problem.severity === 'error')) return EXIT.error;
  return counts.create + counts.change + counts.delete > 0 ? EXIT.changes : EXIT.done;
}
