// What is remembered of an object's drift between looks: what is found now, since when, what was last repaired, and how often. Told to
// people as events and as the condition `Drifted`. In memory; the repairs are read back from the ledger's intents after a restart.
import type { EventSink } from '../core/events.ts';
import { causeText } from '../core/cause.ts';
import type { Condition } from '../core/object-status.ts';
import type { Reason } from '../core/reasons.ts';
import { type RefKey, refText } from '../core/ref.ts';
import type { FieldChange } from '../kinds/kind.ts';
import type { Ledger, ObjectRow } from '../state/ledger.ts';
import type { DesiredObject } from './desired.ts';
import { type Basis, basisOf, declaredMode, type DriftContext, type DriftMode, driftText, fieldKeys } from './drift.ts';
import { FIGHT_WINDOW_MS, withRepair } from './fight.ts';
import type { ObjectPlan } from './plan.ts';
import { parseRecordedChange } from './recording.ts';
import type { Tracked, Tracker } from './tracker.ts';

export interface FoundDrift {
  /** When it was first seen (epoch ms). */
  readonly since: number;
  readonly how: 'Repairing' | 'ReportOnly' | 'Fight';
  readonly text: string;
  /** The same as sentences, with what is done about it. */
  readonly message: string;
  /** `from`: as it is; `to`: as it should be. */
  readonly fields: readonly FieldChange[];
}

export interface RepairedDrift extends FoundDrift {
  readonly at: number;
}

export class DriftRecord {
  /** As recorded with what was last applied; '' while a change is under way, undefined before the first. */
  basis: string | undefined;
  found: FoundDrift | undefined;
  repaired: RepairedDrift | undefined;
  readonly repairs = new Map<string, readonly number[]>();
  readonly fights = new Map<string, number>();

  constructor(row: ObjectRow) {
    this.basis = row.applied === null ? undefined : (JSON.parse(row.applied) as { basis?: string }).basis;
  }

  /** It is as declared under this basis; '' while a change of what is declared is under way, which also ends every count. */
  settle(basis: string): void {
    this.basis = basis;
    if (basis === '') this.forgive();
  }

  /** The condition `Drifted`, for people. */
  condition(): Pick<Condition, 'status' | 'message'> & { readonly reason: Reason } {
    const { found, repaired } = this;
    if (found !== undefined) return { status: 'True', reason: found.how, message: found.message };
    if (repaired === undefined) return { status: 'False', reason: 'AsDeclared', message: '' };
    const seconds = ((repaired.at - repaired.since) / 1000).toFixed(1);
    return {
      status: 'False',
      reason: 'Repaired',
      message: `Put right at ${isoSecond(repaired.at)}, after ${seconds} s: ${repaired.text}.`,
    };
  }

  /** A change of its drift was carried out. */
  noteRepair(change: string, fields: readonly FieldChange[], at: number): void {
    for (const key of fieldKeys(change, fields)) this.repairs.set(key, withRepair(this.repairs.get(key) ?? [], at));
  }

  /** Its manifest changed, or somebody asked for another try: what was fought over is repaired again. True when there was anything. */
  forgive(): boolean {
    const any = this.repairs.size > 0 || this.fights.size > 0;
    this.repairs.clear();
    this.fights.clear();
    return any;
  }
}

/** For the plan: what is known of each object's drift. */
export function driftContexts(
  tracked: (key: RefKey) => Tracked | undefined,
  desired: { get(key: RefKey): DesiredObject | undefined },
  basis: Basis,
  modeOfSource: (source: string) => DriftMode,
): (object: DesiredObject) => DriftContext | undefined {
  return (object) => {
    const record = tracked(object.key)?.drift;
    if (record?.basis === undefined || record.basis !== basisOf(object, desired, basis)) return undefined;
    return { mode: declaredMode(object) ?? modeOfSource(object.source), repairs: record.repairs, fights: record.fights };
  };
}

