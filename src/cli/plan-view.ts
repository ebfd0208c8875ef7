// A plan as people think of it: objects, each with its changes, alike ones together. Text, Markdown and `diff` are printed from this.
import type { PlanChange, PlanReport } from '../api/types.ts';
import { refKey, type ResourceRef } from '../core/ref.ts';
import type { StyleName } from './output.ts';
import { clean, plural } from './text.ts';

export type Verdict = PlanChange['verdict'];
export type Field = PlanChange['fields'][number];

interface Sign {
  readonly text: string;
  readonly style: StyleName;
  /** What it means, for the legend. */
  readonly word: string;
  /** Of several changes of an object, the heading shows the weightiest. */
  readonly weight: number;
}

export const SIGNS: Readonly<Record<Verdict, Sign>> = {
  delete: { text: '-', style: 'red', word: 'delete', weight: 8 },
  create: { text: '+', style: 'green', word: 'create', weight: 7 },
  recreate: { text: '-/+', style: 'magenta', word: 'replace', weight: 6 },
  rename: { text: '!', style: 'yellow', word: 'rename', weight: 5.5 },
  restart: { text: '!', style: 'yellow', word: 'restart', weight: 5 },
  power: { text: '~', style: 'yellow', word: 'change', weight: 4 },
  replug: { text: '~', style: 'yellow', word: 'change', weight: 3 },
  repair: { text: '~', style: 'cyan', word: 'change', weight: 2 },
  live: { text: '~', style: 'yellow', word: 'change', weight: 1 },
};

export interface ObjectPlan {
  readonly ref: ResourceRef;
  readonly verdict: Verdict;
  readonly changes: readonly PlanChange[];
  /** Others that are changed in the very same way. */
  readonly alike: readonly ResourceRef[];
}

export interface PlanView {
  readonly objects: readonly ObjectPlan[];
  /** Planned with or without the files that were given. */
  readonly pending: readonly ObjectPlan[];
}

/** So many objects with the same changes are shown as one. */
const ALIKE = 4;

export function viewPlan(report: PlanReport, { fold }: { readonly fold: boolean }): PlanView {
  const split = (pending: boolean): ObjectPlan[] => {
    const objects = byObject(report.changes.filter((change) => (change.pending === true) === pending));
    return fold ? folded(objects) : objects;
  };
  return { objects: split(false), pending: split(true) };
}

/** Changes by object, in the order of the plan. */
function byObject(changes: readonly PlanChange[]): ObjectPlan[] {
  const groups = Map.groupBy(changes, (change) => refKey(change.ref));
  return [...groups.values()].map((group) => {
    const verdict = group.reduce<Verdict>(
      (heaviest, { verdict: next }) => (SIGNS[next].weight > SIGNS[heaviest].weight ? next : heaviest),
      group[0]?.verdict ?? 'live',
    );
    return { ref: group[0]!.ref, verdict, changes: told(group), alike: [] };
  });
}

/** A field that two changes of an object name is shown at the weightier one. */
function told(changes: readonly PlanChange[]): PlanChange[] {
  const shownAt = new Map<string, number>();
  for (const [index, { fields, verdict }] of changes.entries()) {
    for (const { field } of fields) {
      const other = shownAt.get(field);
      if (other === undefined || SIGNS[verdict].weight > SIGNS[changes[other]!.verdict].weight) shownAt.set(field, index);
    }
  }
  return changes.map((change, index) => ({ ...change, fields: change.fields.filter(({ field }) => shownAt.get(field) === index) }));
}

function folded(objects: readonly ObjectPlan[]): ObjectPlan[] {
  const groups = Map.groupBy(objects, ({ ref, changes }) => JSON.stringify([ref.kind, changes.map(withoutPlace)]));
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group;
    return group.length < ALIKE || first === undefined ? group : [{ ...first, alike: others.map(({ ref }) => ref) }];
  });
}

/** What was timed differs from instance to instance. */
function withoutPlace({
  ref: _ref,
  file: _file,
  line: _line,
  downtime: _downtime,
  expectedDowntimeMs: _ms,
  ...change
}: PlanChange): unknown {
  return change;
}

/** `1 restarts`, `2 are replaced`: what a reader must not miss. */
export function hardParts(report: PlanReport): string[] {
  const { restart, recreate } = report.counts;
  return [
    restart === 0 ? '' : `${restart} ${restart === 1 ? 'restarts' : 'restart'}`,
    recreate === 0 ? '' : `${recreate} ${recreate === 1 ? 'is' : 'are'} replaced`,
  ].filter((part) => part !== '');
}

/** `Plan: 2 to create, 1 to change (1 restarts), 0 to delete.` */
export function summaryLine(report: PlanReport): string {
  const errors = report.problems.filter((problem) => problem.severity === 'error').length;
  const broken = errors === 0 ? '' : `The manifests have ${errors} ${errors === 1 ? 'error' : 'errors'}`;
  const { create, change, delete: remove } = report.counts;
  const pending = new Set(report.changes.filter((one) => one.pending === true).map(({ ref }) => refKey(ref))).size;
  const besides = pending === 0 ? '' : ` ${pending} more ${pending === 1 ? 'is' : 'are'} being changed anyway.`;
  const unread = report.unknown.length === 0 ? '' : ` ${report.unknown.length} cannot be read.`;
  if (create + change + remove === 0) {
    if (broken !== '') return `${broken}; apart from that, no changes.${besides}${unread}`;
    if (pending > 0) return `No changes by these manifests.${besides}${unread}`;
    return report.unknown.length === 0 ? 'No changes: the host is as declared.' : `No changes to what can be read.${unread}`;
  }
  const hard = hardParts(report);
  const tail = hard.length === 0 ? '' : ` (${hard.join(', ')})`;
  const counts = `Plan: ${create} to create, ${change} to change${tail}, ${remove} to delete.`;
  return `${counts}${besides}${unread}${broken === '' ? '' : ` ${broken}.`}`;
}

/** Per list of deletions that will wait for a person: why, and what to do. */
export function confirmationLines(report: PlanReport): { readonly why: string; readonly what: string }[] {
  return report.confirmations.map(({ objects, protected: kept, reason, command }) => {
    const after = `Once this is in force, run on the host: ${clean(command)}`;
    if (objects.length === 0) return { why: clean(reason), what: `${after} (to have them deleted all the same)` };
    const stay = kept.length === 0 ? '' : ` ${plural(kept.length, 'more is', 'more are')} protected and will stay.`;
    return { why: `${clean(reason)}${stay}`, what: `Until somebody agrees, none of them is deleted. ${after}` };
  });
}
