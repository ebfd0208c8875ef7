// The reconcile loop. Events only say "look again at X"; one round at a time reads, observes, plans and starts work:
//
//   look(X) --> dirty --(debounce)--> round:  sources changed? -> desired
//                                             observe(dirty)   -> actual          (one shared view)
//                                             plan (pure)      -> steps, allocations, waits
//                                             ledger (write-ahead, one transaction)
//                                             execute          -> runs, in the background
//   a run ends --> dirty again: an object is Ready only when a fresh look plans nothing
//
// One run per object at a time. Failures back off per object. What waits is woken by an event or by one shared timer.
import type { Cause } from '../core/cause.ts';
import { errorText, toAppError } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { Log } from '../core/log.ts';
import type { KindName, RefKey } from '../core/ref.ts';
import { inSlices } from '../core/slices.ts';
import type { CachedHostView } from '../host/view.ts';
import type { KindTable } from '../kinds/kind.ts';
import type { ObjectRow } from '../state/ledger.ts';
import { Alarm } from './alarm.ts';
import { Consents } from './consents.ts';
import { Deletions } from './deletions.ts';
import { Dirty } from './dirty.ts';
import type { DesiredObject } from './desired.ts';
import type { Basis, DriftMode } from './drift.ts';
import { driftContexts, restoreRepairs } from './drift-record.ts';
import { Draining } from './draining.ts';
import type { Executor } from './execute.ts';
import { type FactsOptions, readFacts } from './facts.ts';
import { recordExits } from './exits.ts';
import { Intake } from './intake.ts';
import { observe, observeAll } from './observe.ts';
import { type BaseFacts, type ByKey, type ObjectPlan, plan, planInSlices, type PlanInput } from './plan.ts';
import { appliedOf, forgetTombstone, recordedFrom } from './recording.ts';
import type { ReconcilerMetrics } from './reconciler-metrics.ts';
import { reportConditions } from './report-conditions.ts';
import { Rollouts } from './rollouts.ts';
import { Runs } from './runs.ts';
import { Settlement } from './settlement.ts';
import type { SourceSet } from './source-set.ts';
import { takeUpLedger } from './take-up.ts';
import { dueCause } from './trace.ts';
import { beginAnew, type Tracked, Tracker } from './tracker.ts';

/**
 * Rounds are this far apart at least, and as far as the last one took: what happens together is looked at together, and however many
 * events come, rounds take half of the loop's time at most.
 */
const DEBOUNCE_MS = 5;
const LONGEST_DEBOUNCE_MS = 250;
/** A full look at everything, events or not; 10 % of jitter keeps a fleet from moving in step. */
const RESYNC_MS = 5 * 60_000;
/** A round that failed (ledger full, host unreadable) is tried again. */
const ROUND_RETRY_MS = 5000;

export interface ReconcilerOptions extends FactsOptions {
  readonly kinds: KindTable;
  readonly view: CachedHostView;
  readonly sources: SourceSet;
  readonly executor: Executor;
  readonly events: EventSink;
  readonly log: Log;
  /** Told of each allocation before it is used, and of each that was given back (claim files). */
  readonly allocated?: (what: string, value: string, uid: string) => Promise<void>;
  readonly released?: (what: string, value: string, uid: string) => Promise<void>;
  /** Stands for a secret wherever one would be stored or shown: keyed, so that it cannot be guessed back. */
  readonly fingerprint: (secret: string) => string;
  readonly metrics?: ReconcilerMetrics;
  readonly random?: () => number;
  readonly resyncMs?: number;
  /** Of the program: what another version does differently is no drift. */
  readonly version?: string;
  /** Whether drift of a source's objects is repaired, where they do not say. Default: it is. */
  readonly driftOf?: (source: string) => DriftMode;
  /** How long a look at an object may take. */
  readonly lookMs?: number;
}

type RoundKey = RefKey | 'round';

export class Reconciler {
  readonly tracker: Tracker;
  readonly #o: ReconcilerOptions;
  readonly intake: Intake;
  readonly consents: Consents;
  readonly rollouts: Rollouts;
  readonly deletions: Deletions;
  readonly #settlement: Settlement;
  readonly #runs: Runs;
  readonly #alarm: Alarm<RoundKey>;
  readonly #draining: Draining;
  readonly #dirty: Dirty;
  readonly #stop = new AbortController();
  readonly #waiters = new Set<() => void>();
  readonly #random: () => number;
  readonly #basis: Basis;
  readonly #started = Promise.withResolvers<void>();
  #round: Promise<void> | undefined;
  #roundTimer: NodeJS.Timeout | undefined;
  #resync: NodeJS.Timeout | undefined;
  #sourcesChanged = true;
  /** What the sources say is in the ledger and tracked. */
  #desiredTaken = false;
  #ready = false;
  #lastRoundMs = 0;

