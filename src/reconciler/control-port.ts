// The Control interface over the running reconciler: reading status, previewing, and changing stored objects. Everything that changes
// the host still goes through sources, plan and ledger: these calls only change what is declared, or ask for another look.
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import { canonicalJson } from '../core/hash.ts';
import { isReady } from '../core/object-status.ts';
import { isKindName, parseRefKey, refKey, type ResourceRef, refText } from '../core/ref.ts';
import type { Host } from '../host/ports/host.ts';
import type { KindTable } from '../kinds/kind.ts';
import { documentJson, parseManifests } from '../schemas/parse.ts';
import { formerRef } from '../schemas/checks/renames.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Snapshot, Source, SourceFile } from '../sources/snapshot.ts';
import type { DocumentRow, Ledger } from '../state/ledger.ts';
import type {
  ApplyResult,
  Confirmation,
  Control,
  DaemonStatus,
  ForgottenObjects,
  ObjectDescription,
  PlannedObject,
  PlanReport,
  SourceStatus,
  TombstoneStatus,
} from './control.ts';
import { Confirmer } from './confirmer.ts';
import { DeletionControl } from './deletion-control.ts';
import type { SourceInput } from './desired.ts';
import type { Reconciler } from './loop.ts';
import { preview } from './preview.ts';
import { redactDocument } from './redact-document.ts';
import { requestEntry } from './audit-entries.ts';
import { fieldDifferences } from '../core/field-diff.ts';
import { refuseStale } from './saved-plan.ts';
import { recordNewBeginning } from './recording.ts';
import type { SourceSet } from './source-set.ts';
import type { Tracked } from './tracker.ts';

export const DEFAULT_STORED_SOURCE = 'api';
const HISTORY = 20;
/** Enough to hold the last few restarts. */
const TIMED_INTENTS = 100;
/** `sync` asks remotes, and goes on with what is there when they do not answer by then. */
const SYNC_LOOK_MS = 60_000;

export interface ControlOptions {
  readonly reconciler: Reconciler;
  readonly ledger: Ledger;
  readonly kinds: KindTable;
  readonly host: Host;
  readonly sources: SourceSet;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly fingerprint: (secret: string) => string;
  /** Makes the Source over a stored source's documents; the same path a document has there. */
  readonly storedSource: (name: string) => Source;
  readonly storedFile: (row: DocumentRow) => SourceFile;
  readonly about: Pick<DaemonStatus, 'version' | 'pid' | 'startedAt' | 'prefix' | 'stateDir'>;
}

export class ReconcilerControl implements Control {
  readonly #o: ControlOptions;

  readonly #deletions: DeletionControl;

  constructor(options: ControlOptions) {
    this.#o = options;
    this.#deletions = new DeletionControl({ ...options, storedChanged: (source) => this.#storedChanged(source) });
  }

