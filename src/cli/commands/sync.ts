// lockstep sync: read the sources again now.
import type { Define } from '../context.ts';
import { parseDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import { syncAndWait } from '../sync-and-wait.ts';
import { DEFAULT_TIMEOUT } from '../wait.ts';

interface SyncOptions {
  readonly source?: string;
  readonly wait?: boolean;
  readonly timeout: string;
}

export const define: Define = (command, run) => {
  command
    .option('--source <name>', 'only this source')
    .option('--wait', 'wait until everything is ready')
    .option('--timeout <duration>', 'how long to wait', DEFAULT_TIMEOUT)
    .action((options: SyncOptions) =>
      run(async (context) => {
        const timeoutMs = parseDuration(options.timeout);
        const from = options.source === undefined ? {} : { source: options.source };
        if (options.wait === true) return await syncAndWait(context, { ...from, timeoutMs });
        await context.client.sync(from);
        context.output.done(options.source === undefined ? 'All sources were read.' : `Source "${options.source}" was read.`);
        return EXIT.done;
      }),
    );
};
