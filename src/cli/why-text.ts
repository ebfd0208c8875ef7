// `lockstep why` for a person: first what is the matter and what is behind it, then where it comes from and what was done last.
import type { HistoryRun, Why, WhyRule } from '../api/types.ts';
import { shortRef } from './kind-words.ts';
import type { Style } from './output.ts';
import { age, clean, localTime } from './text.ts';

const SHORT_REVISION = 12;

export function whyLines(why: Why, now: number, style: Style): string[] {
  const lines: string[] = [];
  const pair = (name: string, text: string): void => void lines.push(`  ${name.padEnd(12)} ${clean(text)}`);
  const more = (text: string): void => void lines.push(`  ${''.padEnd(12)} ${style('dim', clean(text))}`);

  lines.push(headline(why, style), '');
  pair('because', why.rule.message);
  if (why.rule.meaning !== undefined && why.rule.reason !== 'UpToDate') more(why.rule.meaning);
  const { since, until } = why.rule;
  if (since !== undefined) pair('since', timeText(since, now));
  if (until !== undefined) pair('next look', until <= now ? 'now' : `${localTime(until)} (in ${age(now, until)})`);
  if (why.chain.length > 0) lines.push('', ...chainLines(why, style));
  lines.push('');
  if (why.declared === undefined) pair('declared', 'by no source');
  else {
    const { file, line, source, location, revision, changedIn, signer, by, byAt } = why.declared;
    pair('declared', `${file}:${line}`);
    pair('source', `"${source}"${location === undefined ? '' : ` (${location})`}`);
    if (revision !== undefined) pair('revision', revisionText(revision) + appliedText(why.observedRevision, revision));
    if (changedIn !== undefined && changedIn !== revision) pair('changed in', revisionText(changedIn));
    if (signer !== undefined) pair('signed by', signer);
    if (by !== undefined) pair('put there by', `${by}${byAt === undefined ? '' : `, ${timeText(byAt, now)}`}`);
  }
  if (why.lastRun !== undefined) {
    lines.push('');
    lines.push(...lastRunLines(why.lastRun, now).map(([name, text]) => `  ${name.padEnd(12)} ${clean(text)}`));
  }
  if (why.lastLook !== undefined) {
    pair('last look', timeText(why.lastLook.at, now));
    const [first, ...others] = why.lastLook.causes.map((cause) => cause.text);
    if (first !== undefined) pair('', `because ${[first, ...others].join('; ')}`);
  }
  for (const note of why.notes) lines.push('', `  ${style('yellow', 'note:')} ${clean(note)}`);
  return lines;
}

function headline({ ref, ready, rule }: Why, style: Style): string {
  const name = style('bold', clean(shortRef(ref)));
  if (ready === undefined) return `${name} ${style('yellow', 'is not there')}`;
  const word =
    ready.status === 'True'
      ? style('green', 'is ready')
      : ready.status === 'False'
        ? style('red', 'is not ready')
        : style('yellow', 'is not known');
  const reason = ready.status === 'True' && rule.reason === 'UpToDate' ? ready.reason : rule.reason;
  return `${name} ${word}: ${clean(reason)}`;
}

/** Each link below what waits for it, down to what nobody else is behind. */
function chainLines({ ref, chain, chainCut }: Why, style: Style): string[] {
  const depth = new Map([[shortRef(ref), 0]]);
  const lines = [`  ${style('bold', 'It waits for')}`];
  for (const { from, ref: to, asked, rule, root } of chain) {
    const level = (depth.get(shortRef(from)) ?? 0) + 1;
    depth.set(shortRef(to), level);
    const indent = '  '.repeat(level + 1);
    const place = asked === undefined ? '' : ` (${asked.field}, ${asked.file}:${asked.line})`;
    lines.push(`${indent}${clean(shortRef(to))}${style('dim', clean(place))}`);
    const mark = root ? style('red', 'root cause: ') : '';
    lines.push(`${indent}  ${mark}${clean(`${rule.reason}: ${rule.message}${placeText(rule)}`)}`);
  }
  if (chainCut) lines.push('    ... and more');
  return lines;
}

function lastRunLines(run: HistoryRun, now: number): [string, string][] {
  const took = run.durationMs === null ? '' : ` in ${(run.durationMs / 1000).toFixed(1)} s`;
  const lines: [string, string][] = [
    [
      'last change',
      `${timeText(run.openedAt, now)}: ${outcomeText(run.outcome)}${took}${run.revision === '' ? '' : `, revision ${revisionText(run.revision)}`}`,
    ],
  ];
  for (const change of run.changes)
    lines.push(['', `- ${change.summary}${change.outcome === 'done' ? '' : ` (${outcomeText(change.outcome)})`}`]);
  if (run.causes.length > 0) lines.push(['', `because ${run.causes.join('; ')}`]);
  return lines;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  waiting: 'begun',
  dropped: 'no longer needed',
  superseded: 'overtaken by a newer revision',
  'not-started': 'not started',
  interrupted: 'interrupted by the end of the daemon',
};

export function outcomeText(outcome: string | null): string {
  return outcome === null ? 'under way' : (OUTCOMES[outcome] ?? outcome);
}

export function revisionText(revision: string): string {
  return revision.slice(0, SHORT_REVISION);
}

function appliedText(applied: string | undefined, declared: string): string {
  if (applied === declared) return ', applied';
  return applied === undefined ? ', not applied yet' : `, not applied yet (applied: ${revisionText(applied)})`;
}

function placeText({ file, line }: WhyRule): string {
  return file === undefined ? '' : ` (${file}:${line})`;
}

function timeText(at: number, now: number): string {
  return `${localTime(at)} (${age(at, now)} ago)`;
}