  status(): DaemonStatus {
    const { reconciler, about } = this.#o;
    const objects = [...reconciler.tracker.objects.values()]
      .map((tracked) => reconciler.tracker.status(tracked))
      .toSorted((a, b) => (refKey(a.ref) < refKey(b.ref) ? -1 : 1));
    const confirmations = new Confirmer(this.#o).waiting();
    const sources = this.#sources();
    const sound = sources.every((source) => source.error === undefined && !source.problems.some((problem) => problem.severity === 'error'));
    return {
      ...about,
      ready: reconciler.ready,
      draining: reconciler.draining,
      objects,
      sources,
      confirmations,
      tombstones: this.#deletions.tombstones(),
      settled: reconciler.ready && reconciler.idle && !reconciler.draining && sound && confirmations.length === 0 && objects.every(isReady),
    };
  }

  describe(ref: ResourceRef): ObjectDescription {
    const { reconciler, ledger, kinds } = this.#o;
    const tracked = this.#tracked(ref);
    const desired = tracked.desired;
    reconciler.writeOutcomes();
    return {
      status: reconciler.tracker.status(tracked),
      document: redactDocument(tracked.row.document, this.#o.fingerprint),
      spec: desired === undefined ? undefined : kinds.get(ref.kind)?.redact(desired.spec, this.#o.fingerprint),
      allocations: Object.fromEntries(tracked.recorded.allocations),
      history: ledger.intents.history(tracked.row.uid, HISTORY).map(({ change, openedAt, closedAt, outcome, revision }) => ({
        change: changeText(change),
        openedAt,
        closedAt,
        outcome,
        revision,
      })),
    };
  }

  find(text: string): readonly ResourceRef[] {
    const exact = parseRefKey(text);
    const all = [...this.#o.reconciler.tracker.objects.values()].map((tracked) => tracked.ref);
    const buried = this.#o.ledger.tombstones.all().map((row) => row.ref);
    const known = [...new Map([...all, ...buried].map((ref) => [refKey(ref), ref])).values()];
    if (exact !== undefined) return known.filter((ref) => refKey(ref) === refKey(exact));
    const [first, ...rest] = text.split('/');
    const kind = rest.length > 0 ? first : undefined;
    const name = rest.length > 0 ? rest.at(-1) : first;
    return known.filter((ref) => ref.name === name && (kind === undefined || sameKind(ref, kind)));
  }

  async plan(files?: readonly SourceFile[], options: { source?: string; replace?: boolean } = {}): Promise<PlanReport> {
    return (await this.#preview(files, options.source ?? DEFAULT_STORED_SOURCE, options.replace === true)).report;
  }

  async #preview(files: readonly SourceFile[] | undefined, source: string, replace: boolean): ReturnType<typeof preview> {
    const { reconciler, host, kinds, ledger, fingerprint } = this.#o;
    reconciler.writeOutcomes();
    return await preview({
      reconciler,
      host,
      kinds,
      sources: files === undefined ? this.#inputs() : this.#inputsWith(files, source, replace),
      given: files === undefined ? undefined : { source, paths: new Set(files.map((file) => file.path)) },
      intents: (uid) => ledger.intents.history(uid, TIMED_INTENTS),
      fingerprint,
    });
  }

  async sync(source?: string, actor?: string, saved?: readonly PlannedObject[]): Promise<void> {
    if (source !== undefined && this.#o.sources.find(source) === undefined) {
      throw new AppError(
        'NOT_FOUND',
        { source },
        { message: `There is no source "${source}".`, hint: `Configured: ${this.#sourceNames().join(', ')}.` },
      );
    }
    if (saved !== undefined) refuseStale(saved, await this.plan());
    if (actor !== undefined) {
      const ref = source === undefined ? '' : `source:${source}`;
      this.#o.ledger.audit.add(requestEntry({ at: this.#o.clock.now(), actor, action: 'sync', ref }, { summary: 'look again now' }));
    }
    await this.#o.sources.lookNow(source, AbortSignal.timeout(SYNC_LOOK_MS));
    await this.#o.reconciler.sync(source, { event: 'Sync', ...(actor === undefined ? {} : { about: actor }) });
  }

  async tryAgain(ref: ResourceRef, actor: string): Promise<void> {
    const { ledger, clock, reconciler } = this.#o;
    const tracked = this.#tracked(ref);
    const at = clock.now();
    ledger.transaction(() => {
      ledger.audit.add(requestEntry({ at, actor, action: 'sync', ref: tracked.key }, { summary: 'look at it again now' }));
      if (tracked.drift.repairs.size > 0) recordNewBeginning(ledger, tracked.row, at);
    });
    await reconciler.tryAgain(tracked, { event: 'Sync', about: actor });
  }

  sourceMoved(source: string): void {
    this.#o.sources.find(source)?.source.poke?.();
  }

  async apply(
    files: readonly SourceFile[],
    options: { source?: string; prune?: boolean; plan?: readonly PlannedObject[]; actor: string },
  ): Promise<ApplyResult> {
    const { ledger, sources, clock } = this.#o;
    const source = options.source ?? DEFAULT_STORED_SOURCE;
    const existing = sources.find(source);
    if (existing !== undefined && existing.source.stored !== true) {
      throw new AppError(
        'CONFLICT',
        { source },
        { message: `The source "${source}" is read from ${existing.source.location}; only stored sources take objects.` },
      );
    }
    const parsed = parseManifests(files.map((file) => ({ path: file.path, text: file.text ?? '', source })));
    const { desired, report } = await this.#preview(files, source, options.prune === true);
    const problems = [...parsed.problems, ...problemsOf(files, desired.problems, parsed.problems)];
    if (problems.some((problem) => problem.severity === 'error')) return { objects: [], problems };
    // Nothing is awaited from here to the commit: what was compared is what is stored.
    if (options.plan !== undefined) refuseStale(options.plan, report);

    const before = new Map(ledger.documents.all().map((row) => [refKey(row.ref), row]));
    const now = clock.now();
    const rows = parsed.documents.map((document) => ({ ref: document.ref, source, text: documentJson(document), updatedAt: now }));
    const objects = rows.map(({ ref, text }) => ({ ref, result: resultOf(before.get(refKey(ref)), text) }));
    const kept = new Set(rows.map((row) => refKey(row.ref)));
    const renamed = parsed.documents
      .flatMap((document) => formerRef(document) ?? [])
      .filter((ref) => before.get(refKey(ref))?.source === source);
    const pruned = options.prune === true ? [...before.values()].filter((row) => row.source === source && !kept.has(refKey(row.ref))) : [];
    ledger.transaction(() => {
      for (const row of rows) ledger.documents.put(row);
      for (const row of pruned) ledger.documents.remove(row.ref);
      for (const ref of renamed) if (!kept.has(refKey(ref))) ledger.documents.remove(ref);
      for (const [index, { ref, result }] of objects.entries()) {
        if (result !== 'unchanged') this.#audit(options.actor, 'apply', ref, source, before.get(refKey(ref))?.text, rows[index]!.text);
      }
      for (const { ref, text } of pruned) this.#audit(options.actor, 'prune', ref, source, text, undefined);
    });
    this.#storedChanged(source);
    return { objects, problems };
  }

  async delete(ref: ResourceRef, actor: string): Promise<void> {
    const { ledger, sources } = this.#o;
    const tracked = this.#tracked(ref);
    const { source, path, line } = tracked.row;
    const stored = sources.find(source)?.source.stored === true;
    if (!stored) {
      const hint = `Remove it from ${path}:${line} instead.`;
      const message = `${refText(ref)} is declared by the source "${source}" at ${path}:${line}.`;
      throw new AppError('OWNED_BY_OTHER_SOURCE', { source, path, line }, { message, hint });
    }
    if (tracked.row.protected) {
      const hint = 'Apply it with security.protection.delete set to "false" (or without it) first.';
      throw new AppError('PROTECTED', {}, { message: `${refText(ref)} is protected against deletion.`, hint });
    }
    ledger.transaction(() => {
      ledger.documents.remove(ref);
      this.#audit(actor, 'delete', ref, source, tracked.row.document, undefined);
    });
    this.#storedChanged(source);
  }

  async undelete(ref: ResourceRef, options: { name?: string; actor: string }): Promise<void> {
    this.#deletions.undelete(ref, options);
  }

  async purge(target: ResourceRef | 'all', actor: string): Promise<readonly TombstoneStatus[]> {
    return this.#deletions.purge(target, actor);
  }

  async confirm(source: string, hash: string, options: { unprotect?: boolean; actor: string }): Promise<Confirmation> {
    return new Confirmer(this.#o).confirm(source, hash, options);
  }

  async forgetSource(source: string, how: 'keep' | 'prune', actor: string): Promise<ForgottenObjects> {
    return this.#deletions.forget(source, how, actor);
  }

  /** What somebody has put into a stored source or taken out of it, before and after. */
  #audit(actor: string, action: string, ref: ResourceRef, source: string, before: string | undefined, after: string | undefined): void {
    const { ledger, clock, fingerprint } = this.#o;
    const [from, to] = [before, after].map((text) => (text === undefined ? undefined : redactDocument(text, fingerprint)));
    const summary =
      after === undefined ? 'take it out of the source' : before === undefined ? 'put it into the source' : 'change it in the source';
    ledger.audit.add(requestEntry({ at: clock.now(), actor, action, ref }, { summary, source, fields: fieldDifferences(from, to) }));
  }

  #tracked(ref: ResourceRef): Tracked {
    const tracked = this.#o.reconciler.tracker.objects.get(refKey(ref));
    if (tracked === undefined) throw new AppError('NOT_FOUND', {}, { message: `There is no ${refText(ref)}.` });
    return tracked;
  }

  #sourceNames(): string[] {
    return this.#o.sources.entries.map((entry) => entry.source.name);
  }

  #storedChanged(source: string): void {
    const { sources, reconciler, storedSource } = this.#o;
    if (sources.find(source) === undefined) sources.add(storedSource(source));
    reconciler.sourcesChanged(source);
  }

  #inputs(): SourceInput[] {
    return this.#o.sources.inputs();
  }

