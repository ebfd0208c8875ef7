// A plan as a comment on a change request: what must not be missed first, then the summary, then each object behind a fold. Names and
// values are other people's text: none of it may become markup, and the whole stays below what forges take.
import type { PlanReport } from '../api/types.ts';
import { refText } from '../core/ref.ts';
import type { Style } from './output.ts';
import { namesOf, objectLines } from './plan-text.ts';
import { confirmationLines, type ObjectPlan, SIGNS, summaryLine, type Verdict, viewPlan } from './plan-view.ts';
import { problemLines } from './problem-text.ts';
import { clean, plural } from './text.ts';

/** GitHub refuses a comment of more than 65,536 characters. Counted in bytes here, which are never fewer, with room for a heading of one's own. */
const MAX_BYTES = 60_000;
/** Problems that are listed. */
const MAX_PROBLEMS = 50;
/** So few objects are shown unfolded. */
const OPEN_OBJECTS = 3;

const plain: Style = (_name, text) => text;

const WARNINGS: readonly (readonly [Verdict, string])[] = [
  ['delete', 'is deleted'],
  ['recreate', 'is replaced'],
  ['rename', 'is renamed and restarts'],
  ['restart', 'restarts'],
];

export function planMarkdown(report: PlanReport): string[] {
  const { objects, pending } = viewPlan(report, { fold: true });
  const lines = ['### Lockstep plan', '', ...confirmationQuote(report), ...warningLines(objects), `**${escape(summaryLine(report))}**`];
  lines.push(...problemList(report));
  if (report.unknown.length > 0) {
    const names = report.unknown.map(({ ref, because }) => `- ${escape(`${refText(ref)}: ${because}`)}`);
    lines.push('', 'These cannot be read, so nothing is planned for them:', '', ...names);
  }
  // The heaviest first: what does not fit any more is the least.
  const blocks = objects
    .toSorted((a, b) => SIGNS[b.verdict].weight - SIGNS[a.verdict].weight)
    .map((object) => block(object, objects.length <= OPEN_OBJECTS));
  return fit(lines, [...blocks, ...pendingBlock(pending)]);
}

/** A block quote of alerts: GitHub, GitLab and Forgejo draw `[!WARNING]` as one, others as a quote. */
function warningLines(objects: readonly ObjectPlan[]): string[] {
  const lines = WARNINGS.flatMap(([verdict, words]) =>
    objects
      .filter((object) => object.verdict === verdict)
      .map((object) => {
        const downtime = object.changes.find((change) => change.downtime !== undefined)?.downtime;
        const shown = downtime === undefined || object.alike.length > 0 ? '' : ` (downtime ${downtime})`;
        const waits = verdict === 'delete' ? object.changes.find((change) => change.waitsFor !== undefined)?.waitsFor : undefined;
        const held = waits === undefined ? '' : `, but waits for ${clean(waits)}`;
        return `> - ${escape(`${nameOf(object)} ${object.alike.length > 0 ? words.replace(/^is /, 'are ').replace(/s$/, '') : words}${shown}${held}`)}`;
      }),
  );
  if (lines.length === 0) return [];
  const shown = lines.length <= MAX_PROBLEMS ? lines : [...lines.slice(0, MAX_PROBLEMS), `> - and ${lines.length - MAX_PROBLEMS} more`];
  return ['> [!WARNING]', ...shown, ''];
}

/** An alert of its own: merging it is not all that has to be done. */
function confirmationQuote(report: PlanReport): string[] {
  const lines = confirmationLines(report).map(({ why, what }) => `> - **Needs a confirmation:** ${escape(why)} ${escape(what)}`);
  return lines.length === 0 ? [] : ['> [!CAUTION]', ...lines, ''];
}

function nameOf({ ref, alike }: ObjectPlan): string {
  return alike.length === 0 ? clean(refText(ref)) : namesOf([ref, ...alike]);
}

function block(object: ObjectPlan, open: boolean): string[] {
  const [, ...lines] = objectLines(object, plain, false);
  const place = object.changes.find((change) => change.file !== undefined);
  const at =
    place?.file === undefined || object.alike.length > 0 ? '' : ` (${place.file}${place.line === undefined ? '' : `:${place.line}`})`;
  const body = lines.map((line) => coloured(line));
  const fence = '`'.repeat(Math.max(3, ...body.map((line) => longestRun(line) + 1)));
  return [
    `<details${open ? ' open' : ''}><summary><code>${SIGNS[object.verdict].text}</code> ${escapeHtml(`${nameOf(object)}${clean(at)}`)}</summary>`,
    '',
    `${fence}diff`,
    ...body,
    fence,
    '',
    '</details>',
  ];
}

function pendingBlock(pending: readonly ObjectPlan[]): string[][] {
  if (pending.length === 0) return [];
  const items = pending.map((object) => `- ${escape(nameOf(object))}`);
  return [['<details><summary>With or without these manifests</summary>', '', ...items.slice(0, MAX_PROBLEMS), '', '</details>']];
}

/** In a diff block the first character decides the colour: that of the sign inside the line. */
function coloured(line: string): string {
  const sign = /^\s*(-\/\+|[-+~!?])\s/.exec(line)?.[1] ?? ' ';
  return `${sign === '-/+' || sign === '~' ? '!' : sign}${line.startsWith('    ') ? line.slice(4) : line}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

function problemList(report: PlanReport): string[] {
  if (report.problems.length === 0) return [];
  const shown = report.problems.slice(0, MAX_PROBLEMS);
  const more = report.problems.length - shown.length;
  const lines = problemLines(shown, plain).map((line) => (line.startsWith(' ') ? `  ${escape(line.trim())}` : `- ${escape(line)}`));
  return ['', ...lines, ...(more === 0 ? [] : [`- and ${more} more`])];
}

function fit(head: readonly string[], blocks: readonly (readonly string[])[]): string[] {
  const lines = [...head];
  let bytes = Buffer.byteLength(lines.join('\n'));
  for (const [index, one] of blocks.entries()) {
    const size = Buffer.byteLength(one.join('\n')) + 2;
    if (bytes + size > MAX_BYTES) {
      return [...lines, '', `${plural(blocks.length - index, 'more block does', 'more blocks do')} not fit here: see \`lockstep plan\`.`];
    }
    lines.push('', ...one);
    bytes += size;
  }
  return lines;
}

/** Text that must not become markup. */
function escape(text: string): string {
  return text.replace(/[\\`*_[\]<>|#~&@]/g, (character) => (character === '@' ? '&#64;' : `\\${character}`));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"@]/g, (character) => `&#${character.charCodeAt(0)};`);
}
