// After planning: takes over what a round has found out. Readiness and conditions, what is recorded as applied, objects that are gone, and whom
// to look at next because of that.
import type { Cause } from '../core/cause.ts';
import type { Clock } from '../core/clock.ts';
import { type AppError, errorText } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { Log } from '../core/log.ts';
import { type RefKey, refText } from '../core/ref.ts';
import type { Readiness, Recorded } from '../kinds/kind.ts';
import type { Ledger, ObjectRow } from '../state/ledger.ts';
import type { Alarm } from './alarm.ts';
import type { Consents } from './consents.ts';
import type { Deletions } from './deletions.ts';
import type { DesiredObject } from './desired.ts';
import type { Causes, Dirty } from './dirty.ts';
import { heldForShutdown } from './draining.ts';
import { type Basis, basisOf } from './drift.ts';
import { noteDrift } from './drift-record.ts';
import type { ObjectPlan } from './plan.ts';
import { forgetObject, isNewlyApplied, recordApplied, recordWhole } from './recording.ts';
import { type ConditionReports, reportConditions } from './report-conditions.ts';
import { holdBack } from './retry.ts';
import type { Rollouts } from './rollouts.ts';
import { traceLook } from './trace.ts';
import type { Tracked, Tracker } from './tracker.ts';

/** What could not be read is looked at again. */
const UNREADABLE_RETRY_MS = 5000;
/** It is planned anew, with something else where somebody else was faster. */
const REFUSED_RETRY_MS = 1000;
/** What an object's deletion has freed is looked at this long after it. */
const FREED_MS = 1000;

export interface SettlementOptions extends ConditionReports {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
  readonly fingerprint: (secret: string) => string;
  readonly released?: (what: string, value: string, uid: string) => Promise<void>;
  readonly tracker: Tracker;
  readonly basis: Basis;
  readonly consents: Consents;
  readonly rollouts: Rollouts;
  readonly deletions: Deletions;
  readonly dirty: Dirty;
  readonly alarm: Pick<Alarm<RefKey>, 'set' | 'delete'>;
  draining(): boolean;
  desired(): ReadonlyMap<RefKey, DesiredObject>;
}

export class Settlement {
  readonly #o: SettlementOptions;

  constructor(options: SettlementOptions) {
    this.#o = options;
  }

