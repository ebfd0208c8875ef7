// lockstep source: where manifests come from, and the end of a source that is no longer configured.
import type { DaemonStatus } from '../../api/types.ts';
import { askYes } from '../ask.ts';
import type { Define } from '../context.ts';
import { ClientError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef } from '../kind-words.ts';
import type { Cell } from '../output.ts';
import { clean, plural } from '../text.ts';

interface ForgetOptions {
  readonly keep?: boolean;
  readonly prune?: boolean;
  readonly yes?: boolean;
}

const STATES: Readonly<Record<DaemonStatus['sources'][number]['state'], string>> = {
  read: 'read',
  stored: 'made through the API',
  unconfigured: 'not configured; nothing is deleted',
  forgotten: 'forgotten; its objects are to be deleted',
};

export const define: Define = (command, run) => {
  command
    .command('list')
    .description('all sources, also those that are no longer configured and still own objects')
    .action(() =>
      run(async ({ client, output }) => {
        const { sources } = await client.status();
        if (await output.data(sources)) return EXIT.done;
        const rows = sources.map((one): Cell[] => [
          { text: one.name },
          { text: one.error === undefined ? STATES[one.state] : 'cannot be read', ...(one.error === undefined ? {} : { style: 'red' }) },
          { text: String(one.objects) },
          { text: one.revision?.slice(0, 12) ?? '' },
          { text: one.location },
        ]);
        output.table(['SOURCE', 'STATE', 'OBJECTS', 'REVISION', 'LOCATION'], rows);
        return EXIT.done;
      }),
    );

  command
    .command('forget')
    .description('ends a source that is no longer configured')
    .argument('<name>', 'its name, as "lockstep source list" shows it')
    .option('--keep', 'its objects stay, as objects made through the API')
    .option('--prune', 'its objects are deleted, once "lockstep confirm NAME" has agreed to the list')
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: ForgetOptions) =>
      run(async ({ client, output }) => {
        if ((options.keep === true) === (options.prune === true)) throw usageError('Give one of --keep and --prune.');
        const how = options.keep === true ? 'keep' : 'prune';
        const question =
          how === 'keep' ? `Keep the objects of "${name}" as objects made through the API?` : `Delete the objects of "${name}"?`;
        if (options.yes !== true && !(await askYes(question))) throw new ClientError('Nothing was changed.');
        const forgotten = await client.forgetSource(name, how);
        if (await output.data(forgotten)) return EXIT.done;
        const count = plural(forgotten.objects.length, 'object');
        if (how === 'keep') output.done(`${count} of source "${name}" are now objects made through the API.`);
        else output.done(`${count} of source "${name}" are deleted once you agree to the list: lockstep confirm ${name}`);
        for (const ref of forgotten.left)
          output.note(`${clean(shortRef(ref))} stays as it is: how it was declared is not known, or its deletion has begun.`);
        return EXIT.done;
      }),
    );
};
