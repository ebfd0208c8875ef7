// Prints a plan in the form that was asked for.
import type { PlanReport } from '../api/types.ts';
import { EXIT } from './exit-codes.ts';
import { Output, type Format } from './output.ts';
import { planMarkdown, planText } from './plan-text.ts';

export type PlanFormat = 'text' | 'json' | 'markdown';

export async function printPlan(report: PlanReport, output: Output, format: PlanFormat | undefined): Promise<void> {
  const chosen: PlanFormat | Format = format ?? output.format;
  if (chosen === 'json') output.line(JSON.stringify(report, null, 2));
  else if (chosen === 'yaml') await output.data(report);
  else for (const line of chosen === 'markdown' ? planMarkdown(report) : planText(report, output.style)) output.line(line);
}

/** 1 when manifests have errors, else 2 when there are changes, else 0. */
export function planExitCode(report: PlanReport): number {
  if (report.problems.some((problem) => problem.severity === 'error')) return EXIT.error;
  return report.changes.length > 0 ? EXIT.changes : EXIT.done;
}
