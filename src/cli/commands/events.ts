// lockstep events: what happened, and with --follow what happens.
import type { LockstepEvent } from '../../core/events.ts';
import type { Define } from '../context.ts';
import { followEvents } from '../event-follow.ts';
import { EXIT } from '../exit-codes.ts';
import { shortRef } from '../kind-words.ts';
import type { Output, StyleName } from '../output.ts';
import { clean, localTime } from '../text.ts';
import { wholeNumber } from '../whole-number.ts';

interface EventOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly limit: string;
}

const SEVERITY: Readonly<Record<LockstepEvent['severity'], StyleName>> = { info: 'dim', warning: 'yellow', error: 'red' };

export const define: Define = (command, run) => {
  command
    .option('-f, --follow', 'go on with new events until interrupted')
    .option('--since <number>', 'only events behind this number')
    .option('--limit <count>', 'at most so many stored events', '50')
    .action((options: EventOptions) =>
      run(async ({ client, output }) => {
        const limit = wholeNumber(options.limit, '--limit', 1, 9999);
        const since = options.since === undefined ? undefined : wholeNumber(options.since, '--since', 0, 999_999_999_999_999);
        const stored = await client.events({ limit, ...(since === undefined ? {} : { since }) });
        if (options.follow !== true) {
          if (!(await output.data(stored))) for (const event of stored) output.line(eventLine(event, output));
          return EXIT.done;
        }
        const print = (event: LockstepEvent) => {
          // One document per line or per `---`: a stream has no end to close a list with.
          if (output.format === 'table') output.line(eventLine(event, output));
          else output.line(output.format === 'json' ? JSON.stringify(event) : `---\n${JSON.stringify(event)}`);
        };
        for (const event of stored) print(event);
        await followEvents(client, stored.at(-1)?.seq ?? since ?? 0, print, (text) => output.note(text));
        return EXIT.done;
      }),
    );
};

function eventLine(event: LockstepEvent, output: Output): string {
  const parts = [
    localTime(event.time),
    event.severity === 'info' ? '' : event.severity,
    event.ref === undefined ? '' : shortRef(event.ref),
    event.reason,
    event.message,
  ].map(clean);
  if (!output.terminal) return [String(event.seq), ...parts].join('\t');
  const [time = '', severity = '', object = '', reason = '', message = ''] = parts;
  const word = severity === '' ? '' : `${output.style(SEVERITY[event.severity], severity)} `;
  return `${output.style('dim', time)}  ${word}${object === '' ? '' : `${output.style('bold', object)} `}${output.style('cyan', reason)} ${message}`;
}
