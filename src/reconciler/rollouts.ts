// What rollout.ts has to know between two plannings: whom a batch has touched and who waits for a turn. Kept in memory, and read back from
// the ledger's intents after a restart: who was begun is written there before it is begun.
import type { RefKey } from '../core/ref.ts';
import type { KindTable } from '../kinds/kind.ts';
import type { IntentRow, Ledger } from '../state/ledger.ts';
import { batchOf, disruptionAt, isDisruptive, limitOf, type Member, type RolloutState } from './rollout.ts';
import { parseRecordedChange } from './recording.ts';
import type { Tracked, Tracker } from './tracker.ts';

/** Enough to hold the last run of an object. */
const INTENTS = 20;

/** Waiting ones that are looked at again when somebody is back. */
const LOOKS = 50;
/** One that ended this often after it was changed, within the window, is failing, even if it is started again each time. */
const MANY_EXITS = 2;
const WINDOW_MS = 10 * 60_000;

interface Touched {
  readonly batch: string;
  /** Epoch ms. */
  readonly at: number;
  state: Member['state'];
  /** What the present planning was told: one that runs a change of its own is down for a moment, and whom that holds up hears of its end. */
  told?: Member['state'];
}

export class Rollouts {
  readonly #tracker: Tracker;
  readonly #kinds: KindTable;
  readonly #touched = new Map<RefKey, Touched>();
  readonly #waiting = new Map<RefKey, string>();
  /** Since what is planned now was told who is down, somebody has turned out to be back, or gone. */
  #freed = false;

  constructor(tracker: Tracker, kinds: KindTable) {
    this.#tracker = tracker;
    this.#kinds = kinds;
  }

  /** After a start of the daemon: what was begun, whatever became of it. */
  recall(tracked: Tracked, ledger: Pick<Ledger, 'intents'>): void {
    if (this.#kinds.get(tracked.ref.kind)?.maxUnavailable === undefined) return;
    const begun = ledger.intents.history(tracked.row.uid, INTENTS).find(wasDisruptive);
    if (begun !== undefined) {
      this.#touched.set(tracked.key, { batch: batchOf(tracked.row.source, begun.revision), at: begun.openedAt, state: 'down' });
    }
  }

  state(now: number): RolloutState {
    this.#freed = false;
    const members = new Map<RefKey, Member>();
    for (const [key, touched] of this.#touched) {
      const tracked = this.#tracker.objects.get(key);
      // Nobody waits for one that is not declared, or cannot be resolved: it is not being changed.
      if (tracked?.desired === undefined) continue;
      // Of one that is declared differently by now it is not known whether it is Ready as such; it is still what it was when it was looked at.
      const looked = tracked.plan?.desired?.specHash === tracked.desired?.specHash;
      touched.told = looked ? stateOf(tracked, touched.at, now) : touched.state;
      members.set(key, { key, ref: tracked.ref, batch: touched.batch, state: touched.told });
    }
    return { members, waiting: this.#waiting };
  }

  /** After planning an object. Returns whom to look at now: the next ones when a place has become free, all when one has failed. */
  settle(tracked: Tracked, now: number): readonly RefKey[] {
    const { key, plan } = tracked;
    if (plan === undefined) return [];
    const batch = plan.desired === undefined ? '' : batchOf(plan.desired.source, plan.desired.revision);
    if (plan.heldBy === 'WaitingForTurn') this.#waiting.set(key, batch);
    else this.#waiting.delete(key);
    // One that is back may have been settled before this one, in the same round: then nobody was there yet to be told.
    const again = plan.heldBy === 'WaitingForTurn' && this.#freed ? [key] : [];
    if (plan.desired === undefined) return [...again, ...this.forget(key)];
    if (disruptionAt(plan) >= 0) this.#touched.set(key, { batch, at: now, state: 'down' });
    const touched = this.#touched.get(key);
    if (touched === undefined) return again;
    const before = touched.state;
    touched.state = stateOf(tracked, touched.at, now);
    // Of an earlier batch, and back: nobody waits for it any more.
    if (touched.state === 'up' && touched.batch !== batch) this.#touched.delete(key);
    if (touched.state === 'down' || (touched.state === before && touched.state === (touched.told ?? before))) return again;
    this.#freed = true;
    return this.#next(touched.state === 'failed' ? Number.POSITIVE_INFINITY : LOOKS);
  }

  /** The object is gone. */
  forget(key: RefKey): readonly RefKey[] {
    this.#waiting.delete(key);
    if (!this.#touched.delete(key)) return [];
    this.#freed = true;
    return this.#next(LOOKS);
  }

  /** Of each batch the first ones in order of name: as many as may be down together, and so many more, whose text says who is down. */
  #next(looks: number): RefKey[] {
    const next: RefKey[] = [];
    for (const [batch, group] of Map.groupBy(this.#waiting, ([, of]) => of)) {
      const keys = group.map(([key]) => key).toSorted();
      const touched = keys.length + [...this.#touched.values()].filter((one) => one.batch === batch).length;
      const limits = keys.map((key) => {
        const plan = this.#tracker.objects.get(key)?.plan;
        return plan?.desired === undefined ? 1 : limitOf(plan.kind.maxUnavailable!(plan.desired.spec), touched);
      });
      next.push(...keys.slice(0, Math.max(looks, ...limits)));
    }
    return next;
  }
}

function wasDisruptive({ change, outcome }: IntentRow): boolean {
  if (outcome === 'not-started' || outcome === 'dropped' || outcome === 'superseded') return false;
  return isDisruptive(parseRecordedChange(change).verdict);
}

function stateOf({ running, failures, readiness, plan, recorded }: Tracked, at: number, now: number): Member['state'] {
  const exits = recorded.exits.filter((exit) => exit > at && now - exit < WINDOW_MS);
  if (failures > 0 || exits.length >= MANY_EXITS) return 'failed';
  if (running) return 'down';
  if (readiness !== undefined) return readiness.ready || readiness.usable === true ? 'up' : 'failed';
  // It was started and ended again.
  return plan?.heldBy === 'RestartBackOff' ? 'failed' : 'down';
}
