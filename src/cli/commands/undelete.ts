// lockstep undelete: brings a deleted object back while its data is kept.
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef, spellOut } from '../kind-words.ts';

export const define: Define = (command, run) => {
  command.argument('<object>', 'NAME (an instance), Kind/NAME or Kind/PROJECT/PARENT/NAME').action((text: string) =>
    run(async ({ client, output, project }) => {
      const ref = spellOut(text, project);
      await client.undelete(ref);
      if (!(await output.data({ ref }))) output.done(`${shortRef(ref)} is being brought back.`);
      return EXIT.done;
    }),
  );
};
