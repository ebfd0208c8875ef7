// lockstep sync: read the sources again now; with an object, look at that one again, and begin anew with it.
import type { Define } from '../context.ts';
import { parseDuration } from '../duration.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef, spellOut } from '../kind-words.ts';
import { syncAndWait } from '../sync-and-wait.ts';
import { DEFAULT_TIMEOUT } from '../wait.ts';

interface SyncOptions {
  readonly source?: string;
  readonly wait?: boolean;
  readonly timeout: string;
}

export const define: Define = (command, run) => {
  command
    .argument('[object]', 'only this object: its back-off ends, or its fight (NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME)')
    .option('--source <name>', 'only this source')
    .option('--wait', 'wait until everything is ready')
    .option('--timeout <duration>', 'how long to wait', DEFAULT_TIMEOUT)
    .action((object: string | undefined, options: SyncOptions) =>
      run(async (context) => {
        const timeoutMs = parseDuration(options.timeout);
        const ref = object === undefined ? undefined : spellOut(object, context.project);
        if (ref !== undefined && options.source !== undefined) throw usageError('An object and --source do not go together.');
        const from = { ...(options.source === undefined ? {} : { source: options.source }), ...(ref === undefined ? {} : { ref }) };
        if (options.wait === true) return await syncAndWait(context, { ...from, timeoutMs });
        await context.client.sync(from);
        if (ref !== undefined) context.output.done(`${shortRef(ref)} was looked at.`);
        else context.output.done(options.source === undefined ? 'All sources were read.' : `Source "${options.source}" was read.`);
        return EXIT.done;
      }),
    );
};
