// The ledger's interface: what the program remembers in `<state-dir>/ledger.db`. One file per table implements it; nobody else writes
// SQL. All calls are synchronous (node:sqlite) and short; `transaction` makes several one commit (WAL, synchronous=FULL).
import type { LockstepEvent, NewEvent } from '../core/events.ts';
import type { RefKey, ResourceRef } from '../core/ref.ts';
import type { ChainCheck, ChainHead, ChainVerdict } from './audit-chain.ts';

export interface ObjectRow {
  readonly uid: string;
  readonly ref: ResourceRef;
  /** Name of the source that owns it. */
  readonly source: string;
  readonly path: string;
  readonly line: number;
  /** The last valid document as canonical JSON (apiVersion, kind, metadata, spec), secrets fingerprinted. */
  readonly document: string;
  /** The spec last applied (redacted, canonical JSON) and its hash; null before the first time. */
  readonly applied: string | null;
  readonly appliedHash: string | null;
  readonly appliedRevision: string | null;
  readonly protected: boolean;
  /** Still declared by its source. False: to be deleted (waiting for settle, budget, confirmation or order). */
  readonly declared: boolean;
  readonly createdAt: number;
}

export interface ObjectTable {
  all(): readonly ObjectRow[];
  get(ref: ResourceRef): ObjectRow | undefined;
  byUid(uid: string): ObjectRow | undefined;
  /** Inserts or replaces by uid. */
  put(row: ObjectRow): void;
  setApplied(uid: string, applied: string, hash: string, revision: string): void;
  /** Removes the row and its allocations. */
  remove(uid: string): void;
}

export interface AllocationRow {
  readonly uid: string;
  /** `SCOPE` or `SCOPE:KEY`. */
  readonly what: string;
  readonly value: string;
}

export interface AllocationTable {
  all(): readonly AllocationRow[];
  of(uid: string): ReadonlyMap<string, string>;
  /** Values taken in a scope by any object or tombstone. */
  taken(scope: string): ReadonlySet<string>;
  /** Throws CONFLICT when the value is taken in that scope by another uid. */
  add(row: AllocationRow): void;
  release(uid: string, what?: string): void;
  /** Moves all allocations of an object to its tombstone (they stay taken) or back. */
  move(fromUid: string, toUid: string): void;
}

export interface IntentRow {
  readonly id: number;
  readonly uid: string;
  readonly ref: RefKey;
  /** Name of the change and its redacted fields as JSON. */
  readonly change: string;
  readonly openedAt: number;
  readonly closedAt: number | null;
  /** `done`, `waiting`, `dropped`, an error code; null while open. */
  readonly outcome: string | null;
  readonly revision: string;
}

export interface IntentTable {
  /** Write-ahead: call inside one transaction for all changes that start together. Drops each object's oldest closed ones (KEPT_INTENTS). */
  open(intents: readonly Omit<IntentRow, 'id' | 'closedAt' | 'outcome'>[]): readonly number[];
  close(id: number, outcome: string, at: number): void;
  openIntents(): readonly IntentRow[];
  /** Newest first. */
  history(uid: string, limit: number): readonly IntentRow[];
  /** Newest first, of every object that had this name, also of those that are gone. */
  historyOf(ref: RefKey, limit: number): readonly IntentRow[];
  /** Opened at that time or later, oldest first. */
  since(at: number): readonly IntentRow[];
  /** Deletes closed intents beyond `keep` per object. */
  prune(keep: number): void;
}

export interface DocumentRow {
  readonly ref: ResourceRef;
  /** Name of the stored API source. */
  readonly source: string;
  readonly text: string;
  readonly updatedAt: number;
}

/** Objects made through the API: the content of the stored sources. */
export interface DocumentTable {
  all(): readonly DocumentRow[];
  put(row: DocumentRow): void;
  remove(ref: ResourceRef): void;
}

/**
 * - `deleted`: with its object
 * - `replacing`: where a root volume goes that is being replaced. It may not be there yet, so it is neither shown nor expires
 * - `replaced`: a former root volume of an object that goes on
 * - `returning`: `undelete` was asked for, and its object has not taken it up yet; it does not expire
 */
export type TombstoneReason = 'deleted' | 'replacing' | 'replaced' | 'returning';

/** Known by pool and name: one object may have several. */
export interface TombstoneRow {
  /** The object's. */
  readonly uid: string;
  readonly ref: ResourceRef;
  readonly pool: string;
  /** Name below `.tombstones/`. */
  readonly name: string;
  readonly why: TombstoneReason;
  /** The object's row as JSON when it was buried, for undelete. */
  readonly object: string;
  readonly buriedAt: number;
  readonly expiresAt: number;
}

