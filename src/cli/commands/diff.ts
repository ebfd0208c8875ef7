// lockstep diff: the plan as a unified diff, of everything or of one object. Exit code 2 when there are differences.
import type { PlanReport } from '../../api/types.ts';
import { refKey } from '../../core/ref.ts';
import { type Context, type Define, findObject } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { planDiff } from '../plan-diff.ts';
import { addPlanRequest, planRequest, type PlanRequestOptions } from '../plan-request.ts';
import { confirmationLines } from '../plan-view.ts';
import { problemLines } from '../problem-text.ts';

interface DiffOptions extends PlanRequestOptions {
  readonly of?: string;
}

export const define: Define = (command, run) => {
  addPlanRequest(command)
    .option('--of <object>', 'only this object')
    .addHelpText('after', '\nExit codes: 0 no differences, 2 differences, 1 problems in manifests or an error.')
    .action((paths: string[], options: DiffOptions) =>
      run(async (context) => {
        const { client, output } = context;
        const plan = await client.plan(await planRequest(paths, options));
        const report = options.of === undefined ? plan : await onlyOf(plan, options.of, context);
        if (!(await output.data(report.changes))) for (const line of planDiff(report, output.style)) output.line(line);
        for (const line of problemLines(report.problems, output.errorStyle)) output.errorLine(line);
        for (const { ref, because } of report.unknown) output.note(`${refKey(ref)} cannot be read: ${because}`);
        for (const { why, what } of confirmationLines(report)) output.note(`${why} ${what}`);
        if (report.problems.some((problem) => problem.severity === 'error')) return EXIT.error;
        return report.changes.length > 0 ? EXIT.changes : EXIT.done;
      }),
    );
};

async function onlyOf(report: PlanReport, object: string, context: Context): Promise<PlanReport> {
  // An object that is only planned is not known to the daemon yet.
  const planned = report.changes.find(({ ref }) => ref.name === object || refKey(ref) === object)?.ref;
  const key = refKey(planned ?? (await findObject(context, object)).ref);
  const isThat = ({ ref }: Pick<PlanReport['changes'][number], 'ref'>): boolean => refKey(ref) === key;
  const confirmations = report.confirmations.filter(({ objects, protected: kept }) =>
    [...objects, ...kept].some((one) => refKey(one) === key),
  );
  return { ...report, changes: report.changes.filter(isThat), unknown: report.unknown.filter(isThat), confirmations };
}
