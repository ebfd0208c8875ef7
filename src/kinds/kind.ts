// What the reconciler asks of a resource kind. It knows no kind by name: everything kind-specific is behind this interface.
//
//   document --resolve--> spec --needs, allocate--> (recorded) --diff(spec, actual)--> changes --apply--> host
//
// `resolve`, `needs`, `allocate`, `diff`, `holds`, `describe`, `condition`, `details` are pure and synchronous. Only `observe`
// (reads, through HostView) and `apply` (writes, through Host) touch anything.
import type { AppError } from '../core/errors.ts';
import type { HoldRule, Reason } from '../core/reasons.ts';
import type { KindName, ResourceRef } from '../core/ref.ts';
import type { Host } from '../host/ports/host.ts';
import type { HostCapabilities } from '../host/ports/capabilities.ts';
import type { TombstoneReading } from '../host/ports/storage.ts';
import type { HostView } from '../host/ports/view.ts';
import type { Paths } from '../core/paths.ts';
import type { ManifestDocument, Origin } from '../schemas/document.ts';
import type { MaxUnavailable } from '../schemas/kinds/update.ts';
import type { Problem } from '../schemas/problem.ts';
import type { ApplyRun, Outcome } from './changes.ts';

/**
 * `absent` needs positive proof: a complete listing without the object. Every failure, timeout or partial listing is `unknown`,
 * and unknown never creates and never deletes.
 */
export type Observed<Actual> =
  | { readonly is: 'present'; readonly actual: Actual }
  | { readonly is: 'absent' }
  | { readonly is: 'unknown'; readonly because: AppError };

/** Something that must be there before this object is created, started, recreated or replugged. */
export interface Need {
  readonly ref: ResourceRef;
  /** `Present`: there and active. `Running`: an instance, running since it last started. */
  readonly condition: 'Present' | 'Running';
  /** Only making the object (anew) waits for it: once made, it starts and restarts without. */
  readonly only?: 'making';
  /** Where the manifest asks for it, e.g. `devices.eth0.network`. */
  readonly field: string;
}

/** A value that must be unique on this host and stay the same for an object's life: an id range, a MAC, an address, a subnet. */
export interface Allocation {
  /** `SCOPE` or `SCOPE:KEY`; values are unique within SCOPE. `idrange`, `hwaddr:eth0`, `ipv4:lan:eth0`, `subnet4`. */
  readonly what: string;
  readonly value: string;
}

/** How a change lands. Asked of the option registry for fields; `create`, `delete`, `repair` are the reconciler's own. */
export type Verdict = 'create' | 'live' | 'replug' | 'restart' | 'recreate' | 'rename' | 'delete' | 'repair' | 'power';

export interface FieldChange {
  /** As in the manifest: `config.limits.memory`. */
  readonly field: string;
  readonly from?: string;
  readonly to?: string;
  /** `from` and `to` say only whether there is a value: it is never shown. */
  readonly secret?: true;
  /** The new value is found out while applying: an image's fingerprint. */
  readonly knownAfterApply?: true;
}

/** Stands for the value of a secret in a `FieldChange`. */
export const SECRET_VALUE = '(secret)';

/** A change in words, for plan, audit log, events and UI. Never holds a secret. */
export interface Described {
  readonly verdict: Verdict;
  /** One clause, lower case: `restart with a new root size`. */
  readonly summary: string;
  readonly fields: readonly FieldChange[];
  /** Expected downtime in words, when there is any: `about 1 s`. */
  readonly downtime?: string;
  /** The guest may take this long to shut down before it is stopped by force (ms). With it, the downtime is worked out from earlier runs. */
  readonly shutdownLimitMs?: number;
}

