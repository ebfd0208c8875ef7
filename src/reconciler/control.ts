// What the API may ask of the running reconciler. Handlers translate HTTP to these calls and nothing more.
import type { ObjectStatus } from '../core/object-status.ts';
import type { ResourceRef } from '../core/ref.ts';
import type { Described } from '../kinds/kind.ts';
import type { Problem } from '../schemas/problem.ts';
import type { SourceFile } from '../sources/snapshot.ts';

export interface PlanChange extends Described {
  readonly ref: ResourceRef;
  /** Name of the change (`do`). */
  readonly change: string;
  readonly file?: string;
  readonly line?: number;
  /** Why it does not start yet: needs, budget, confirmation, back-off. */
  readonly waitsFor?: string;
}

export interface PlanReport {
  /** Revisions it was made from, by source. */
  readonly revisions: Readonly<Record<string, string>>;
  readonly changes: readonly PlanChange[];
  readonly problems: readonly Problem[];
  /** Objects whose actual state could not be read: nothing is planned for them. */
  readonly unknown: readonly { readonly ref: ResourceRef; readonly because: string }[];
  /** Hash over everything above; a saved plan is applied only while a new plan has the same. */
  readonly hash: string;
}

export interface SourceStatus {
  readonly name: string;
  readonly location: string;
  readonly revision: string | undefined;
  readonly objects: number;
  readonly problems: readonly Problem[];
  readonly error: string | undefined;
  readonly lastRead: number | undefined;
}

export interface Confirmation {
  readonly source: string;
  readonly hash: string;
  readonly objects: readonly ResourceRef[];
  readonly reason: string;
  readonly askedAt: number;
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
  /** Reads sources again and looks at every object. Resolves when the round is planned. */
  sync(source?: string, actor?: string): Promise<void>;
  /** A webhook says that a source's remote has moved: it is looked at soon. Returns at once. */
  sourceMoved(source: string): void;
  /** Upserts the files' objects into a stored source (`api` by default). Nothing is stored when there are problems. */
  apply(
    files: readonly SourceFile[],
    options: { readonly source?: string; readonly prune?: boolean; readonly actor: string },
  ): Promise<ApplyResult>;
  /** Deletes an API object by name; refused (OWNED_BY_OTHER_SOURCE, with file and line) for what a manifest declares. */
  delete(ref: ResourceRef, actor: string): Promise<void>;
  undelete(ref: ResourceRef, actor: string): Promise<void>;
  confirm(source: string, hash: string, actor: string): Promise<Confirmation>;
}
