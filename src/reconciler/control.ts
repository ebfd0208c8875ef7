// What the API may ask of the running reconciler. Handlers translate HTTP to these calls and nothing more.
import type { ObjectStatus } from '../core/object-status.ts';
import type { ResourceRef } from '../core/ref.ts';
import type { Described } from '../kinds/kind.ts';
import type { Problem } from '../schemas/problem.ts';
import type { SourceFile } from '../sources/snapshot.ts';
import type { Downtime } from './downtime.ts';

export interface PlanChange extends Described {
  readonly ref: ResourceRef;
  /** Name of the change (`do`). */
  readonly change: string;
  readonly file?: string;
  readonly line?: number;
  /** Why it does not start yet: needs, budget, confirmation, back-off. */
  readonly waitsFor?: string;
  readonly expectedDowntimeMs?: number;
  readonly downtimeFrom?: Downtime['downtimeFrom'];
  /** Planned with or without the files that were given. */
  readonly pending?: true;
}

/** Objects, each counted as its weightiest change; without those that are pending anyway. */
export interface PlanCounts {
  readonly create: number;
  /** All that is neither created nor deleted; `restart` and `recreate` are among them. */
  readonly change: number;
  readonly restart: number;
  readonly recreate: number;
  readonly delete: number;
  readonly unchanged: number;
}

/** What a saved plan is bound to, for one object. */
export interface PlannedObject {
  readonly ref: ResourceRef;
  /** Keyed hash of what is declared; absent when it is not declared any more. */
  readonly desired?: string;
  /** Hash of its changes: with the same declaration, other changes mean that the host has moved. */
  readonly changes: string;
}

/** Deletions of a source that will wait for a person's word once the plan is in force. */
export interface PlannedConfirmation {
  readonly source: string;
  /** None of them is deleted before that. */
  readonly objects: readonly ResourceRef[];
  /** They stay even then, unless it is given with `--unprotect`. */
  readonly protected: readonly ResourceRef[];
  /** A full sentence. */
  readonly reason: string;
  /** What somebody has to run on the host then. */
  readonly command: string;
}

export interface PlanReport {
  /** Revisions it was made from, by source. */
  readonly revisions: Readonly<Record<string, string>>;
  readonly counts: PlanCounts;
  readonly changes: readonly PlanChange[];
  /** Declared objects for which nothing is planned. */
  readonly unchanged: readonly ResourceRef[];
  readonly problems: readonly Problem[];
  /** Objects whose actual state could not be read: nothing is planned for them. */
  readonly unknown: readonly { readonly ref: ResourceRef; readonly because: string }[];
  readonly confirmations: readonly PlannedConfirmation[];
  readonly objects: readonly PlannedObject[];
  /** Hash over `objects`: equal for plans that would do the same. */
  readonly hash: string;
}

export interface SourceStatus {
  readonly name: string;
  /** Empty when it is no longer configured. */
  readonly location: string;
  /**
   * `unconfigured`: objects are owned by it and stay as they are until it is forgotten. `forgotten`: they are to be deleted, under the
   * guard of all deletions.
   */
  readonly state: 'read' | 'stored' | 'unconfigured' | 'forgotten';
  readonly revision: string | undefined;
  readonly objects: number;
  readonly problems: readonly Problem[];
  readonly error: string | undefined;
  readonly lastRead: number | undefined;
}

export interface Confirmation {
  /** What would be done to the objects. */
  readonly action: 'delete' | 'recreate' | 'restart' | 'adopt';
  /** The source that owns them. */
  readonly source: string;
  readonly hash: string;
  readonly objects: readonly ResourceRef[];
  /** Not declared either, but protected: they stay unless `unprotect` is given. */
  readonly protected: readonly ResourceRef[];
  readonly reason: string;
  readonly askedAt: number;
}

/** Deleted or replaced data that can still be brought back. */
export interface TombstoneStatus {
  /** The object it is of. */
  readonly ref: ResourceRef;
  readonly pool: string;
  readonly name: string;
  /** `deleted`: with its object. `replaced`: a former root volume. `returning`: it is being brought back. */
  readonly why: 'deleted' | 'replaced' | 'returning';
  readonly buriedAt: number;
  readonly expiresAt: number;
  /** What removing it would free; undefined while it was not measured. */
  readonly bytes?: number;
}

