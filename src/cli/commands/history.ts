// lockstep history: what was done to an object, newest last, as a log reads.
import type { HistoryRun } from '../../api/types.ts';
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { fieldLines } from '../field-text.ts';
import { findOrSpellOut } from '../object-ref.ts';
import type { Output } from '../output.ts';
import { clean, localTime } from '../text.ts';
import { outcomeText, revisionText } from '../why-text.ts';
import { wholeNumber } from '../whole-number.ts';

export const define: Define = (command, run) => {
  command
    .argument('<object>', 'NAME, Kind/NAME or Kind/PROJECT/PARENT/NAME; also one that is gone')
    .option('--limit <count>', 'at most so many times', '20')
    .action((text: string, options: { readonly limit: string }) =>
      run(async (context) => {
        const { client, output } = context;
        const limit = wholeNumber(options.limit, '--limit', 1, 999);
        const runs = await client.history(await findOrSpellOut(context, text), limit);
        if (await output.data(runs)) return EXIT.done;
        if (runs.length === 0) output.note('Nothing was done to it yet.');
        for (const one of runs.toReversed()) print(one, output);
        return EXIT.done;
      }),
    );
};

function print(one: HistoryRun, output: Output): void {
  const took = one.durationMs === null ? '' : `${(one.durationMs / 1000).toFixed(1)} s`;
  if (!output.terminal) {
    for (const { summary, outcome, change } of one.changes) {
      output.line([localTime(one.openedAt), took, revisionText(one.revision), change, outcomeText(outcome), summary].map(clean).join('\t'));
    }
    return;
  }
  const { style } = output;
  const good = one.outcome === 'done' ? 'green' : one.outcome === null ? 'cyan' : 'yellow';
  output.line(
    `${style('bold', localTime(one.openedAt))}  ${style(good, clean(outcomeText(one.outcome)))} ${took}  ${style('dim', clean(revisionText(one.revision)))}`,
  );
  if (one.causes.length > 0) output.line(`  ${style('dim', clean(`because ${one.causes.join('; ')}`))}`);
  for (const { summary, outcome, fields } of one.changes) {
    output.line(`  - ${clean(summary)}${outcome === 'done' ? '' : `: ${clean(outcomeText(outcome))}`}`);
    for (const field of fields) for (const line of fieldLines(field, '      ', style, { full: false })) output.line(line);
  }
}
