// lockstep why: why an object is as it is, and what it waits for.
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { findOrSpellOut } from '../object-ref.ts';
import { whyLines } from '../why-text.ts';

export const define: Define = (command, run) => {
  command.argument('<object>', 'NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME; also one that is gone').action((text: string) =>
    run(async (context) => {
      const { client, output } = context;
      const why = await client.why(await findOrSpellOut(context, text));
      if (!(await output.data(why))) for (const line of whyLines(why, Date.now(), output.style)) output.line(line);
      return EXIT.done;
    }),
  );
};
