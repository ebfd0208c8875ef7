// Why an object is as it is: the rule behind what was last done or not done, and what it waits for, down to the causes nobody else is behind.
// Pure: reads what is tracked, asks nothing, changes nothing.
import { type Cause, causeText } from '../core/cause.ts';
import { errorText } from '../core/errors.ts';
import type { Condition, StatusError } from '../core/object-status.ts';
import { REASONS, type Reason } from '../core/reasons.ts';
import { type RefKey, refKey, type ResourceRef, refText } from '../core/ref.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Problem } from '../schemas/problem.ts';
import { problemText } from './desired.ts';
import type { HistoryRun } from './history.ts';
import { type Place, placeOf } from './locate.ts';
import { isMet } from './plan.ts';
import type { Tracked, Tracker } from './tracker.ts';

export interface WhyCause {
  readonly event: Cause['event'];
  readonly text: string;
  readonly at: number;
}

/** The rule that decides what happens to the object now. */
export interface WhyRule {
  /** As in docs/reference/conditions.md. */
  readonly reason: Reason | ErrorCode;
  /** What it means here, in full sentences. */
  readonly message: string;
  /** What the rule means in general; undefined for error codes. */
  readonly meaning?: string;
  /** The place in a manifest that the rule is about. */
  readonly file?: string;
  readonly line?: number;
  /** Epoch ms: it has been so since then. */
  readonly since?: number;
  /** Epoch ms: it is looked at again then, whatever happens. */
  readonly until?: number;
}

/** Another object that something waits for. */
export interface WhyLink {
  /** Who waits: the object itself, or one that stands before it in the list. */
  readonly from: ResourceRef;
  readonly ref: ResourceRef;
  /** Where the manifest of `from` asks for it. */
  readonly asked?: Place & { readonly field: string };
  readonly rule: WhyRule;
  /** Nobody else is behind this one. */
  readonly root: boolean;
}

export interface Why {
  readonly ref: ResourceRef;
  readonly uid: string | undefined;
  readonly ready: Pick<Condition, 'status' | 'reason' | 'message' | 'since'> | undefined;
  readonly declared:
    | {
        readonly source: string;
        readonly location: string | undefined;
        /** The source as it was last taken in. */
        readonly revision: string | undefined;
        /** The revision that brought what is declared now. */
        readonly changedIn: string | undefined;
        readonly signer?: string;
        /** Who put it into a stored source last, and when. */
        readonly by?: string;
        readonly byAt?: number;
        readonly file: string;
        readonly line: number;
      }
    | undefined;
  readonly observedRevision: string | undefined;
  readonly rule: WhyRule;
  /** What it waits for, and what that waits for; the nearest first. */
  readonly chain: readonly WhyLink[];
  /** Only so many were followed. */
  readonly chainCut: boolean;
  readonly error: StatusError | undefined;
  readonly lastLook: { readonly at: number; readonly causes: readonly WhyCause[] } | undefined;
  /** The last changes, and the events that made us look. */
  readonly lastRun: HistoryRun | undefined;
  /** What else a person should know: its source cannot be read, its manifest is broken. */
  readonly notes: readonly string[];
}

const MOST_LINKS = 30;

export function ruleOf(tracked: Tracked): WhyRule {
  const { plan, readiness, error, desired, unresolved, trace } = tracked;
  if (unresolved !== undefined) {
    return rule('ManifestInvalid', `${problemText(unresolved)} It is neither changed nor deleted.`, placeOfProblem(unresolved[0]));
  }
  if (plan?.unknown !== undefined) return rule('HostUnreadable', errorText(plan.unknown), again(plan.againAt));
  if (tracked.running)
    return rule('Reconciling', tracked.doing === undefined ? 'Changes are carried out now.' : `Now: ${tracked.doing.text}.`);
  if (error !== undefined) return ruleOfError(tracked, error);
  if (plan?.waitsFor !== undefined) {
    const what = desired === undefined ? 'Its deletion' : plan.held.length > 0 ? held(tracked) : 'It';
    return rule(plan.heldBy ?? 'Waiting', `${what} waits for ${plan.waitsFor}.`, { ...placeOf(desired), ...again(plan.againAt) });
  }
  if (desired === undefined) {
    if (tracked.condemned && plan?.steps.length === 0) return rule('KeptForUndelete', 'It is deleted, and its data is kept for now.');
    return rule('Deleting', 'It is no longer declared.');
  }
  if (readiness === undefined) return rule('Reconciling', 'It was not looked at yet, or its changes begin in a moment.');
  const since = trace.idleSince === undefined ? {} : { since: trace.idleSince };
  if (!readiness.ready) return rule(readiness.reason, readiness.message, { ...placeOf(desired), ...since });
  // Drift is shown before all else that is well: what the host has is then not what is declared, and it is left so on purpose.
  const drifted = tracked.conditions.get('Drifted');
  if (drifted?.status === 'True') return rule(drifted.reason as Reason, drifted.message, { ...placeOf(desired), since: drifted.since });
  if (desired.kept) {
    const message = `${problemText(desired.problems)} What was last valid stays in force, and the object is as that says.`;
    return rule('ManifestInvalid', message, { ...placeOfProblem(desired.problems[0]), ...since });
  }
  return rule('UpToDate', 'There is nothing to do: it is as declared.', { ...placeOf(desired), ...since });
}

