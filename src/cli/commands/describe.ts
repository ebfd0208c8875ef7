// lockstep describe: everything about one object.
import type { ObjectDescription } from '../../api/types.ts';
import { refKey } from '../../core/ref.ts';
import { type Context, type Define, findLocalPaths, findObject } from '../context.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { clean, localTime } from '../text.ts';
import { detailText } from './get.ts';

export const define: Define = (command, run) => {
  command
    .argument('<object>', 'NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME')
    .argument('[paths...]', 'with --merged: manifests to read instead of the sources of the daemon')
    .option('--merged', 'show every value, profiles merged, and where it comes from; with paths, no daemon is needed')
    .action((text: string, paths: string[], options: { readonly merged?: boolean }) =>
      run(async (context) => {
        if (options.merged === true) return await merged(text, paths, context);
        if (paths.length > 0) throw usageError('Paths go with --merged.', 'For example: lockstep describe --merged web manifests/');
        const { ref } = await findObject(context, text);
        const description = await context.client.describe(ref);
        if (!(await context.output.data(description))) await printDescription(description, context.output);
        return EXIT.done;
      }),
    );
};

async function merged(text: string, paths: readonly string[], context: Context): Promise<number> {
  const { describeMerged, mergedText } = await import('../offline/describe-merged.ts');
  const view = await describeMerged(text, paths.length > 0 ? paths : await findLocalPaths(context), context.project);
  if (await context.output.data(view)) return EXIT.done;
  for (const line of mergedText(view).trimEnd().split('\n')) context.output.line(line);
  return EXIT.done;
}

async function printDescription(description: ObjectDescription, output: Output): Promise<void> {
  const { status } = description;
  const { style } = output;
  const section = (title: string) => output.line(`\n${style('bold', title)}`);
  const pair = (name: string, value: string) => output.line(`  ${name.padEnd(16)} ${clean(value)}`);

  output.line(style('bold', clean(refKey(status.ref))));
  pair('uid', status.uid);
  pair('source', status.source);
  if (status.file !== undefined) pair('declared in', `${status.file}${status.line === undefined ? '' : `:${status.line}`}`);
  if (status.observedRevision !== undefined) pair('revision', status.observedRevision);
  if (status.doing !== undefined) pair('doing', status.doing.text);
  if (status.nextRetry !== undefined) pair('next try', localTime(status.nextRetry));

  section('Conditions');
  for (const one of status.conditions) {
    output.line(`  ${one.type.padEnd(12)} ${one.status.padEnd(8)} ${clean(one.reason)} since ${localTime(one.since)}`);
    if (one.message !== '') output.line(`               ${clean(one.message)}`);
  }
  if (status.error !== undefined) {
    section('Last error');
    pair(status.error.code, status.error.message);
    if (status.error.hint !== undefined) pair('next', status.error.hint);
    if (status.error.change !== undefined) pair('change', status.error.change);
    if (status.error.file !== undefined) pair('asked for in', `${status.error.file}:${status.error.line}`);
    pair('at', localTime(status.error.at));
  }
  if (Object.keys(status.details).length > 0) {
    section('Now');
    for (const [name, value] of Object.entries(status.details)) pair(clean(name), detailText(value));
  }
  if (Object.keys(description.allocations).length > 0) {
    section('Allocated');
    for (const [name, value] of Object.entries(description.allocations)) pair(clean(name), value);
  }
  section('Spec');
  const { stringify } = await import('yaml');
  for (const line of stringify(description.spec, { lineWidth: 0 }).trimEnd().split('\n')) output.line(`  ${clean(line)}`);
  if (description.history.length > 0) {
    section('History');
    for (const one of description.history) {
      const took = one.closedAt === null ? '' : ` in ${((one.closedAt - one.openedAt) / 1000).toFixed(1)} s`;
      output.line(`  ${localTime(one.openedAt)}  ${clean(one.change)}: ${clean(one.outcome ?? 'under way')}${took}`);
    }
  }
}
