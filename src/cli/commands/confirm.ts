// lockstep confirm: shows what a source would delete, asks, and confirms exactly that list.
import type { Confirmation } from '../../api/types.ts';
import { askYes } from '../ask.ts';
import type { Define } from '../context.ts';
import { ClientError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef } from '../kind-words.ts';
import type { Output } from '../output.ts';
import { clean, plural } from '../text.ts';

interface ConfirmOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export const define: Define = (command, run) => {
  command
    .argument('[source]', 'name of the source whose deletions are confirmed')
    .option('--all', 'confirm those of every source')
    .option('-y, --yes', 'do not ask')
    .action((source: string | undefined, options: ConfirmOptions) =>
      run(async ({ client, output }) => {
        const waiting = await client.confirmations();
        const chosen = source === undefined ? waiting : waiting.filter((one) => one.source === source);
        if (chosen.length === 0) {
          if (source !== undefined) throw new ClientError(`Nothing of source "${source}" waits for a confirmation.`);
          if (!(await output.data([]))) output.done('Nothing waits for a confirmation.');
          return EXIT.done;
        }
        if (output.format === 'table') for (const one of chosen) show(one, output);
        if (chosen.length > 1 && options.all !== true) {
          throw usageError('More than one source waits for a confirmation.', 'Name one, or give --all.');
        }
        const count = plural(
          chosen.reduce((sum, one) => sum + one.objects.length, 0),
          'object',
        );
        if (options.yes !== true && !(await askYes(`Delete ${count}?`))) throw new ClientError('Nothing was confirmed.');
        const confirmed: Confirmation[] = [];
        // The hash is that of the list shown above: a list that has changed meanwhile is refused.
        for (const one of chosen) confirmed.push(await client.confirm(one.source, one.hash));
        if (!(await output.data(confirmed))) output.done(`Confirmed: ${count} will be deleted.`);
        return EXIT.done;
      }),
    );
};

function show(waiting: Confirmation, output: Output): void {
  output.line(`Source "${clean(waiting.source)}" would delete ${plural(waiting.objects.length, 'object')}. ${clean(waiting.reason)}`);
  for (const ref of waiting.objects) output.line(`  ${output.style('red', '-')} ${clean(shortRef(ref))}`);
}
