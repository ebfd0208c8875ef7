// lockstep confirm: shows what waits for a person (deletions of a source, a new root volume or a restart of an instance), asks, and
// confirms exactly that.
import type { Confirmation } from '../../api/types.ts';
import { askYes } from '../ask.ts';
import type { Define } from '../context.ts';
import { ClientError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { normalizeObject, shortRef } from '../kind-words.ts';
import type { Output, StyleName } from '../output.ts';
import { clean, plural } from '../text.ts';

interface ConfirmOptions {
  readonly all?: boolean;
  readonly unprotect?: boolean;
  readonly yes?: boolean;
}

const ACTIONS: Readonly<Record<Confirmation['action'], { readonly sign: string; readonly style: StyleName; readonly done: string }>> = {
  delete: { sign: '-', style: 'red', done: 'deleted' },
  recreate: { sign: '-/+', style: 'magenta', done: 'recreated' },
  restart: { sign: '!', style: 'yellow', done: 'restarted' },
  adopt: { sign: '=', style: 'green', done: 'taken for ours' },
};

export const define: Define = (command, run) => {
  command
    .argument('[source|object]', 'a source, for all that waits of its objects, or one object')
    .option('--all', 'confirm those of every source')
    .option('--unprotect', 'also delete what is protected')
    .option('-y, --yes', 'do not ask')
    .action((name: string | undefined, options: ConfirmOptions) =>
      run(async ({ client, output }) => {
        const waiting = await client.confirmations();
        const chosen = name === undefined ? waiting : waiting.filter((one) => one.source === name || isOf(one, name));
        if (chosen.length === 0) {
          if (name !== undefined) throw new ClientError(`Nothing of "${name}" waits for a confirmation.`);
          if (!(await output.data([]))) output.done('Nothing waits for a confirmation.');
          return EXIT.done;
        }
        if (output.format === 'table') for (const one of chosen) show(one, output);
        if (name === undefined && chosen.length > 1 && options.all !== true) {
          throw usageError('More than one confirmation is waited for.', 'Name a source or an object, or give --all.');
        }
        const unprotect = options.unprotect === true;
        const what = summary(chosen, unprotect);
        if (options.yes !== true && !(await askYes(`Agree that ${what}?`))) throw new ClientError('Nothing was confirmed.');
        const confirmed: Confirmation[] = [];
        // The hash is that of the list shown above: a list that has changed meanwhile is refused.
        for (const one of chosen) confirmed.push(await client.confirm(one.source, one.hash, { unprotect }));
        if (!(await output.data(confirmed))) output.done(`Confirmed: ${what}.`);
        return EXIT.done;
      }),
    );
};

/** It is about this one object; a list of deletions is a source's. */
function isOf({ action, objects: [ref] }: Confirmation, name: string): boolean {
  if (action === 'delete' || action === 'adopt' || ref === undefined) return false;
  if (ref.name === name) return true;
  const normal = name.includes('/') ? normalizeObject(name) : name;
  return normal === shortRef(ref) || normal === [ref.kind, ref.project, ref.parent, ref.name].join('/');
}

/** `3 objects will be deleted, 1 object will be restarted` */
function summary(chosen: readonly Confirmation[], unprotect: boolean): string {
  const parts = [...Map.groupBy(chosen, (one) => one.action)].map(([action, group]) => {
    const count = group.reduce((sum, one) => sum + one.objects.length + (unprotect ? one.protected.length : 0), 0);
    return `${plural(count, 'object')} will be ${ACTIONS[action].done}`;
  });
  return parts.join(', ');
}

function show({ action, source, objects, protected: kept, reason }: Confirmation, output: Output): void {
  const { sign, style, done } = ACTIONS[action];
  const signed = (at: number): string => `  ${output.style(style, sign)} ${clean(shortRef(objects[at]!))}`;
  if (action === 'delete') {
    output.line(`Source "${clean(source)}" would delete ${plural(objects.length, 'object')}. ${clean(reason)}`);
    for (const at of objects.keys()) output.line(signed(at));
    for (const ref of kept) output.line(`    ${clean(shortRef(ref))} (protected: stays, unless you give --unprotect)`);
  } else if (action === 'adopt') {
    output.line(clean(reason));
    for (const at of objects.keys()) output.line(signed(at));
  } else {
    output.line(`${clean(shortRef(objects[0]!))} would be ${done}. ${clean(reason)}`);
  }
}
