// A plan for people: what the signs mean, per object a heading with a sign, below it each change with its fields, then a summary line.
import type { PlanReport } from '../api/types.ts';
import { refText, type ResourceRef } from '../core/ref.ts';
import { fieldLines } from './field-text.ts';
import type { Style } from './output.ts';
import { confirmationLines, type ObjectPlan, SIGNS, summaryLine, viewPlan } from './plan-view.ts';
import { problemLines } from './problem-text.ts';
import { clean, plural } from './text.ts';

export interface PlanTextOptions {
  /** Every object by itself, unchanged ones too, values in full. */
  readonly verbose: boolean;
}

/** Names of alike objects that are listed. */
const NAMED = 6;

export function planText(report: PlanReport, style: Style, { verbose }: PlanTextOptions): string[] {
  const { objects, pending } = viewPlan(report, { fold: !verbose });
  const lines: string[] = [];
  if (objects.length + pending.length > 0) lines.push(legend([...objects, ...pending], style), '');
  for (const object of objects) lines.push(...objectLines(object, style, verbose), '');
  if (pending.length > 0) {
    lines.push(style('bold', 'With or without these manifests:'), '');
    for (const object of pending) lines.push(...objectLines(object, style, verbose), '');
  }
  for (const unknown of report.unknown) {
    lines.push(
      `${style('yellow', '  ?')} ${clean(refText(unknown.ref))} ${style('dim', `cannot be read, so nothing is planned for it: ${clean(unknown.because)}`)}`,
    );
  }
  if (report.unknown.length > 0) lines.push('');
  if (verbose && report.unchanged.length > 0) {
    for (const ref of report.unchanged) lines.push(style('dim', `    ${clean(refText(ref))}: as declared`));
    lines.push('');
  }
  lines.push(...problemLines(report.problems, style));
  if (report.problems.length > 0) lines.push('');
  const confirmations = confirmationLines(report);
  for (const { why, what } of confirmations) lines.push(`${style('yellow', 'Needs a confirmation:')} ${why}`, `  ${what}`);
  if (confirmations.length > 0) lines.push('');
  lines.push(style('bold', summaryLine(report)));
  return lines;
}

/** Only the signs that are there. */
function legend(objects: readonly ObjectPlan[], style: Style): string {
  const signs = objects.flatMap(({ changes }) => changes.map(({ verdict }) => SIGNS[verdict])).toSorted((a, b) => a.weight - b.weight);
  const words = new Map(signs.map(({ text, word, style: colour }) => [text, `${style(colour, text)} ${word}`]));
  return [...words.values()].join('   ');
}

export function objectLines(object: ObjectPlan, style: Style, full: boolean): string[] {
  const sign = SIGNS[object.verdict];
  const lines = [`${style(sign.style, sign.text.padStart(3))} ${headingOf(object, style)}`];
  for (const change of object.changes) {
    const own = SIGNS[change.verdict];
    const downtime = change.downtime === undefined ? '' : `  ${style('yellow', `(downtime ${clean(change.downtime)})`)}`;
    lines.push(`    ${style(own.style, own.text.padStart(3))} ${clean(change.summary)}${downtime}`);
    for (const field of change.fields) lines.push(...fieldLines(field, ' '.repeat(8), style, { full }));
    if (change.waitsFor !== undefined) lines.push(`        ${style('dim', `waits for ${clean(change.waitsFor)}`)}`);
  }
  return lines;
}

function headingOf({ ref, changes, alike }: ObjectPlan, style: Style): string {
  if (alike.length > 0) return style('bold', namesOf([ref, ...alike]));
  const at = changes.find((change) => change.file !== undefined);
  const place = at?.file === undefined ? '' : `  ${style('dim', `${clean(at.file)}${at.line === undefined ? '' : `:${at.line}`}`)}`;
  return `${style('bold', clean(refText(ref)))}${place}`;
}

/** `40 x Instance "a", "b", "c" and 37 more`. */
export function namesOf(refs: readonly ResourceRef[]): string {
  const names = refs.slice(0, NAMED).map(({ name }) => `"${clean(name)}"`);
  const more = refs.length > NAMED ? ` and ${plural(refs.length - NAMED, 'more', 'more')}` : '';
  return `${refs.length} x ${refs[0]!.kind} ${names.join(', ')}${more}`;
}