/** What the ledger knows of an object. */
export interface Recorded {
  readonly uid: string;
  readonly ref: ResourceRef;
  readonly source: string;
  /** Allocations by `what`; while planning, those just proposed are already in. */
  readonly allocations: ReadonlyMap<string, string>;
  /** The spec last applied without error; undefined before the first time. Secrets are fingerprints. */
  readonly applied: unknown;
  /** Deletes are refused while set. */
  readonly protected: boolean;
  /** A change that was begun and waits (Outcome.waiting). */
  readonly waiting: { readonly change: string; readonly sinceMs: number; readonly deadlineMs: number } | undefined;
  /** When a change named `start` was followed by an exit that no change of ours asked for, newest last (epoch ms, at most 20). */
  readonly exits: readonly number[];
  /** When a change named `start` last succeeded (epoch ms). */
  readonly startedAt: number | undefined;
  /** The object is to be brought back from this tombstone instead of being made anew (undelete). */
  readonly tombstone?: { readonly pool: string; readonly name: string };
  /** Where its present data was to go when it was last to be replaced; it is there if what was to be replaced is gone. */
  readonly replacing?: { readonly pool: string; readonly name: string };
  /** True until the object was looked at for the first time after the host booted. */
  readonly firstLookSinceBoot: boolean;
  /** What it was called before; something of it may still lie on the host under that name. */
  readonly renamedFrom?: ResourceRef;
  /** Hash of the consent (PlannedStep.hold) that a person has given. */
  readonly agreed?: string;
}

/** Everything pure code may know besides its own object. */
export interface Facts {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly bootId: string;
  readonly prefix: string;
  readonly paths: Paths;
  readonly host: HostCapabilities;
  /** Values taken in a scope, by anyone: ledger, claim files of other daemons, subnets and addresses seen on the host. */
  taken(scope: string): ReadonlySet<string>;
  /** The first of a scope's candidates that is not taken. They must be the same at every call: one plan goes through them once. */
  free(scope: string, candidates: () => Iterable<string>): string | undefined;
  /** The resolved spec of another desired object. */
  desired(ref: ResourceRef): unknown;
  /** What was last observed of another object in this round; undefined when it was not present. */
  actual(ref: ResourceRef): unknown;
  recorded(ref: ResourceRef): Recorded | undefined;
  /** Tombstones of ours in a pool, oldest first. */
  tombstones(pool: string): readonly Tombstone[];
  /** How long deleted data is kept, and how much of a pool it may take. */
  readonly retention: Retention;
}

export interface Retention {
  readonly ms: number;
  /** Part of the pool's size, 0 to 1. */
  readonly share: number;
}

/** Deleted data that can still be brought back. */
export interface Tombstone {
  readonly uid: string;
  /** Name below the pool's `.tombstones`. */
  readonly name: string;
  /**
   * `deleted`: with its object. `replaced`: a former root volume. `replacing`: one that may not be there yet, `returning`: one that is being
   * brought back; these two do not expire.
   */
  readonly why: 'deleted' | 'replacing' | 'replaced' | 'returning';
  /** Epoch ms. */
  readonly buriedAt: number;
  /** Epoch ms; after it, it is removed for good. */
  readonly expiresAt: number;
}

/** What is being brought back does not, nor what may not be buried yet. */
export function mayEnd({ why }: Pick<Tombstone, 'why'>): boolean {
  return why !== 'returning' && why !== 'replacing';
}

/** Other documents, for `resolve`. */
export interface Lookup {
  document(ref: ResourceRef): ManifestDocument | undefined;
}

export interface Resolved<Spec> {
  /** Undefined when there are problems that make the spec unusable. */
  readonly spec: Spec | undefined;
  readonly problems: readonly Problem[];
}

/** Why an object is not Ready although nothing is left to change, or that it is. */
export interface Readiness {
  readonly ready: boolean;
  /** It runs (instances): what a need with condition `Running` asks for. */
  readonly running?: boolean;
  /** Not as it is declared, but it serves those that need it as it did before. */
  readonly usable?: boolean;
  readonly reason: Reason;
  readonly message: string;
}

/** What a person is asked to agree to. */
export interface Consent {
  readonly action: 'recreate' | 'restart';
  /** Over what would be done: an agreement holds for exactly this. */
  readonly hash: string;
  /** What would be done and why, as a full sentence that does not name the object. */
  readonly reason: string;
}

/**
 * What a change is that nothing declared asks for:
 * - `upkeep`: our own clean-up, which time or other work of ours brings. It is never drift.
 * - `ended`: a process that ended is started again. The engine does so later and later when it goes on.
 * - `policy`: the same, where the kind itself decides when.
 */
