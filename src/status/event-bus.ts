// Where events go: into the ledger first, then to everyone who listens. Events of a twentieth of a second are one commit, which
// does not wait for the disk. A crash may lose the last of them; nothing but people depends on them.
import { type Clock, systemClock } from '../core/clock.ts';
import type { EventSink, LockstepEvent, NewEvent } from '../core/events.ts';

/** The part of the ledger that is used. */
export interface EventStore {
  readonly events: {
    add(event: NewEvent, at: number): LockstepEvent;
    since(seq: number, limit: number): readonly LockstepEvent[];
    latest(limit: number): readonly LockstepEvent[];
  };
  note<T>(work: () => T): T;
}

export interface EventBusOptions {
  readonly clock?: Clock;
  /** Told when events could not be stored; they are kept, the newest 1000 of them, and tried again. */
  readonly failed?: (error: unknown) => void;
  /** Default 5 s. */
  readonly retryMs?: number;
  /** Events this close together are one commit. Default 50 ms. */
  readonly gatherMs?: number;
}

const MAX_PENDING = 1000;
const GATHER_MS = 50;

export class EventBus implements EventSink {
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #retryMs: number;
  readonly #gatherMs: number;
  readonly #listeners = new Set<(event: LockstepEvent) => void>();
  #pending: { readonly event: NewEvent; readonly at: number }[] = [];
  #scheduled: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(store: EventStore, options: EventBusOptions = {}) {
    this.#store = store;
    this.#clock = options.clock ?? systemClock;
    this.#failed = options.failed ?? (() => {});
    this.#retryMs = options.retryMs ?? 5000;
    this.#gatherMs = options.gatherMs ?? GATHER_MS;
  }

  /** Never throws, also inside a ledger transaction: storing happens a moment later. After `close` events are dropped. */
  emit(event: NewEvent): void {
    if (this.#closed) return;
    this.#pending.push({ event, at: this.#clock.now() });
    if (this.#pending.length > MAX_PENDING) this.#pending.splice(0, this.#pending.length - MAX_PENDING);
    if (this.#retry === undefined) this.#scheduled ??= setTimeout(() => this.flush(), this.#gatherMs);
  }

  /** Calls `listener` for every event from now on, after it is stored, in order. It must not throw. Returns the unsubscribe function. */
  subscribe(listener: (event: LockstepEvent) => void): () => void {
    // An event emitted before this call belongs to what the subscriber has read before.
    this.flush();
    const own = (event: LockstepEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** The newest `limit` events, oldest first. */
  latest(limit: number): readonly LockstepEvent[] {
    this.flush();
    return this.#store.events.latest(limit);
  }

  /** Events with a greater number, oldest first, at most `limit`. */
  since(seq: number, limit: number): readonly LockstepEvent[] {
    this.flush();
    return this.#store.events.since(seq, limit);
  }

  /** Stores and hands out what was emitted. Must not be called inside a ledger transaction. */
  flush(): void {
    clearTimeout(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#pending.length === 0) return;
    const batch = this.#pending;
    this.#pending = [];
    let stored: LockstepEvent[];
    try {
      stored = this.#store.note(() => batch.map(({ event, at }) => this.#store.events.add(event, at)));
    } catch (error) {
      this.#pending = [...batch, ...this.#pending].slice(-MAX_PENDING);
      this.#tryAgainLater();
      this.#failed(error);
      return;
    }
    for (const event of stored) for (const listener of this.#listeners) listener(event);
  }

  /** Stores what is left; call it before the ledger is closed. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.flush();
    clearTimeout(this.#retry);
    this.#listeners.clear();
  }

  #tryAgainLater(): void {
    clearTimeout(this.#retry);
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.flush();
    }, this.#retryMs);
    this.#retry.unref();
  }
}
