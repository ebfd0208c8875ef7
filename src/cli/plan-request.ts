// What `plan` and `diff` have in common: which manifests a plan is asked for.
import { type Command, Option } from 'commander';
import type { PlanRequest } from './client.ts';
import { usageError } from './errors.ts';
import { collectManifests } from './manifest-files.ts';

export interface PlanRequestOptions {
  readonly source?: string;
  readonly prune?: boolean;
}

export function addPlanRequest(command: Command): Command {
  return command
    .argument('[paths...]', 'manifests, directories or - for stdin, not applied yet; without any, what the daemon would do now')
    .option('--source <name>', 'stored source the manifests would go into (default: api)')
    .addOption(new Option('--prune', 'the manifests would be the whole content of --source: what they do not hold would be deleted'));
}

/** Undefined: a plan of what the daemon's own sources lead to. */
export async function planRequest(paths: readonly string[], { source, prune }: PlanRequestOptions): Promise<PlanRequest | undefined> {
  if (prune === true && source === undefined) throw usageError('--prune needs --source NAME.');
  if (paths.length === 0) {
    if (source !== undefined) throw usageError('--source needs the paths of manifests.');
    return undefined;
  }
  return {
    files: await collectManifests(paths),
    ...(source === undefined ? {} : { source }),
    ...(prune === undefined ? {} : { replace: prune }),
  };
}