export type Unasked = 'upkeep' | 'ended' | 'policy';

export interface PlannedStep<Change> {
  readonly change: Change;
  /** It and all steps behind it are not to be started, whatever else. `waitsFor` is a noun phrase. */
  readonly hold?: { readonly waitsFor: string; readonly rule: HoldRule; readonly consent?: Consent };
  /** Set by the engine where nothing that is declared asks for it: somebody changed the host (`drift`), or `upkeep`. */
  readonly origin?: 'drift' | 'upkeep';
  /** Not before this time (epoch ms): restart back-off. The engine looks again then. */
  readonly notBefore?: number;
}

export interface DiffInput<Spec, Actual> {
  readonly ref: ResourceRef;
  /** Undefined: the object is no longer declared and is to be deleted. */
  readonly desired: Spec | undefined;
  /** Undefined: it is absent (proved). */
  readonly actual: Actual | undefined;
  /** Always there while planning: an object gets its record (uid, allocations) before its first change. */
  readonly recorded: Recorded;
  readonly facts: Facts;
}

export interface Kind<Spec, Actual, Change extends { readonly do: string }> {
  readonly name: KindName;
  /** It exists by being declared and has no effect on the host (Profile): once undeclared, it is gone. */
  readonly declarationOnly?: true;
  /** Merges profiles and defaults, turns strings into numbers. Offline. Problems are located in the document they come from. */
  resolve(document: ManifestDocument, lookup: Lookup): Resolved<Spec>;
  needs(spec: Spec, ref: ResourceRef): readonly Need[];
  /** Allocations this spec needs and `recorded` has not. Values come from facts only, so that planning twice gives the same. */
  allocate(spec: Spec, recorded: Recorded, facts: Facts): readonly Allocation[];
  /** Reads only `view`. No process is started per object. */
  observe(view: HostView, ref: ResourceRef, recorded: Recorded | undefined, signal: AbortSignal): Promise<Observed<Actual>>;
  /** Changes that lead from actual to desired, in order; empty when converged. Never called for `unknown`. */
  diff(input: DiffInput<Spec, Actual>): readonly PlannedStep<Change>[];
  /** Asked again right before apply: does this change still make sense? */
  holds(change: Change, now: Observed<Actual>): boolean;
  /** Carries out exactly one change; safe to repeat after a crash half-way. */
  apply(host: Host, ref: ResourceRef, change: Change, run: ApplyRun): Promise<Outcome>;
  describe(change: Change, origin: Origin | undefined): Described;
  /** Milliseconds after which the change is given up as TIMED_OUT. Default 2 minutes. */
  deadlineMs?(change: Change): number;
  /** What this change is when nothing declared has changed; undefined: somebody else changed a field of it. */
  unasked?(change: Change): Unasked | undefined;
  /** True when this change has to wait for the object's needs (create, start, recreate, replug). */
  waitsForNeeds(change: Change): boolean;
  /** True when the object is made, or made anew, from this change on: then also needs that only making has count. Default: `create`. */
  makes?(change: Change): boolean;
  /** How many of the objects that one revision takes down may be down together. A kind without it is never held for that. */
  maxUnavailable?(spec: Spec): MaxUnavailable;
  /** Is the object what it should be, once diff is empty? Also asked to find out whether others' needs are met. */
  condition(spec: Spec, actual: Actual, recorded: Recorded, facts: Facts): Readiness;
  /** What `get` and `describe` show of the live object: state, addresses, fingerprint, sizes. No secrets. */
  details(actual: Actual, recorded: Recorded): Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** Deleted data it holds, with its size where that was measured. */
  tombstones?(actual: Actual): readonly TombstoneReading[];
  /** The spec as it may be stored and shown: secret values replaced by keyed fingerprints. */
  redact(spec: Spec, fingerprint: (secret: string) => string): unknown;
}

/** A kind with its types erased, as the engine holds it. */
export type AnyKind = Kind<unknown, unknown, { readonly do: string }>;

export function erase<Spec, Actual, Change extends { readonly do: string }>(kind: Kind<Spec, Actual, Change>): AnyKind {
  return kind;
}

export type KindTable = ReadonlyMap<KindName, AnyKind>;
