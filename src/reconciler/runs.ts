// Runs: the changes of planned objects, written ahead in the ledger, then carried out in the background. One run per object at a time.
import { causeText } from '../core/cause.ts';
import type { Clock } from '../core/clock.ts';
import { type AppError, errorText } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { Log } from '../core/log.ts';
import { refText } from '../core/ref.ts';
import type { Purges } from '../kinds/changes.ts';
import type { Observed, PlannedStep } from '../kinds/kind.ts';
import type { Ledger } from '../state/ledger.ts';
import type { Executor, StepOutcome } from './execute.ts';
import { type AnyChange, describe, type ObjectPlan } from './plan.ts';
import { type BurialTime, condemnTombstone, openRuns, recordReplacement, unsettledRow } from './recording.ts';
import { changeEntry, type NewAuditEntry } from './audit-entries.ts';
import { placeOf } from './locate.ts';
import { retryDelayMs } from './retry.ts';
import { type Tracked, updateConditions } from './tracker.ts';

/** Errors that only a change cures are tried again this often all the same: the cause may have gone unseen. */
const ON_CHANGE_RETRY_MS = 5 * 60_000;
/** Outcomes may be lost in a crash (they are observed again), so they are written together. */
const FLUSH_MS = 500;

export interface RunsOptions {
  readonly ledger: Ledger;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
  readonly random: () => number;
  readonly fingerprint: (secret: string) => string;
  /** How long what is buried is kept. */
  readonly retentionMs: number;
  /** Nothing may be changed any more: runs end at their next boundary. */
  halted(): boolean;
  observe(tracked: Tracked): Promise<Observed<unknown>>;
  /** A tombstone was removed for good. */
  purged(tombstone: Purges['purged']): void;
  /** A run ended; look at the object again. */
  ended(tracked: Tracked): void;
  /** Look at the object again at that time (epoch ms). */
  lookAt(tracked: Tracked, at: number): void;
  changeEnded(kind: string, change: string, outcome: string, seconds: number): void;
  /** Something a person may watch has changed. */
  progressed(): void;
}

interface Closing {
  readonly id: number;
  readonly outcome: string;
  readonly at: number;
}

export class Runs {
  readonly #o: RunsOptions;
  readonly #closing: Closing[] = [];
  readonly #audit: NewAuditEntry[] = [];
  #flushTimer: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(options: RunsOptions) {
    this.#o = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Writes intents and allocations of all plans in one transaction, then starts them. */
  launch(plans: readonly { readonly tracked: Tracked; readonly plan: ObjectPlan }[], observedAt: number): void {
    if (plans.length === 0) return;
    const unsettled = plans.filter(
      ({ tracked, plan }) => Boolean(tracked.drift.basis) && plan.steps.some(({ origin }) => origin === undefined),
    );
    const rows = unsettled.map(({ tracked }) => unsettledRow(tracked.row));
    this.#o.executor.boundary('ledger: before the intents');
    const opened = openRuns(
      this.#o.ledger,
      plans.map(({ tracked, plan }) => ({ plan, causes: tracked.trace.acted?.causes ?? [] })),
      this.#closing,
      this.#burial(),
      rows,
    );
    this.#closing.length = 0;
    this.#o.executor.boundary('ledger: after the intents');
    for (const [index, { tracked }] of unsettled.entries()) {
      tracked.row = rows[index]!;
      tracked.drift.settle('');
    }
    for (const [index, { tracked, plan }] of plans.entries()) {
      const { intents, tombstone } = opened[index]!;
      tracked.recorded = { ...tracked.recorded, allocations: plan.recorded.allocations, firstLookSinceBoot: false };
      if (tombstone !== undefined) tracked.recorded = { ...tracked.recorded, tombstone };
      if (plan.steps.length > 0) this.#begin(tracked, plan, intents, observedAt);
    }
  }

  #burial(): BurialTime {
    return { now: this.#o.clock.now(), retentionMs: this.#o.retentionMs };
  }

  /** As `flush`, for whoever reads them next: what cannot be written now is written with what comes later, or observed again. */
  writeOutcomes(): void {
    try {
      this.flush();
    } catch (error) {
      this.#o.log.error({ error: errorText(error) }, 'outcomes were not written');
    }
  }

