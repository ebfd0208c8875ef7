// lockstep apply: puts manifests into a stored source, or a saved plan into effect; without paths it is `sync --wait`.
import type { ApplyResult, PlanReport } from '../../api/types.ts';
import { refKey } from '../../core/ref.ts';
import { askYes, canAsk } from '../ask.ts';
import type { ApplyRequest } from '../client.ts';
import type { Context, Define } from '../context.ts';
import { parseDuration } from '../duration.ts';
import { ClientError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef } from '../kind-words.ts';
import { collectManifests } from '../manifest-files.ts';
import { loadPlan, type PlanFile } from '../plan-file.ts';
import { printPlan } from '../print-plan.ts';
import { problemLines } from '../problem-text.ts';
import { syncAndWait, waitAndReport } from '../sync-and-wait.ts';
import { DEFAULT_TIMEOUT } from '../wait.ts';

interface ApplyOptions {
  readonly source?: string;
  readonly prune?: boolean;
  readonly wait?: boolean;
  readonly timeout: string;
  readonly yes?: boolean;
}

export const define: Define = (command, run) => {
  command
    .argument('[paths...]', 'manifests, directories, - for stdin, or one saved plan; without any: sync and wait')
    .option('--source <name>', 'stored source to put the objects into (default: api)')
    .option('--prune', 'the manifests are the whole content of --source: delete what they do not hold')
    .option('--wait', 'wait until the objects are ready')
    .option('--timeout <duration>', 'how long to wait', DEFAULT_TIMEOUT)
    .option('-y, --yes', 'do not ask before objects are replaced or deleted')
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or an error, 3 --wait: the time is up.')
    .action((paths: string[], options: ApplyOptions) =>
      run(async (context) => {
        const timeoutMs = parseDuration(options.timeout);
        if (options.prune === true && options.source === undefined) throw usageError('--prune needs --source NAME.');
        if (paths.length === 0) {
          if (options.source !== undefined) throw usageError('--source needs the paths of manifests.');
          return await syncAndWait(context, { timeoutMs });
        }
        const [only] = paths;
        const plan = paths.length === 1 && only !== undefined && only !== '-' ? await loadPlan(only) : undefined;
        if (plan !== undefined) return await applyPlan(context, plan, options, timeoutMs);
        const request = {
          files: await collectManifests(paths),
          ...(options.source === undefined ? {} : { source: options.source }),
          ...(options.prune === undefined ? {} : { prune: options.prune }),
        };
        if (options.yes !== true && canAsk()) await askAboutLoss(context, request);
        return await applyFiles(context, request, options, timeoutMs);
      }),
    );
};

async function applyPlan(context: Context, plan: PlanFile, options: ApplyOptions, timeoutMs: number): Promise<number> {
  if (options.source !== undefined || options.prune !== undefined)
    throw usageError('A saved plan says itself where it goes: leave --source and --prune out.');
  if (options.yes !== true && canAsk()) await confirmPlan(context, plan.report);
  const { objects } = plan.report;
  if (plan.files === undefined) return await syncAndWait(context, { timeoutMs, plan: objects });
  const request = {
    files: plan.files,
    plan: objects,
    ...(plan.source === undefined ? {} : { source: plan.source }),
    ...(plan.replace === undefined ? {} : { prune: plan.replace }),
  };
  return await applyFiles(context, request, options, timeoutMs);
}

async function applyFiles(context: Context, request: ApplyRequest, options: ApplyOptions, timeoutMs: number): Promise<number> {
  const result = await context.client.apply(request);
  for (const line of problemLines(result.problems, context.output.errorStyle)) context.output.errorLine(line);
  if (options.wait !== true) {
    await printResult(context, result);
    return EXIT.done;
  }
  for (const one of result.objects) context.output.done(`${shortRef(one.ref)} ${one.result}`);
  await context.client.sync();
  return await waitAndReport(context, { timeoutMs, only: new Set(result.objects.map((one) => refKey(one.ref))) });
}

async function printResult({ output }: Context, result: ApplyResult): Promise<void> {
  if (await output.data(result)) return;
  for (const one of result.objects) output.done(`${shortRef(one.ref)} ${one.result}`);
}

/** kubectl's way is to go ahead; a person at a terminal is asked when something is lost. */
async function askAboutLoss(context: Context, request: ApplyRequest): Promise<void> {
  const report = await context.client.plan({
    files: request.files,
    ...(request.source === undefined ? {} : { source: request.source }),
    ...(request.prune === undefined ? {} : { replace: request.prune }),
  });
  // A manifest with errors is refused by apply itself, with the same list.
  if (report.problems.some((problem) => problem.severity === 'error')) return;
  if (report.changes.some((change) => change.verdict === 'delete' || change.verdict === 'recreate')) await confirmPlan(context, report);
}

async function confirmPlan(context: Context, report: PlanReport): Promise<void> {
  if (context.output.format === 'table') await printPlan(report, context.output, { format: 'text' });
  if (!(await askYes('Put this into effect?'))) throw new ClientError('Nothing was changed.');
}