  /** The sources as they would be if the stored source held these files too, or only these. */
  #inputsWith(files: readonly SourceFile[], source: string, replace: boolean): SourceInput[] {
    const { ledger, storedFile } = this.#o;
    const given = parseManifests(files.map((file) => ({ path: file.path, text: file.text ?? '', source })));
    // What is renamed gives its former name up.
    const replaced = new Set(
      given.documents.flatMap((document) => [document.ref, formerRef(document) ?? []].flat()).map((ref) => refKey(ref)),
    );
    const rows = ledger.documents.all().filter((row) => row.source === source && !replaced.has(refKey(row.ref)));
    const snapshot: Snapshot = {
      source,
      revision: 'preview',
      files: [...(replace ? [] : rows.map(storedFile)), ...files],
      complete: true,
      stored: true,
      since: 0,
    };
    return [...this.#inputs().filter((input) => input.name !== source), { name: source, snapshot }];
  }

  #sources(): SourceStatus[] {
    const { intake, tracker } = this.#o.reconciler;
    const problems = intake.problemsBySource();
    const forgotten = new Set(this.#o.ledger.forgotten.all().map((one) => one.name));
    const known = this.#o.sources.entries.map(({ source, snapshot, error, lastRead }): SourceStatus => {
      return {
        name: source.name,
        location: source.location,
        state: forgotten.has(source.name) ? 'forgotten' : source.stored === true ? 'stored' : 'read',
        revision: snapshot?.revision,
        objects: tracker.owned(source.name),
        problems: problems.get(source.name) ?? [],
        error,
        lastRead: source.checkedAt ?? lastRead,
      };
    });
    const gone = this.#deletions.unconfigured().map((name): SourceStatus => {
      const rest = { revision: undefined, problems: [], error: undefined, lastRead: undefined };
      return { name, location: '', state: 'unconfigured', objects: tracker.owned(name), ...rest };
    });
    return [...known, ...gone];
  }
}

function sameKind(ref: ResourceRef, text: string): boolean {
  return isKindName(text) ? ref.kind === text : ref.kind.toLowerCase() === text.toLowerCase();
}

/** The sentence of a recorded change (recording.ts writes it). */
function changeText(recorded: string): string {
  return (JSON.parse(recorded) as { summary: string }).summary;
}

function resultOf(before: DocumentRow | undefined, text: string): 'created' | 'changed' | 'unchanged' {
  if (before === undefined) return 'created';
  return before.text === text ? 'unchanged' : 'changed';
}

/** Problems of these files that only show beside the other sources; parse problems are in both lists, told once. */
function problemsOf(files: readonly SourceFile[], all: readonly Problem[], parsed: readonly Problem[]): Problem[] {
  const paths = new Set(files.map((file) => file.path));
  const known = new Set(parsed.map((problem) => canonicalJson(problem)));
  return all.filter((problem) => paths.has(problem.file) && !known.has(canonicalJson(problem)));
}