  constructor(options: ReconcilerOptions) {
    this.#o = options;
    this.#random = options.random ?? Math.random;
    this.#dirty = new Dirty(options.clock);
    this.#basis = { version: options.version ?? '', bootId: options.facts.bootId };
    this.tracker = new Tracker(options.kinds);
    this.intake = new Intake({
      ...options,
      tracker: this.tracker,
      look: (key, cause) => this.#dirty.add(key, cause),
      conditionChanged: (tracked, now) => reportConditions(tracked, now, options),
    });
    this.consents = new Consents(options.ledger, options.events);
    this.rollouts = new Rollouts(this.tracker, options.kinds);
    this.deletions = new Deletions(options.ledger, options.sources, options.events);
    this.#alarm = new Alarm(options.clock, (keys) => {
      for (const key of keys) {
        if (key === 'round') this.#schedule();
        else this.look(key, dueCause(this.tracker.objects.get(key)));
      }
    });
    this.#draining = new Draining(options.ledger.meta, options.facts.bootId);
    this.#settlement = new Settlement({
      ...options,
      tracker: this.tracker,
      basis: this.#basis,
      consents: this.consents,
      rollouts: this.rollouts,
      deletions: this.deletions,
      dirty: this.#dirty,
      alarm: this.#alarm,
      draining: () => this.#draining.on,
      desired: () => this.intake.desired.objects,
    });
    this.#runs = new Runs({
      retentionMs: options.facts.retention.ms,
      halted: () => this.#draining.on,
      ledger: options.ledger,
      executor: options.executor,
      clock: options.clock,
      events: options.events,
      log: options.log,
      random: this.#random,
      fingerprint: options.fingerprint,
      changeEnded: (...args) => options.metrics?.changeEnded(...args),
      observe: (tracked) => {
        options.view.newRound();
        return observe(options.kinds, options.view, tracked);
      },
      purged: (tombstone) => this.#settlement.giveBack(tombstone.uid, forgetTombstone(options.ledger, tombstone)),
      ended: (tracked) => {
        if (tracked.ref.kind !== 'Instance') options.view.drop();
        this.look(tracked.key, { event: 'ChangeEnded' });
        this.#wake();
      },
      lookAt: (tracked, at) => this.#alarm.set(tracked.key, at),
      progressed: () => this.#wake(),
    });
  }

  /** Ledger recovered, and the first full observe and plan done. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The host is being shut down: nothing is changed any more. */
  get draining(): boolean {
    return this.#draining.on;
  }

  /**
   * On: from here on nothing is changed before the next boot, by this daemon or one started later; resolves when no change is under way,
   * or after `patienceMs`. Off: back to work.
   */
  async drain(on: boolean, patienceMs: number): Promise<void> {
    if (this.#draining.set(on)) for (const key of this.tracker.objects.keys()) this.look(key, { event: 'HostShutdown' });
    const patience = AbortSignal.timeout(patienceMs);
    if (!on) return;
    while (this.#runs.count > 0 && !patience.aborted) await this.changed(patience);
  }

  get waitingToBeLookedAt(): number {
    return this.#dirty.size;
  }

  /** Nothing runs and nothing is about to be looked at. */
  get idle(): boolean {
    return this.#runs.count === 0 && this.#dirty.size === 0 && this.#round === undefined && !this.#sourcesChanged;
  }

  async start(): Promise<void> {
    const { ledger, clock, facts } = this.#o;
    const firstLook = takeUpLedger(ledger, facts.bootId, clock.now());
    for (const row of ledger.objects.all()) {
      const tracked = this.tracker.add(row, recordedFrom(row, ledger, firstLook), appliedOf(row)?.needs ?? []);
      this.rollouts.recall(tracked, ledger);
      this.#dirty.add(tracked.key, { event: 'DaemonStarted' });
    }
    restoreRepairs(this.tracker, ledger, clock.now());
    await this.#runRound();
    this.#ready = true;
    this.#started.resolve();
    this.#wake();
    if (this.#moreToDo()) this.#schedule();
    await this.#o.sources.watch(() => this.sourcesChanged());
    // What changed between the first reading and the first event that could be seen.
    this.#o.sources.markChanged();
    this.sourcesChanged();
    this.#scheduleResync();
  }

  /** Ends planning, lets running steps end at their next boundary, writes what is known. Containers are not touched. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#alarm.close();
    clearTimeout(this.#roundTimer);
    clearTimeout(this.#resync);
    await this.#round?.catch(() => {});
    await this.#o.executor.close();
    await this.#o.sources.close();
    this.#runs.flush();
    this.#wake();
  }

  /** Whoever reads the ledger's history next finds in it what has ended by now. */
  writeOutcomes(): void {
    this.#runs.writeOutcomes();
  }

  /** An object whose row was put back into the ledger (undelete) is tracked again. */
  takeUp(row: ObjectRow): void {
    this.#dirty.add(this.tracker.add(row, recordedFrom(row, this.#o.ledger, false), []).key, { event: 'Undeleted' });
    this.#schedule();
  }

  look(key: RefKey, cause: Cause = { event: 'Asked' }): void {
    const tracked = this.tracker.find(key);
    if (tracked === undefined) return;
    this.#dirty.add(tracked.key, cause);
    // What happens to it while a run changes it is looked at once, when the run ends.
    if (!tracked.running) this.#schedule();
  }

  lookAtKind(kind: KindName, cause?: Cause): void {
    for (const tracked of this.tracker.ofKind(kind)) this.look(tracked.key, cause);
  }

  /** Read the sources again (`name`: only this one); what they say differently is planned. */
  sourcesChanged(name?: string): void {
    if (name !== undefined) this.#o.sources.markChanged(name);
    this.#sourcesChanged = true;
    this.#schedule();
  }

  /** Reads the sources again and looks at everything; resolves when that is planned. Failed objects are tried again at once. */
  async sync(source?: string, cause: Cause = { event: 'Sync' }): Promise<void> {
    // Before the ledger was read and everything looked at once, a round would work on half of what there is.
    await this.#started.promise;
    // A round that is under way may have passed the point of reading already: wait for one that begins now.
    await this.#round?.catch(() => {});
    this.#o.sources.markChanged(source);
    this.#sourcesChanged = true;
    this.#o.view.drop();
    for (const tracked of this.tracker.objects.values()) {
      tracked.nextRetry = undefined;
      this.#dirty.add(tracked.key, cause);
    }
    await this.#runRound();
  }

  /** As `sync`, of one object: it is tried again at once, whatever failed or was fought over. */
  async tryAgain(tracked: Tracked, cause: Cause): Promise<void> {
    await this.#started.promise;
    await this.#round?.catch(() => {});
    beginAnew(tracked);
    this.#o.view.drop();
    this.#dirty.add(tracked.key, cause);
    await this.#runRound();
  }

  /** Resolves when something a person may watch has changed, or the signal aborts. */
  async changed(signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.add(resolve);
    signal?.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }

  // --- rounds -------------------------------------------------------------------------------------------------------

  #schedule(): void {
    if (!this.#ready || this.#stop.signal.aborted || this.#round !== undefined || this.#roundTimer !== undefined) return;
    this.#roundTimer = setTimeout(
      () => {
        this.#roundTimer = undefined;
        this.#runRound().catch(() => {});
      },
      Math.min(LONGEST_DEBOUNCE_MS, Math.max(DEBOUNCE_MS, this.#lastRoundMs)),
    );
  }

  async #runRound(): Promise<void> {
    if (this.#round !== undefined) return this.#round;
    clearTimeout(this.#roundTimer);
    this.#roundTimer = undefined;
    const began = this.#o.clock.monotonic();
    this.#round = this.#doRound();
    let failed = true;
    try {
      await this.#round;
      failed = false;
    } catch (error) {
      // Whoever asked for the round: what it had taken waits for the next one.
      this.#roundFailed(error);
      throw error;
    } finally {
      this.#lastRoundMs = this.#o.clock.monotonic() - began;
      this.#round = undefined;
      this.#wake();
      if (!failed && this.#moreToDo()) this.#schedule();
    }
  }

  #moreToDo(): boolean {
    return this.#sourcesChanged || this.#dirty.some((key) => this.tracker.objects.get(key)?.running === false);
  }

  #roundFailed(error: unknown): void {
    this.#o.log.error({ error: errorText(error) }, 'round failed');
    this.#alarm.set('round', this.#o.clock.now() + ROUND_RETRY_MS);
  }

  async #doRound(): Promise<void> {
    if (this.#sourcesChanged) {
      this.#sourcesChanged = false;
      const different = await this.#o.sources.refresh(this.#stop.signal);
      if (different || !this.#ready) this.#desiredTaken = false;
    }
    // Also what an earlier round has read and could not write down.
    if (!this.#desiredTaken) {
      await this.intake.take();
      this.#desiredTaken = true;
    }
    // An object with a run under way is looked at when the run ends.
    const taken = this.#dirty.take((key) => this.tracker.objects.get(key)?.running !== true);
    const keys = [...taken.keys()];
    const ended = this.#o.metrics?.roundBegan();
    let planned = 0;
    try {
      this.#o.view.newRound();
      const observedAt = this.#o.clock.monotonic();
      await this.#observe(keys);
      const plans = await this.#planWithExits(await this.#planInput(keys));
      planned = plans.reduce((sum, one) => sum + one.steps.length, 0);
      this.#settlement.settle(plans, taken);
      await this.#launch(plans, observedAt);
    } catch (error) {
      this.#dirty.putBack(taken);
      throw error;
    } finally {
      ended?.(planned);
    }
  }

  async #observe(keys: readonly RefKey[]): Promise<void> {
    const { kinds, view } = this.#o;
    const objects = keys.flatMap((key) => this.tracker.objects.get(key) ?? []);
    await observeAll(kinds, view, objects, (tracked, observed) => (tracked.observed = observed), this.#o.lookMs);
  }

  // --- planning -----------------------------------------------------------------------------------------------------

  async #planInput(keys: readonly RefKey[]): Promise<PlanInput> {
    const facts = await this.facts(keys);
    const deletable = this.deletions.decide(this.tracker, this.intake.desired.complete, facts.now);
    return {
      kinds: this.#o.kinds,
      // What is declared but cannot be resolved is neither changed nor deleted.
      keys: keys.filter((key) => !this.intake.desired.unresolved.has(key)),
      desired: this.intake.desired.objects,
      observed: this.tracker.observed,
      recorded: this.tracker.recorded,
      readiness: this.tracker.readiness,
      mayDelete: deletable.mayDelete,
      deleteWaits: deletable.waits,
      dependants: (key) => this.tracker.dependants(key),
      drift: this.driftContexts(this.intake.desired.objects),
      rollout: this.rollouts.state(facts.now),
      facts,
    };
  }

  /** What is known of the drift of objects, were this what is declared. */
  driftContexts(desired: ByKey<DesiredObject>): NonNullable<PlanInput['drift']> {
    const { driftOf = () => 'repair' } = this.#o;
    return driftContexts((key) => this.tracker.objects.get(key), desired, this.#basis, driftOf);
  }

  facts(keys: readonly RefKey[]): Promise<BaseFacts> {
    return readFacts(this.#o, keys);
  }

  /** Plans; an object that is found stopped without a change of ours having stopped it gets that exit recorded, and is planned again. */
  async #planWithExits(input: PlanInput): Promise<ObjectPlan[]> {
    const plans = await inSlices(planInSlices(input));
    // What is stopped because the host goes down did not end by itself.
    const exited = recordExits(plans, this.tracker, input.facts.now, this.#draining.on);
    if (exited.length === 0) return plans;
    const again = new Map(plan({ ...input, keys: exited }).map((planned) => [planned.key, planned]));
    return plans.map((planned) => again.get(planned.key) ?? planned);
  }

  async #launch(plans: readonly ObjectPlan[], observedAt: number): Promise<void> {
    const ready = plans.flatMap(({ key }) => {
      const tracked = this.tracker.objects.get(key);
      const held = tracked?.plan;
      return tracked === undefined || held === undefined || held.steps.length + held.allocations.length === 0
        ? []
        : [{ tracked, plan: held }];
    });
    const claimed: typeof ready = [];
    for (const one of ready) {
      try {
        for (const { what, value } of one.plan.allocations) await this.#o.allocated?.(what, value, one.plan.recorded.uid);
        claimed.push(one);
      } catch (error) {
        // Somebody else was faster, or the claim cannot be written: the others go on.
        this.#unclaim(one.plan);
        this.#settlement.refused(one.tracked, toAppError(error));
      }
    }
    try {
      this.#runs.launch(claimed, observedAt);
    } catch (error) {
      // Nothing of it is written down: it is planned anew, and may get something else then.
      for (const one of claimed) this.#unclaim(one.plan);
      throw error;
    }
  }

  #unclaim({ allocations, recorded }: ObjectPlan): void {
    this.#settlement.giveBack(recorded.uid, new Map(allocations.map(({ what, value }) => [what, value])));
  }

  #scheduleResync(): void {
    const delay = (this.#o.resyncMs ?? RESYNC_MS) * (0.9 + 0.2 * this.#random());
    this.#resync = setTimeout(() => {
      this.sync(undefined, { event: 'Resync' }).catch(() => {});
      this.#scheduleResync();
    }, delay);
    this.#resync.unref();
  }
}
