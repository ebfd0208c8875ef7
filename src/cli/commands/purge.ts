// lockstep purge: ends tombstones now. Asks first: nothing brings that data back.
import { askYes } from '../ask.ts';
import { ClientError, usageError } from '../errors.ts';
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef, spellOut } from '../kind-words.ts';
import { refKey } from '../../core/ref.ts';
import { clean, plural } from '../text.ts';
import { printTombstones } from '../tombstone-table.ts';

interface PurgeOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export const define: Define = (command, run) => {
  command
    .argument('[object]', 'NAME (an instance), Kind/NAME or Kind/PROJECT/PARENT/NAME')
    .option('--all', 'end all tombstones')
    .option('-y, --yes', 'do not ask')
    .action((text: string | undefined, options: PurgeOptions) =>
      run(async ({ client, output, project }) => {
        if ((text === undefined) === (options.all !== true)) throw usageError('Name an object, or give --all.');
        const target = text === undefined ? undefined : spellOut(text, project);
        const kept = await client.tombstones();
        const chosen = kept.filter((one) => target === undefined || refKey(one.ref) === refKey(target));
        if (chosen.length === 0) {
          if (target !== undefined) throw new ClientError(`Nothing of ${clean(shortRef(target))} is kept.`);
          if (!(await output.data([]))) output.done('There are no tombstones.');
          return EXIT.done;
        }
        if (output.format === 'table') printTombstones(chosen, output, Date.now());
        const question = `Remove ${plural(chosen.length, 'tombstone')} for good?`;
        if (options.yes !== true && !(await askYes(question))) throw new ClientError('Nothing was removed.');
        const ended = await client.purge(target);
        if (!(await output.data(ended))) output.done(`${plural(ended.length, 'tombstone')} removed for good.`);
        return EXIT.done;
      }),
    );
};
