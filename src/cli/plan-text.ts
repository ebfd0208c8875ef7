// A plan for people: per object a heading with a sign, below it each change with its fields as `from -> to`, then a summary line.
import type { PlanChange, PlanReport } from '../api/types.ts';
import { refKey, refText, type ResourceRef } from '../core/ref.ts';
import type { Style, StyleName } from './output.ts';
import { problemLines } from './problem-text.ts';
import { clean, plural } from './text.ts';

type Verdict = PlanChange['verdict'];

interface Sign {
  readonly text: string;
  readonly style: StyleName;
  /** Of several changes of an object, the heading shows the weightiest. */
  readonly weight: number;
}

const SIGNS: Readonly<Record<Verdict, Sign>> = {
  delete: { text: '-', style: 'red', weight: 8 },
  create: { text: '+', style: 'green', weight: 7 },
  recreate: { text: '-/+', style: 'magenta', weight: 6 },
  restart: { text: '!', style: 'yellow', weight: 5 },
  power: { text: '~', style: 'yellow', weight: 4 },
  replug: { text: '~', style: 'yellow', weight: 3 },
  repair: { text: '~', style: 'cyan', weight: 2 },
  live: { text: '~', style: 'yellow', weight: 1 },
};

interface ObjectPlan {
  readonly ref: ResourceRef;
  readonly verdict: Verdict;
  readonly changes: readonly PlanChange[];
}

export interface PlanCounts {
  readonly create: number;
  readonly change: number;
  readonly delete: number;
  readonly restart: number;
  readonly recreate: number;
}

/** Changes by object, in the order of the plan. */
function byObject(changes: readonly PlanChange[]): ObjectPlan[] {
  const groups = Map.groupBy(changes, (change) => refKey(change.ref));
  return [...groups.values()].map((group) => {
    const verdict = group.reduce<Verdict>(
      (heaviest, { verdict: next }) => (SIGNS[next].weight > SIGNS[heaviest].weight ? next : heaviest),
      group[0]?.verdict ?? 'live',
    );
    return { ref: group[0]!.ref, verdict, changes: group };
  });
}

/** Counts objects, not changes. */
export function countPlan(report: PlanReport): PlanCounts {
  const verdicts = byObject(report.changes).map((one) => one.verdict);
  const count = (...of: Verdict[]) => verdicts.filter((verdict) => of.includes(verdict)).length;
  return {
    create: count('create'),
    delete: count('delete'),
    change: verdicts.length - count('create', 'delete'),
    restart: count('restart'),
    recreate: count('recreate'),
  };
}

/** `Plan: 3 to create, 1 to change, 0 to delete.` */
export function summaryLine(report: PlanReport): string {
  const errors = report.problems.filter((problem) => problem.severity === 'error').length;
  const broken = errors === 0 ? '' : `The manifests have ${plural(errors, 'error')}`;
  if (report.changes.length === 0)
    return broken === '' ? 'No changes: the host is as declared.' : `${broken}; apart from that, no changes.`;
  const counts = countPlan(report);
  const hard = [
    counts.recreate > 0 ? plural(counts.recreate, 'is', 'are') + ' replaced' : '',
    counts.restart > 0 ? plural(counts.restart, 'restarts', 'restart') : '',
  ].filter((part) => part !== '');
  const tail = hard.length === 0 ? '' : ` Of these, ${hard.join(' and ')}.`;
  return `Plan: ${counts.create} to create, ${counts.change} to change, ${counts.delete} to delete.${tail}${broken === '' ? '' : ` ${broken}.`}`;
}

export function planText(report: PlanReport, style: Style): string[] {
  const lines: string[] = [];
  for (const object of byObject(report.changes)) lines.push(...objectLines(object, style), '');
  for (const unknown of report.unknown) {
    lines.push(
      `${style('yellow', '  ?')} ${clean(refText(unknown.ref))} ${style('dim', `cannot be read, so nothing is planned for it: ${clean(unknown.because)}`)}`,
    );
  }
  if (report.unknown.length > 0) lines.push('');
  lines.push(...problemLines(report.problems, style));
  if (report.problems.length > 0) lines.push('');
  lines.push(style('bold', summaryLine(report)));
  return lines;
}

function objectLines(object: ObjectPlan, style: Style): string[] {
  const sign = SIGNS[object.verdict];
  const at = object.changes.find((change) => change.file !== undefined);
  const place = at?.file === undefined ? '' : `  ${style('dim', `${clean(at.file)}${at.line === undefined ? '' : `:${at.line}`}`)}`;
  const lines = [`${style(sign.style, sign.text.padStart(3))} ${style('bold', clean(refText(object.ref)))}${place}`];
  for (const change of object.changes) {
    const own = SIGNS[change.verdict];
    const downtime = change.downtime === undefined ? '' : `  ${style('yellow', `(downtime ${clean(change.downtime)})`)}`;
    lines.push(`    ${style(own.style, own.text.padStart(3))} ${clean(change.summary)}${downtime}`);
    for (const field of change.fields) lines.push(`          ${clean(field.field)}: ${fieldText(field)}`);
    if (change.waitsFor !== undefined) lines.push(`          ${style('dim', `waits for ${clean(change.waitsFor)}`)}`);
  }
  return lines;
}

function fieldText(field: { readonly from?: string; readonly to?: string }): string {
  const show = (value: string | undefined) => (value === undefined ? '(not set)' : clean(value));
  return field.from === undefined ? show(field.to) : `${show(field.from)} -> ${show(field.to)}`;
}

const plainStyle: Style = (_name, text) => text;

/** For a comment on a change request. A diff block gives the signs their colours where the forge knows how. */
export function planMarkdown(report: PlanReport): string[] {
  const lines = ['### Lockstep plan', '', summaryLine(report)];
  if (report.changes.length > 0 || report.unknown.length > 0) {
    lines.push('', '```diff');
    for (const object of byObject(report.changes)) {
      for (const line of objectLines(object, plainStyle)) lines.push(diffLine(line, object.verdict).replaceAll('```', "'''"));
    }
    for (const unknown of report.unknown)
      lines.push(`# ${clean(refText(unknown.ref))} cannot be read: ${clean(unknown.because)}`.replaceAll('```', "'''"));
    lines.push('```');
  }
  if (report.problems.length > 0) {
    lines.push(
      '',
      ...problemLines(report.problems, plainStyle).map((line) => (line.startsWith(' ') ? `  ${escape(line.trim())}` : `- ${escape(line)}`)),
    );
  }
  return lines;
}

function diffLine(line: string, verdict: Verdict): string {
  const first = verdict === 'create' ? '+' : verdict === 'delete' ? '-' : '!';
  return `${first}${line}`;
}

/** Text that must not become markup. */
function escape(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, (character) => `\\${character}`);
}
