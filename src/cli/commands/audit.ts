// lockstep audit: who changed what and why; and whether the log is as it was written, with or without a daemon.
import type { AuditRecord, ChainVerdict } from '../../api/types.ts';
import type { Context, Define } from '../context.ts';
import { refKey } from '../../core/ref.ts';
import { parseDuration } from '../duration.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { fieldLines } from '../field-text.ts';
import { findOrSpellOut } from '../object-ref.ts';
import type { Output } from '../output.ts';
import { clean, localTime, plural } from '../text.ts';
import { outcomeText } from '../why-text.ts';
import { wholeNumber } from '../whole-number.ts';

interface AuditOptions {
  readonly object?: string;
  readonly since?: string;
  readonly before?: string;
  readonly limit: string;
  readonly ledger?: string;
  readonly expect?: string;
}

const HEAD = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/;

export const define: Define = (command, run) => {
  command
    .argument('[action]', 'list: show the newest entries (default); verify: check that none was changed or removed', 'list')
    .option('--object <object>', 'list: only entries about this object, or source:NAME')
    .option('--since <duration>', 'list: only entries of the last 30s, 5m, 2h, 7d')
    .option('--before <number>', 'list: only entries with a smaller number, for the page behind another')
    .option('--limit <count>', 'list: at most so many', '50')
    .option('--ledger <file>', 'verify: read this ledger file instead of asking the daemon')
    .option('--expect <number:hash>', 'verify: a head that was noted earlier; the log must still hold it')
    .action((action: string, options: AuditOptions) =>
      run(async (context) => {
        if (action === 'list') return await list(options, context);
        if (action === 'verify') return await verify(options, context);
        throw usageError(`"${action}" is neither list nor verify.`);
      }),
    );
};

async function list(options: AuditOptions, context: Context): Promise<number> {
  const { client, output } = context;
  const { object, since, before } = options;
  const page = await client.audit({
    limit: wholeNumber(options.limit, '--limit', 1, 999),
    ...(before === undefined ? {} : { before: wholeNumber(before, '--before', 1, 999_999_999_999_999) }),
    ...(since === undefined ? {} : { since: Date.now() - parseDuration(since) }),
    ...(object === undefined ? {} : { object: object.startsWith('source:') ? object : refKey(await findOrSpellOut(context, object)) }),
  });
  if (await output.data(page)) return EXIT.done;
  for (const entry of page.entries.toReversed()) printEntry(entry, output);
  if (page.next !== undefined) output.note(`There are older entries: --before ${page.next}`);
  return EXIT.done;
}

function printEntry({ seq, at, actor, action, ref, detail }: AuditRecord, output: Output): void {
  const outcome = detail.outcome === undefined ? 'asked' : outcomeText(detail.outcome);
  if (!output.terminal) {
    output.line([String(seq), localTime(at), actor, action, ref, outcome, detail.summary].map(clean).join('\t'));
    return;
  }
  const { style } = output;
  const good = outcome === 'done' || outcome === 'asked' ? 'green' : 'yellow';
  output.line(`${style('dim', `${seq}  ${localTime(at)}`)}  ${style('bold', clean(ref))} ${clean(action)} ${style(good, clean(outcome))}`);
  output.line(`    ${clean(detail.summary)}`);
  const place = detail.file === undefined ? '' : `, ${detail.file}:${detail.line}`;
  const signer = detail.signer === undefined ? '' : `, signed by ${detail.signer}`;
  output.line(style('dim', `    by ${clean(`${actor}${place}${signer}`)}`));
  if (detail.causes !== undefined && detail.causes.length > 0) output.line(style('dim', `    because ${clean(detail.causes.join('; '))}`));
  for (const field of detail.fields ?? []) for (const line of fieldLines(field, '      ', style, { full: false })) output.line(line);
  for (const one of detail.objects ?? []) output.line(`      ${clean(one)}`);
}

async function verify({ ledger, expect }: AuditOptions, { client, output }: Context): Promise<number> {
  if (expect !== undefined && !HEAD.test(expect)) throw usageError('--expect must be NUMBER:HASH, as "lockstep audit verify" prints it.');
  const verdict = ledger === undefined ? await client.verifyAudit(expect) : await verifyFile(ledger, expect);
  if (!(await output.data(verdict))) printVerdict(verdict, output);
  return verdict.broken === undefined ? EXIT.done : EXIT.error;
}

async function verifyFile(path: string, expect: string | undefined): Promise<ChainVerdict> {
  const { verifyLedger } = await import('../offline/verify-ledger.ts');
  const [, seq, hash] = HEAD.exec(expect ?? '') ?? [];
  return verifyLedger(path, seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash });
}

function printVerdict({ entries, head, broken }: ChainVerdict, output: Output): void {
  if (broken !== undefined) {
    output.error(`The audit log is broken at entry ${broken.seq}: ${broken.problem}`);
    return;
  }
  output.line(`The audit log is in order: ${entries === 1 ? '1 entry' : plural(entries, 'entry', 'entries')}.`);
  if (head !== undefined) output.line(`head ${head.seq}:${head.hash}`);
}