/** What the object waits for, breadth first, until nothing more is behind it. */
export function chainOf(tracker: Tracker, start: Tracked): { readonly links: readonly WhyLink[]; readonly cut: boolean } {
  const links: WhyLink[] = [];
  const seen = new Set<RefKey>([start.key]);
  const waiting = [start];
  for (let from = waiting.shift(); from !== undefined; from = waiting.shift()) {
    for (const { ref, asked } of blockers(tracker, from)) {
      const key = refKey(ref);
      if (seen.has(key)) continue;
      seen.add(key);
      if (links.length === MOST_LINKS) return { links, cut: true };
      const tracked = tracker.objects.get(key);
      const root = tracked === undefined || blockers(tracker, tracked).length === 0;
      links.push({
        from: from.ref,
        ref,
        ...(asked === undefined ? {} : { asked }),
        rule: tracked === undefined ? undeclared(ref) : ruleOf(tracked),
        root,
      });
      if (tracked !== undefined) waiting.push(tracked);
    }
  }
  return { links, cut: false };
}

export function causesOf(tracked: Tracked): Why['lastLook'] {
  const { looked } = tracked.trace;
  if (looked === undefined) return undefined;
  return { at: looked.at, causes: looked.causes.map((cause) => ({ event: cause.event, text: causeText(cause), at: cause.at })) };
}

interface Blocker {
  readonly ref: ResourceRef;
  readonly asked?: Place & { readonly field: string };
}

function blockers(tracker: Tracker, tracked: Tracked): readonly Blocker[] {
  const { plan, desired } = tracked;
  if (plan?.heldBy === 'WaitingForUsers') {
    return tracker.dependants(tracked.key).flatMap((key) => {
      const user = tracker.objects.get(key);
      return user === undefined ? [] : [{ ref: user.ref }];
    });
  }
  if (plan?.heldBy !== 'WaitingForNeeds' || desired === undefined) return [];
  return desired.needs
    .filter((need) => !isMet(need, tracker.objects.get(refKey(need.ref))?.readiness))
    .map(({ ref, field }) => ({ ref, asked: { ...placeOf(desired, field)!, field } }));
}

function ruleOfError({ retry, nextRetry, plan }: Tracked, error: StatusError): WhyRule {
  const what = error.change === undefined ? 'The last change failed' : `It could not ${error.change}`;
  const how = retry === 'backoff' ? '' : ' Trying again is no use before its manifest or the host changes.';
  const place = error.file === undefined || error.line === undefined ? {} : { file: error.file, line: error.line };
  const hint = error.hint === undefined ? '' : ` ${error.hint}`;
  return rule(error.code, `${what}: ${error.message}${hint}${how}`, { ...place, since: error.at, ...again(nextRetry ?? plan?.againAt) });
}

function held({ plan }: Tracked): string {
  const first = plan!.kind.describe(plan!.held[0]!.change, plan!.desired?.document.origin).summary;
  return `The next change (${first})`;
}

function undeclared(ref: ResourceRef): WhyRule {
  return rule('Absent', `${refText(ref)} is not declared anywhere.`);
}

function placeOfProblem(problem: Problem | undefined): Partial<Place> {
  return problem === undefined ? {} : { file: problem.file, line: problem.line };
}

function again(at: number | undefined): { readonly until?: number } {
  return at === undefined ? {} : { until: at };
}

function rule(reason: WhyRule['reason'], message: string, more: Omit<WhyRule, 'reason' | 'message' | 'meaning'> = {}): WhyRule {
  const meaning = reason in REASONS ? { meaning: REASONS[reason as Reason].text } : {};
  return { reason, message, ...meaning, ...more };
}
