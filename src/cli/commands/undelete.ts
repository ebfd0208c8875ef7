// lockstep undelete: brings a deleted object back while its data is kept; without a name, what can be brought back.
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef, spellOut } from '../kind-words.ts';
import { printTombstones } from '../tombstone-table.ts';

interface UndeleteOptions {
  readonly tombstone?: string;
}

export const define: Define = (command, run) => {
  command
    .argument('[object]', 'NAME (an instance), Kind/NAME or Kind/PROJECT/PARENT/NAME; without: what can be brought back')
    .option('--tombstone <name>', 'bring this one back, when there are several')
    .action((text: string | undefined, options: UndeleteOptions) =>
      run(async ({ client, output, project }) => {
        if (text === undefined) {
          const tombstones = await client.tombstones();
          if (await output.data(tombstones)) return EXIT.done;
          if (tombstones.length === 0) output.note('Nothing that was deleted is kept.');
          else printTombstones(tombstones, output, Date.now());
          return EXIT.done;
        }
        const ref = spellOut(text, project);
        // As the table shows it: POOL/NAME; the name alone says it all.
        await client.undelete(ref, options.tombstone?.split('/').at(-1));
        if (!(await output.data({ ref }))) output.done(`${shortRef(ref)} is being brought back.`);
        return EXIT.done;
      }),
    );
};