  /** Takes over what was planned: readiness, conditions, gone objects, whom to look at next. */
  settle(plans: readonly ObjectPlan[], causes: ReadonlyMap<RefKey, Causes>): void {
    const now = this.#o.clock.now();
    const converged: { tracked: Tracked; planned: ObjectPlan; basis: string }[] = [];
    const whole: Tracked[] = [];
    this.#forgetRows(
      plans.filter(({ gone }) => gone).map(({ key }) => this.#o.tracker.objects.get(key)!.row),
      now,
    );
    for (const planned of plans) {
      const tracked = this.#o.tracker.objects.get(planned.key)!;
      if (planned.gone) {
        this.#forget(tracked);
        continue;
      }
      const wasReady = tracked.readiness?.ready === true;
      if (planned.unknown?.code === 'INTERNAL' && tracked.plan?.unknown?.code !== 'INTERNAL') {
        this.#o.log.error({ err: planned.unknown, object: tracked.key }, 'an object could not be planned');
      }
      tracked.plan = this.#o.draining() ? heldForShutdown(planned) : holdBack(tracked, planned, now);
      tracked.trace = traceLook(tracked.trace, tracked.plan, { at: now, causes: causes.get(planned.key) ?? [] });
      if (!this.#o.draining()) noteDrift(tracked, planned, now, this.#o.events);
      // What was allocated is its own once it is written down (Runs.launch); a look that saw nothing, or whose changes are not begun, was none.
      const { allocations, firstLookSinceBoot: first } = tracked.recorded;
      const again = first && (planned.unknown !== undefined || tracked.plan.steps.length > 0);
      tracked.recorded = { ...planned.recorded, allocations, firstLookSinceBoot: again };
      tracked.readiness = planned.readiness;
      this.#o.consents.settle(tracked, planned, now);
      if (planned.readiness !== undefined) {
        if (isUnsettled(tracked.recorded) && hasItsData(planned.readiness)) whole.push(tracked);
        tracked.failures = 0;
        tracked.error = undefined;
        tracked.retry = undefined;
        tracked.nextRetry = undefined;
        const basis = basisOf(planned.desired!, this.#o.desired(), this.#o.basis);
        const settled = tracked.drift.basis === basis && !isNewlyApplied(tracked.row, planned.desired!);
        if (planned.readiness.ready && !settled) converged.push({ tracked, planned, basis });
      }
      for (const next of this.#o.rollouts.settle(tracked, now)) this.#o.dirty.add(next, { event: 'TurnCame', about: refText(tracked.ref) });
      if (tracked.plan.againAt !== undefined) this.#o.alarm.set(tracked.key, tracked.plan.againAt);
      if (planned.unknown?.retry === 'backoff') this.#o.alarm.set(tracked.key, now + UNREADABLE_RETRY_MS);
      if (wasReady === (planned.readiness?.ready === true)) continue;
      const cause: Cause = { event: wasReady ? 'NeedLost' : 'NeedReady', about: refText(tracked.ref) };
      for (const user of this.#o.tracker.dependants(tracked.key)) this.#o.dirty.add(user, cause);
    }
    this.#recordApplied(converged, whole);
    for (const planned of plans) {
      const tracked = this.#o.tracker.objects.get(planned.key);
      if (tracked !== undefined) reportConditions(tracked, now, this.#o);
    }
  }

  /** What was allocated to it could not be claimed: nothing is begun for now. */
  refused(tracked: Tracked, because: AppError): void {
    const { clock, alarm } = this.#o;
    if (tracked.plan !== undefined) tracked.plan = { ...tracked.plan, steps: [], allocations: [], unknown: because };
    tracked.readiness = undefined;
    alarm.set(tracked.key, clock.now() + REFUSED_RETRY_MS);
    reportConditions(tracked, clock.now(), this.#o);
  }

  #recordApplied(converged: readonly { tracked: Tracked; planned: ObjectPlan; basis: string }[], whole: readonly Tracked[]): void {
    if (converged.length === 0 && whole.length === 0) return;
    const { ledger } = this.#o;
    ledger.note(() => {
      for (const tracked of whole) tracked.recorded = recordWhole(ledger, tracked.recorded);
      for (const { tracked, planned, basis } of converged) {
        const redacted = planned.kind.redact(planned.desired!.spec, this.#o.fingerprint);
        tracked.row =
          recordApplied(ledger, tracked.row, planned.desired!, redacted, { known: tracked.drift.basis, now: basis }) ?? tracked.row;
        if (!planned.desired!.kept) tracked.drift.settle(basis);
      }
    });
  }

  /** One commit for all that went together. */
  #forgetRows(rows: readonly ObjectRow[], now: number): void {
    const { ledger } = this.#o;
    if (rows.length === 0) return;
    // Not waited for: what is written later and waited for is on the disk no earlier than this.
    ledger.note(() => {
      for (const { uid } of rows) forgetObject(ledger, uid);
      this.#o.deletions.gone(
        rows.map(({ source }) => source),
        now,
      );
    });
  }

  /** What is to be deleted may have waited for its last user. The others have more room now, which is in no hurry: deletions come together. */
  #lookAtNeeds({ ref, needs }: Tracked): void {
    const soon = this.#o.clock.now() + FREED_MS;
    for (const need of needs) {
      if (this.#o.desired().has(need)) this.#o.alarm.set(need, soon);
      else this.#o.dirty.add(need, { event: 'UserDeleted', about: refText(ref) });
    }
  }

  #forget(tracked: Tracked): void {
    const { ledger, events } = this.#o;
    const { uid } = tracked.row;
    const buried = ledger.tombstones.of(uid).length > 0;
    this.#o.consents.forget(uid);
    for (const next of this.#o.rollouts.forget(tracked.key)) this.#o.dirty.add(next, { event: 'TurnCame', about: refText(tracked.ref) });
    if (!buried) this.giveBack(uid, tracked.recorded.allocations);
    this.#lookAtNeeds(tracked);
    this.#o.alarm.delete(tracked.key);
    this.#o.tracker.remove(tracked);
    events.emit({ type: 'change', severity: 'info', ref: tracked.ref, reason: 'Deleted', message: `${refText(tracked.ref)} is deleted.` });
  }

  /** What an object had allocated is free again. */
  giveBack(uid: string, allocations: ReadonlyMap<string, string>): void {
    const { released, log } = this.#o;
    for (const [what, value] of allocations) {
      released?.(what, value, uid).catch((error: unknown) => log.warn({ error: errorText(error), what, value }, 'claim not given back'));
    }
  }
}

/** Also one that is to be replaced some day has what it has now. */
function hasItsData({ ready, usable, reason }: Readiness): boolean {
  return ready || (usable === true && reason !== 'WaitingForTurn');
}

/** It was being brought back, or its root was about to be buried. */
function isUnsettled({ tombstone, replacing }: Recorded): boolean {
  return tombstone !== undefined || replacing !== undefined;
}
