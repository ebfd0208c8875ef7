// lockstep delete: deletes an object that was made through the API. Its name is its confirmation.
import { findObject, type Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef } from '../kind-words.ts';

export const define: Define = (command, run) => {
  command
    .argument('<object>', 'NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME')
    .addHelpText('after', '\nAn object that a manifest declares is deleted by removing it from that manifest.')
    .action((text: string) =>
      run(async (context) => {
        const { ref } = await findObject(context, text);
        await context.client.delete(ref);
        if (!(await context.output.data({ ref }))) context.output.done(`${shortRef(ref)} is being deleted.`);
        return EXIT.done;
      }),
    );
};
