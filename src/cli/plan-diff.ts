// A plan as a unified diff: per object what the host has and what the manifests say, for `lockstep diff`, pagers and patch readers.
import type { PlanReport } from '../api/types.ts';
import { refKey } from '../core/ref.ts';
import { lineDiff } from './line-diff.ts';
import type { Style } from './output.ts';
import { type Field, type ObjectPlan, viewPlan } from './plan-view.ts';
import { clean } from './text.ts';

export function planDiff(report: PlanReport, style: Style): string[] {
  const { objects, pending } = viewPlan(report, { fold: false });
  return [...objects, ...pending].flatMap((object) => objectDiff(object, style));
}

function objectDiff({ ref, verdict, changes }: ObjectPlan, style: Style): string[] {
  const name = clean(refKey(ref));
  const at = changes.find(({ file }) => file !== undefined);
  const place = at?.file === undefined ? name : `${clean(at.file)}${at.line === undefined ? '' : `:${at.line}`}`;
  const lines = [
    style('bold', `--- ${verdict === 'create' ? '/dev/null' : `host/${name}`}`),
    style('bold', `+++ ${verdict === 'delete' ? '/dev/null' : place}`),
  ];
  for (const change of changes) {
    lines.push(style('cyan', `@@ ${clean(change.summary)} @@`));
    for (const field of change.fields) lines.push(...fieldDiff(field, style));
  }
  return lines;
}

function fieldDiff({ field, from, to, knownAfterApply }: Field, style: Style): string[] {
  const name = clean(field);
  const minus = (text: string): string => style('red', `-${text}`);
  const plus = (text: string): string => style('green', `+${text}`);
  if (from?.includes('\n') || to?.includes('\n')) {
    const body = lineDiff(from ?? '', to ?? '').map(({ sign, text }) => {
      if (sign === '@') return '   ...';
      return sign === '-' ? minus(`  ${clean(text)}`) : sign === '+' ? plus(`  ${clean(text)}`) : `   ${clean(text)}`;
    });
    return [` ${name}: |`, ...body];
  }
  return [
    ...(from === undefined ? [] : [minus(`${name}: ${clean(from)}`)]),
    ...(knownAfterApply === true ? [plus(`${name}: (known after apply)`)] : to === undefined ? [] : [plus(`${name}: ${clean(to)}`)]),
  ];
}