/** After a look: takes over what it found and tells people of what is new. */
export function noteDrift(tracked: Tracked, planned: ObjectPlan, now: number, events: EventSink): void {
  const record = tracked.drift;
  if (planned.unknown !== undefined) return;
  for (const [key, until] of record.fights) if (until <= now) record.fights.delete(key);
  const before = record.found;
  if (planned.drift.length === 0) {
    // A change that is under way puts it right, too: then the look after it says so.
    if (before === undefined || planned.readiness === undefined) return;
    record.found = undefined;
    record.repaired = { ...before, at: now };
    const seconds = (now - before.since) / 1000;
    const message = `${refText(tracked.ref)} is as declared again after ${seconds.toFixed(1)} s: ${before.text}.`;
    const data = { seconds, fields: before.fields, how: before.how };
    events.emit({ type: 'condition', severity: 'info', ref: tracked.ref, reason: 'DriftRepaired', message, data });
    return;
  }
  const fought = [...planned.fights.keys()].filter((key) => !record.fights.has(key));
  for (const [key, until] of planned.fights) record.fights.set(key, until);
  const { text, fields } = driftText(planned.kind, planned.drift);
  const how = howOf(planned);
  const message =
    how === 'Fight'
      ? `In a fight: ${fightText(tracked, planned)}`
      : `${capital(text)}.${how === 'ReportOnly' ? ' It is only reported.' : ''}`;
  record.found = { since: before?.since ?? now, how, text, message, fields };
  if (fought.length > 0) tellFight(tracked, planned, fought, events);
  // While it is being repaired, what is left of it is not news.
  else if (before === undefined || (how === 'ReportOnly' && before.text !== text)) {
    const message = `${refText(tracked.ref)} is not as declared: ${text}.${how === 'ReportOnly' ? ' It is only reported.' : ''}`;
    const data = { fields, how, causes: tracked.trace.looked?.causes.map(causeText) ?? [] };
    events.emit({ type: 'condition', severity: 'warning', ref: tracked.ref, reason: 'Drifted', message, data });
  }
}

function howOf(planned: ObjectPlan): FoundDrift['how'] {
  if (planned.fights.size > 0) return 'Fight';
  return planned.left.length > 0 ? 'ReportOnly' : 'Repairing';
}

function tellFight(tracked: Tracked, planned: ObjectPlan, keys: readonly string[], events: EventSink): void {
  const message = `${refText(tracked.ref)}: ${fightText(tracked, planned)}`;
  const data = { fields: driftText(planned.kind, planned.left).fields, keys, until: Math.min(...planned.fights.values()) };
  events.emit({ type: 'condition', severity: 'error', ref: tracked.ref, reason: 'FightDetected', message, data });
}

/** Both writers, as far as they can be known: the declaration we put in force, and what the event that made us look tells of the other. */
export function fightText(tracked: Tracked, planned: ObjectPlan): string {
  const { text } = driftText(planned.kind, planned.left);
  const origin = planned.desired?.document.origin;
  const place = origin === undefined ? '' : ` (${origin.file}:${origin.line})`;
  const noticed = tracked.trace.looked?.causes.map(causeText).join(', ') ?? '';
  const until = isoSecond(Math.min(...planned.fights.values()));
  return (
    `something outside of Lockstep keeps changing what source "${planned.desired?.source ?? ''}"${place} declares: ${text}. ` +
    `Lockstep put it back three times in ten minutes${noticed === '' ? '' : ` (noticed last because ${noticed})`}. ` +
    `It is left as it is until ${until}, a change of its manifest, or "lockstep sync ${tracked.ref.kind}/${tracked.ref.name}".`
  );
}

function isoSecond(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** After a restart: the repairs of the last minutes. */
export function restoreRepairs(tracker: Tracker, ledger: Pick<Ledger, 'intents'>, now: number): void {
  const records = new Map([...tracker.objects.values()].map((tracked) => [tracked.row.uid, tracked.drift]));
  for (const { uid, change: text, outcome, openedAt, closedAt } of ledger.intents.since(now - FIGHT_WINDOW_MS)) {
    const record = records.get(uid);
    const { change, fields, origin } = parseRecordedChange(text);
    if (origin === 'drift' && outcome === 'done') record?.noteRepair(change, fields, closedAt ?? openedAt);
    // What was declared anew after them ends the count.
    else if (origin === undefined) record?.forgive();
  }
}
