// lockstep status: the daemon and its objects at a glance; with --wait until all is ready (exit code 3 when the time is up).
import { refKey } from '../../core/ref.ts';
import { findObject, type Define } from '../context.ts';
import { parseDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import { daemonLine, printAttention, STATUS_HEADING, statusRow } from '../status-table.ts';
import { waitAndReport } from '../sync-and-wait.ts';
import { DEFAULT_TIMEOUT } from '../wait.ts';

interface StatusOptions {
  readonly wait?: boolean;
  readonly timeout: string;
}

export const define: Define = (command, run) => {
  command
    .argument('[object]', 'NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME')
    .option('--wait', 'wait until everything, or the object, is ready')
    .option('--timeout <duration>', 'how long to wait', DEFAULT_TIMEOUT)
    .action((object: string | undefined, options: StatusOptions) =>
      run(async (context) => {
        const { client, output, project } = context;
        const timeoutMs = parseDuration(options.timeout);
        const one = object === undefined ? undefined : await findObject(context, object);
        if (options.wait === true) {
          return await waitAndReport(context, { timeoutMs, ...(one === undefined ? {} : { only: new Set([refKey(one.ref)]) }) });
        }
        if (one !== undefined) {
          if (!(await output.data(one))) output.table(STATUS_HEADING, [statusRow(one)]);
          return EXIT.done;
        }
        const whole = await client.status();
        const objects = whole.objects.filter((each) => project === undefined || each.ref.project === '-' || each.ref.project === project);
        if (await output.data({ ...whole, objects })) return EXIT.done;
        if (output.terminal && !output.quiet) {
          output.line(daemonLine(whole, Date.now()));
          if (objects.length > 0) output.line('');
        }
        if (objects.length > 0) output.table(STATUS_HEADING, objects.map(statusRow));
        printAttention(whole, output);
        return EXIT.done;
      }),
    );
};