export interface ForgottenObjects {
  readonly source: string;
  /** Kept, or to be deleted once that is confirmed. */
  readonly objects: readonly ResourceRef[];
  /** Could not be kept: their deletion has begun, or how they were declared is not known. They stay as they are. */
  readonly left: readonly ResourceRef[];
}

export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly prefix: string;
  readonly stateDir: string;
  readonly ready: boolean;
  readonly objects: readonly ObjectStatus[];
  readonly sources: readonly SourceStatus[];
  readonly confirmations: readonly Confirmation[];
  /** Oldest first. */
  readonly tombstones: readonly TombstoneStatus[];
  /** The host is being shut down: nothing is started or changed before it has booted again. */
  readonly draining: boolean;
  /** All objects Ready, no problems, no confirmation asked for. */
  readonly settled: boolean;
}

export interface ObjectDescription {
  readonly status: ObjectStatus;
  /** The manifest's document and the resolved spec, redacted. */
  readonly document: unknown;
  readonly spec: unknown;
  readonly allocations: Readonly<Record<string, string>>;
  readonly history: readonly {
    readonly change: string;
    readonly openedAt: number;
    readonly closedAt: number | null;
    readonly outcome: string | null;
    readonly revision: string;
  }[];
}

export interface ApplyResult {
  readonly objects: readonly { readonly ref: ResourceRef; readonly result: 'created' | 'changed' | 'unchanged' }[];
  readonly problems: readonly Problem[];
}

export interface Control {
  status(): DaemonStatus;
  describe(ref: ResourceRef): ObjectDescription;
  /** All objects a short form may mean: `web`, `Instance/web`, a full key. */
  find(text: string): readonly ResourceRef[];
  /** With files: the plan as it would be if the stored source `source` also held these (upsert), or held only these (`replace`). */
  plan(files?: readonly SourceFile[], options?: { readonly source?: string; readonly replace?: boolean }): Promise<PlanReport>;
  /** Reads sources again and looks at every object. Resolves when the round is planned. `plan`: a saved one, refused when stale. */
  sync(source?: string, actor?: string, plan?: readonly PlannedObject[]): Promise<void>;
  /** Looks at one object again now; a back-off or a fight of it ends. Resolves when that is planned. */
  tryAgain(ref: ResourceRef, actor: string): Promise<void>;
  /** A webhook says that a source's remote has moved: it is looked at soon. Returns at once. */
  sourceMoved(source: string): void;
  /**
   * Upserts the files' objects into a stored source (`api` by default). Nothing is stored when there are problems, or when the saved
   * `plan` is stale (PLAN_STALE).
   */
  apply(
    files: readonly SourceFile[],
    options: { readonly source?: string; readonly prune?: boolean; readonly plan?: readonly PlannedObject[]; readonly actor: string },
  ): Promise<ApplyResult>;
  /** Deletes an API object by name; refused (OWNED_BY_OTHER_SOURCE, with file and line) for what a manifest declares. */
  delete(ref: ResourceRef, actor: string): Promise<void>;
  /** `name`: of one of its tombstones; else the newest of its deletion. */
  undelete(ref: ResourceRef, options: { readonly name?: string; readonly actor: string }): Promise<void>;
  /** Ends tombstones now; returns them. They are removed soon after. */
  purge(target: ResourceRef | 'all', actor: string): Promise<readonly TombstoneStatus[]>;
  /** `unprotect`: what is protected may be deleted, too. */
  confirm(source: string, hash: string, options: { readonly unprotect?: boolean; readonly actor: string }): Promise<Confirmation>;
  /** Of a source that is no longer configured: `keep` makes its objects objects of the stored source `api`, `prune` has them deleted. */
  forgetSource(source: string, how: 'keep' | 'prune', actor: string): Promise<ForgottenObjects>;
}