  /** Writes the outcomes and audit entries that wait. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#closing.length === 0 && this.#audit.length === 0) return;
    const { ledger } = this.#o;
    ledger.note(() => {
      for (const { id, outcome, at } of this.#closing) ledger.intents.close(id, outcome, at);
      for (const entry of this.#audit) ledger.audit.add(entry);
    });
    // Only now: what a full disk has kept from being written is written with what comes later.
    this.#closing.length = 0;
    this.#audit.length = 0;
  }

  #begin(tracked: Tracked, plan: ObjectPlan, intents: readonly number[], observedAt: number): void {
    tracked.running = true;
    tracked.recorded = { ...tracked.recorded, waiting: undefined };
    const wanted = plan.desired?.specHash;
    const progress = (text: string, fraction?: number): void => {
      tracked.doing = fraction === undefined ? { text } : { text, fraction };
      this.#o.progressed();
    };
    progress('waits for its turn');
    updateConditions(tracked, this.#o.clock.now());
    this.#count++;
    void this.#carryOut(tracked, plan, intents, {
      observedAt,
      superseded: () => this.#o.halted() || tracked.desired?.specHash !== wanted,
      observe: () => this.#o.observe(tracked),
      progress,
      begins: (index) => {
        const { change } = plan.steps[index]!;
        if (purges(change) && !condemnTombstone(this.#o.ledger, change.purged, this.#o.clock.now())) return false;
        const { recorded } = tracked;
        tracked.recorded = recordReplacement(this.#o.ledger, { plan, recorded }, change, this.#burial());
        return true;
      },
      ended: (index, outcome) => this.#stepEnded(tracked, plan, index, intents[index]!, outcome),
    });
  }

  async #carryOut(tracked: Tracked, plan: ObjectPlan, intents: readonly number[], hooks: Parameters<Executor['run']>[1]): Promise<void> {
    let begun = 0;
    let beganAt = this.#o.clock.monotonic();
    try {
      const outcome = await this.#o.executor.run(plan, {
        ...hooks,
        ended: (index, ended) => {
          begun = index + 1;
          const now = this.#o.clock.monotonic();
          const outcome = ended.is === 'failed' ? ended.error.code : ended.is;
          this.#o.changeEnded(tracked.ref.kind, plan.steps[index]!.change.do, outcome, (now - beganAt) / 1000);
          beganAt = now;
          hooks.ended(index, ended);
        },
      });
      if (outcome.is === 'failed' && outcome.until !== undefined) {
        updateConditions(tracked, this.#o.clock.now());
        await outcome.until;
      }
    } catch (error) {
      this.#o.log.error({ error: errorText(error), object: tracked.key }, 'run failed');
    }
    for (const id of intents.slice(begun)) this.#close(id, 'not-started');
    this.#count--;
    tracked.running = false;
    tracked.doing = undefined;
    this.#o.ended(tracked);
  }

  #close(id: number, outcome: string): void {
    this.#closing.push({ id, outcome, at: this.#o.clock.now() });
    this.#flushTimer ??= setTimeout(() => this.writeOutcomes(), FLUSH_MS);
  }

  #stepEnded(tracked: Tracked, plan: ObjectPlan, index: number, intent: number, outcome: StepOutcome): void {
    const step = plan.steps[index]!;
    const { verdict, summary, fields } = describe(plan, step);
    const now = this.#o.clock.now();
    this.#close(intent, outcome.is === 'failed' ? outcome.error.code : outcome.is);
    const causes = tracked.trace.acted?.causes.map(causeText);
    this.#o.log.debug({ object: tracked.key, change: step.change.do, causes }, `${summary}: ${outcome.is}`);
    const touchesPower = verdict !== 'live' && verdict !== 'repair';
    if (outcome.is === 'done') {
      if (purges(step.change)) this.#o.purged(step.change.purged);
      if (step.origin === 'drift') tracked.drift.noteRepair(step.change.do, fields, now);
      const started = step.change.do === 'start';
      if (started) tracked.recorded = { ...tracked.recorded, startedAt: now };
      if (touchesPower) tracked.exitExpected = !started;
      tracked.recorded = { ...tracked.recorded, waiting: undefined };
      const message = `${refText(tracked.ref)}: ${summary}.`;
      this.#o.events.emit({
        type: 'change',
        severity: 'info',
        ref: tracked.ref,
        reason: 'Applied',
        message,
        data: { change: step.change.do },
      });
      this.#audit.push(changeEntry(tracked, plan, step, 'done', now, this.#o.fingerprint));
    } else if (outcome.is === 'waiting') {
      this.#audit.push(changeEntry(tracked, plan, step, 'waiting', now, this.#o.fingerprint));
      if (touchesPower) tracked.exitExpected = true;
      tracked.recorded = { ...tracked.recorded, waiting: { change: step.change.do, sinceMs: now, deadlineMs: outcome.deadlineMs } };
      this.#o.lookAt(tracked, now + outcome.deadlineMs);
    } else if (outcome.is === 'failed') {
      this.#failed(tracked, plan, step, outcome.error, now);
    }
  }

  #failed(tracked: Tracked, plan: ObjectPlan, step: PlannedStep<AnyChange>, error: AppError, now: number): void {
    const message = errorText(error);
    const { summary, fields } = describe(plan, step);
    const place = placeOf(plan.desired, fields.length === 1 ? fields[0]!.field : undefined);
    // What fails in the same way every few minutes is in the log once.
    if (tracked.error?.code !== error.code || tracked.error.change !== summary) {
      this.#audit.push(changeEntry(tracked, plan, step, error.code, now, this.#o.fingerprint));
    }
    tracked.failures++;
    tracked.retry = error.retry;
    tracked.error = {
      code: error.code,
      message,
      at: now,
      change: summary,
      ...place,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
    tracked.nextRetry = now + (error.retry === 'backoff' ? retryDelayMs(tracked.failures, this.#o.random()) : ON_CHANGE_RETRY_MS);
    this.#o.lookAt(tracked, tracked.nextRetry);
    const where = place === undefined ? '' : ` (${place.file}:${place.line})`;
    this.#o.log.warn({ object: tracked.key, code: error.code, error: message }, 'change failed');
    this.#o.events.emit({
      type: 'change',
      severity: 'error',
      ref: tracked.ref,
      reason: error.code,
      message: `${refText(tracked.ref)}: could not ${summary}: ${message}${where}`,
      ...(error.hint === undefined ? {} : { data: { hint: error.hint } }),
    });
  }
}

function purges(change: AnyChange): change is AnyChange & Purges {
  return change.do === 'purge' && 'purged' in change;
}