export interface TombstoneTable {
  /** Oldest first. */
  all(): readonly TombstoneRow[];
  of(uid: string): readonly TombstoneRow[];
  put(row: TombstoneRow): void;
  remove(pool: string, name: string): void;
}

export interface ConfirmationRow {
  readonly source: string;
  /** Hash over the list of objects to delete; a confirmation holds for exactly this list. */
  readonly hash: string;
  readonly objects: readonly RefKey[];
  /** Not declared either, but protected: they stay, unless the confirmation says otherwise. */
  readonly protected: readonly RefKey[];
  readonly reason: string;
  readonly askedAt: number;
  readonly confirmedAt: number | null;
  readonly confirmedBy: string | null;
}

export interface ConfirmationTable {
  all(): readonly ConfirmationRow[];
  put(row: ConfirmationRow): void;
  remove(source: string): void;
}

export interface ConsentRow {
  /** Of the object. */
  readonly uid: string;
  readonly action: 'recreate' | 'restart';
  /** Over what would be done; a confirmation holds for exactly this. */
  readonly hash: string;
  readonly reason: string;
  readonly askedAt: number;
  readonly confirmedAt: number | null;
  readonly confirmedBy: string | null;
}

/** At most one per object: what it waits for a person's word about. */
export interface ConsentTable {
  all(): readonly ConsentRow[];
  put(row: ConsentRow): void;
  remove(uid: string): void;
}

export interface ForgottenRow {
  readonly name: string;
  /** Epoch ms. */
  readonly at: number;
}

/** Sources that are no longer configured and whose objects may go (`source forget --prune`). */
export interface ForgottenTable {
  all(): readonly ForgottenRow[];
  put(row: ForgottenRow): void;
  remove(name: string): void;
}

export interface OperationRow {
  readonly id: string;
  readonly kind: string;
  readonly ref: RefKey;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly detail: string;
}

export interface OperationTable {
  recent(limit: number): readonly OperationRow[];
  put(row: OperationRow): void;
}

export interface OverrideRow {
  readonly id: string;
  readonly ref: ResourceRef;
  readonly patch: string;
  readonly owner: string;
  readonly reason: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface OverrideTable {
  all(): readonly OverrideRow[];
  put(row: OverrideRow): void;
  remove(id: string): void;
}

export interface EventTable {
  /** Bounded: old rows go (keeps the newest 10,000). */
  add(event: NewEvent, at: number): LockstepEvent;
  since(seq: number, limit: number): readonly LockstepEvent[];
  latest(limit: number): readonly LockstepEvent[];
}

export interface AuditEntry {
  readonly seq: number;
  readonly at: number;
  /** `source:NAME@REVISION`, `uid:0`, ... */
  readonly actor: string;
  readonly action: string;
  readonly ref: string;
  readonly detail: string;
  /** sha256 over the previous entry's hash and this entry. */
  readonly hash: string;
}

export interface AuditTable {
  add(entry: Omit<AuditEntry, 'seq' | 'hash'>): AuditEntry;
  latest(limit: number): readonly AuditEntry[];
  /** Newest first: those with a number below `before`, at or after `since` (epoch ms), about `ref`. */
  page(query: { readonly before?: number; readonly since?: number; readonly ref?: string; readonly limit: number }): readonly AuditEntry[];
  /** Oldest first: those with a greater number. */
  after(seq: number, limit: number): readonly AuditEntry[];
  /** The newest entry as the ledger has noted it beside the log. */
  head(): ChainHead;
  /** Checks the whole chain at once; `expected` is a head that was noted elsewhere. */
  verify(expected?: ChainHead): ChainVerdict;
  /** For checking it in parts: give it every entry, then the head. */
  check(expected?: ChainHead): ChainCheck;
}

export interface MetaTable {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

export interface Ledger {
  readonly meta: MetaTable;
  readonly objects: ObjectTable;
  readonly allocations: AllocationTable;
  readonly intents: IntentTable;
  readonly documents: DocumentTable;
  readonly tombstones: TombstoneTable;
  readonly confirmations: ConfirmationTable;
  readonly consents: ConsentTable;
  readonly forgotten: ForgottenTable;
  readonly operations: OperationTable;
  readonly overrides: OverrideTable;
  readonly events: EventTable;
  readonly audit: AuditTable;
  /** Runs `work` in one transaction (BEGIN IMMEDIATE); rolls back when it throws. May not nest. */
  transaction<T>(work: () => T): T;
  /**
   * As `transaction`, but does not wait for the disk: for what is seen again when a power cut takes it away (what happened, what was
   * found converged). Never lost in part, and never without all that was committed after it: a later `transaction` makes it durable.
   */
  note<T>(work: () => T): T;
  close(): void;
}
