// What is written into the audit log: every change that was carried out, that failed in a new way or whose end nobody saw, and every
// request that changes something. Pure.
import type { AuditDetail } from '../core/audit-detail.ts';
import { causeText } from '../core/cause.ts';
import { fieldDifferences, shortValue } from '../core/field-diff.ts';
import { canonicalJson } from '../core/hash.ts';
import { type RefKey, refKey, type ResourceRef } from '../core/ref.ts';
import type { FieldChange } from '../kinds/kind.ts';
import type { AuditEntry, IntentRow } from '../state/ledger.ts';
import { appliedOf, parseRecordedChange } from './recording.ts';
import { type AnyChange, describe, type ObjectPlan } from './plan.ts';
import type { PlannedStep } from '../kinds/kind.ts';
import type { Tracked } from './tracker.ts';

export type NewAuditEntry = Omit<AuditEntry, 'seq' | 'hash'>;

type Fingerprint = (secret: string) => string;

/** A change of the reconciler's, by what asked for it: the manifest, its revision, and whoever signed that. */
export function changeEntry(
  tracked: Tracked,
  plan: ObjectPlan,
  step: PlannedStep<AnyChange>,
  outcome: string,
  at: number,
  fingerprint: Fingerprint,
): NewAuditEntry {
  const { desired } = plan;
  const { verdict, summary, fields } = describe(plan, step);
  const source = desired?.source ?? tracked.row.source;
  const origin = desired?.document.origin;
  // A kind that tells nothing of what it makes or deletes.
  const whole = fields.length === 0 && (verdict === 'create' || verdict === 'delete') ? wholeSpec(tracked, plan, verdict, fingerprint) : [];
  const detail: AuditDetail = {
    summary,
    outcome,
    fields: [...fields.map(shortField), ...whole],
    source,
    ...(desired === undefined ? {} : { revision: desired.revision }),
    ...(origin === undefined ? {} : { file: origin.file, line: origin.line }),
    ...(desired?.signer === undefined ? {} : { signer: desired.signer }),
    causes: (tracked.trace.acted?.causes ?? []).map(causeText),
  };
  return { at, actor: sourceActor(source, desired?.revision), action: step.change.do, ref: tracked.key, detail: canonicalJson(detail) };
}

/** A change that was begun before the daemon ended, and whose end it did not see. */
export function interruptedEntry(intent: IntentRow, at: number): NewAuditEntry {
  const { change, summary, fields, source, causes } = parseRecordedChange(intent.change);
  const detail: AuditDetail = {
    summary,
    outcome: 'interrupted',
    fields: fields.map(shortField),
    causes,
    ...(source === undefined ? {} : { source }),
  };
  return { at, actor: sourceActor(source ?? '', intent.revision), action: change, ref: intent.ref, detail: canonicalJson(detail) };
}

/** Somebody asked for something through the API. */
export function requestEntry(
  request: { readonly at: number; readonly actor: string; readonly action: string; readonly ref: ResourceRef | RefKey | string },
  detail: AuditDetail,
): NewAuditEntry {
  const { at, actor, action, ref } = request;
  return { at, actor, action, ref: typeof ref === 'string' ? ref : refKey(ref), detail: canonicalJson(detail) };
}

/** What stands in the log for an object that is made or deleted: all of its spec, secrets as fingerprints. */
function wholeSpec(tracked: Tracked, plan: ObjectPlan, verdict: 'create' | 'delete', fingerprint: Fingerprint): readonly FieldChange[] {
  if (verdict === 'create')
    return plan.desired === undefined ? [] : fieldDifferences(undefined, plan.kind.redact(plan.desired.spec, fingerprint));
  return fieldDifferences(appliedOf(tracked.row)?.spec, undefined);
}

function shortField({ field, from, to, ...more }: FieldChange): FieldChange {
  return { field, ...more, ...(from === undefined ? {} : { from: shortValue(from) }), ...(to === undefined ? {} : { to: shortValue(to) }) };
}

function sourceActor(source: string, revision: string | undefined): string {
  return revision === undefined || revision === '' ? `source:${source}` : `source:${source}@${revision}`;
}
