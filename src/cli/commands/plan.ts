// lockstep plan: what would change. Exit code 2 when there are changes.
import { Option } from 'commander';
import type { Define } from '../context.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { savePlan } from '../plan-file.ts';
import { addPlanRequest, planRequest, type PlanRequestOptions } from '../plan-request.ts';
import { planExitCode, type PlanFormat, printPlan } from '../print-plan.ts';

interface PlanOptions extends PlanRequestOptions {
  readonly format?: PlanFormat;
  readonly out?: string;
  readonly verbose?: boolean;
}

export const define: Define = (command, run) => {
  addPlanRequest(command)
    .addOption(new Option('--format <format>', 'how to print the plan').choices(['text', 'json', 'markdown', 'diff']))
    .option('-v, --verbose', 'every object by itself, unchanged ones too, values in full')
    .option('--out <file>', 'save the plan for "lockstep apply FILE"')
    .addHelpText('after', '\nExit codes: 0 no changes, 2 changes, 1 problems in manifests or an error.')
    .action((paths: string[], options: PlanOptions) =>
      run(async ({ client, output }) => {
        const request = await planRequest(paths, options);
        const report = await client.plan(request);
        await printPlan(report, output, options);
        const exitCode = planExitCode(report);
        if (options.out !== undefined) {
          if (exitCode === EXIT.error) throw usageError('The plan is not saved: the manifests have errors.');
          await savePlan(options.out, { lockstepPlan: 1, ...request, report });
          output.note(`The plan is saved. Put it into effect with: lockstep apply ${options.out}`);
        }
        return exitCode;
      }),
    );
};
