// lockstep plan: what would change. Exit code 2 when there are changes.
import { Option } from 'commander';
import type { Define } from '../context.ts';
import { usageError } from '../errors.ts';
import { collectManifests } from '../manifest-files.ts';
import { savePlan } from '../plan-file.ts';
import { planExitCode, type PlanFormat, printPlan } from '../print-plan.ts';

interface PlanOptions {
  readonly format?: PlanFormat;
  readonly out?: string;
  readonly source?: string;
  readonly prune?: boolean;
}

export const define: Define = (command, run) => {
  command
    .argument('[paths...]', 'manifests or directories; without any, what the daemon would do now')
    .addOption(new Option('--format <format>', 'how to print the plan').choices(['text', 'json', 'markdown']))
    .option('--out <file>', 'save the plan for "lockstep apply FILE"')
    .option('--source <name>', 'stored source the manifests would go into (default: api)')
    .option('--prune', 'the manifests would be the whole content of --source')
    .addHelpText('after', '\nExit codes: 0 no changes, 2 changes, 1 problems in manifests.')
    .action((paths: string[], options: PlanOptions) =>
      run(async ({ client, output }) => {
        if (options.prune === true && options.source === undefined) throw usageError('--prune needs --source NAME.');
        if (paths.length === 0 && options.source !== undefined) throw usageError('--source needs the paths of manifests.');
        const request =
          paths.length === 0
            ? undefined
            : {
                files: await collectManifests(paths),
                ...(options.source === undefined ? {} : { source: options.source }),
                ...(options.prune === undefined ? {} : { replace: options.prune }),
              };
        const report = await client.plan(request);
        await printPlan(report, output, options.format);
        const exitCode = planExitCode(report);
        if (options.out !== undefined) {
          if (exitCode === 1) throw usageError(`The plan is not saved: the manifests have errors.`);
          await savePlan(options.out, { lockstepPlan: 1, ...request, report });
          output.note(`The plan is saved. Put it into effect with: lockstep apply ${options.out}`);
        }
        return exitCode;
      }),
    );
};
