// Takes in what the sources say: computes the desired state and brings the ledger's rows and the tracked objects in line with it.
import type { Cause } from '../core/cause.ts';
import type { Clock } from '../core/clock.ts';
import type { EventSink } from '../core/events.ts';
import { hashOf, uuidv7 } from '../core/hash.ts';
import { type RefKey, refKey, refText } from '../core/ref.ts';
import { inSlices, type Sliced } from '../core/slices.ts';
import type { KindTable } from '../kinds/kind.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Ledger } from '../state/ledger.ts';
import {
  type DesiredCache,
  desiredInSlices,
  type DesiredObject,
  type DesiredState,
  emptyDesiredCache,
  NOTHING_DESIRED,
} from './desired.ts';
import { recordedFrom, rowDiffers, rowFor } from './recording.ts';
import { declaredMode } from './drift.ts';
import type { SourceSet } from './source-set.ts';
import type { Tracked, Tracker } from './tracker.ts';

/** Objects written to the ledger in one transaction. */
const BATCH = 250;

export interface IntakeOptions {
  readonly ledger: Ledger;
  readonly kinds: KindTable;
  readonly sources: SourceSet;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly tracker: Tracker;
  /** The object has to be looked at. */
  look(key: RefKey, cause: Cause): void;
  conditionChanged(tracked: Tracked, now: number): void;
}

export class Intake {
  /** Previews read it as well. */
  readonly cache: DesiredCache = emptyDesiredCache();
  desired: DesiredState = NOTHING_DESIRED;
  readonly #o: IntakeOptions;
  #problemsHash = '';
  #problems: { readonly of: DesiredState; readonly bySource: ReadonlyMap<string, readonly Problem[]> } | undefined;

  constructor(options: IntakeOptions) {
    this.#o = options;
  }

  /** Problems in the files of each source that has any. Worked out once for each desired state. */
  problemsBySource(): ReadonlyMap<string, readonly Problem[]> {
    if (this.#problems?.of !== this.desired) {
      const byFile = Map.groupBy(this.desired.problems, (problem) => problem.file);
      const bySource = new Map<string, readonly Problem[]>();
      for (const { source, snapshot } of byFile.size === 0 ? [] : this.#o.sources.entries) {
        const own = (snapshot?.files ?? []).flatMap((file) => byFile.get(file.path) ?? []);
        if (own.length > 0) bySource.set(source.name, own);
      }
      this.#problems = { of: this.desired, bySource };
    }
    return this.#problems.bySource;
  }

  /** Recomputes desired state and brings ledger rows and tracked objects in line with it. What is still declared the same costs nothing. */
  async take(): Promise<void> {
    const { kinds, sources, tracker } = this.#o;
    const rows = [...tracker.objects.values()].map((tracked) => tracked.row);
    const wanted = await inSlices(desiredInSlices(sources.inputs(), rows, kinds, this.cache, this.desired.objects));
    this.#rename(wanted);
    await inSlices(this.#takeOver(wanted.objects));
    this.desired = wanted;
    tracker.revisions = wanted.revisions;
    const now = this.#o.clock.now();
    for (const tracked of tracker.objects.values()) {
      const unresolved = wanted.unresolved.get(tracked.key);
      const declaredBefore = tracked.desired !== undefined || (tracked.unresolved !== undefined && unresolved === undefined);
      const undeclared = declaredBefore && !wanted.objects.has(tracked.key);
      if (unresolved !== tracked.unresolved || undeclared) tracker.declare(tracked, undeclared ? undefined : tracked.desired, unresolved);
      if (unresolved !== undefined) {
        tracked.condemned = false;
        this.#o.conditionChanged(tracked, now);
      }
      if (!undeclared) continue;
      tracked.readiness = undefined;
      this.#o.look(tracked.key, this.#sourceCause(tracked.row.source));
    }
    this.#reportProblems();
  }

  /** What is declared under another name is that object: in the ledger first, and then on the host. */
  #rename({ renames, objects }: DesiredState): void {
    const { ledger, tracker, clock } = this.#o;
    const now = clock.now();
    const taken = [...renames].flatMap(([key, known]) => {
      const tracked = tracker.objects.get(known);
      const desired = objects.get(key);
      // One that is being deleted is not taken over half-way.
      if (tracked === undefined || desired === undefined || tracked.condemned) return [];
      return [{ tracked, row: rowFor(desired, tracked.row, tracked.row.uid, now) }];
    });
    if (taken.length === 0) return;
    ledger.transaction(() => {
      for (const { row } of taken) ledger.objects.put(row);
    });
    for (const { tracked, row } of taken) {
      const message = `${refText(tracked.ref)} is now "${row.ref.name}".`;
      tracker.rename(tracked, row);
      this.#o.events.emit({ type: 'change', severity: 'info', ref: row.ref, reason: 'Renamed', message });
      this.#o.look(tracked.key, this.#sourceCause(row.source));
    }
  }

  *#takeOver(objects: ReadonlyMap<RefKey, DesiredObject>): Sliced<void> {
    const { tracker } = this.#o;
    let batch: DesiredObject[] = [];
    for (const desired of objects.values()) {
      if (tracker.objects.get(desired.key)?.desired === desired) continue;
      batch.push(desired);
      if (batch.length < BATCH) continue;
      this.#takeBatch(batch);
      batch = [];
      yield;
    }
    this.#takeBatch(batch);
  }

  #takeBatch(batch: readonly DesiredObject[]): void {
    const { ledger, sources, clock, tracker } = this.#o;
    const now = clock.now();
    const taken = batch.map((desired) => {
      const before = tracker.objects.get(desired.key);
      const row = desired.kept && before !== undefined ? before.row : rowFor(desired, before?.row, uuidv7(now), now);
      return { row, desired, before };
    });
    const changed = taken.filter(({ row, before }) => rowDiffers(before?.row, row));
    if (changed.length > 0) {
      // First of all: what could not be written down (a full disk) must not be worked on, and is taken again by the next round.
      ledger.transaction(() => {
        for (const { row, before } of changed) {
          ledger.objects.put(row);
          if (before === undefined || before.row.source === row.source) continue;
          // What was made through the API and is now declared by a manifest is the manifest's: it must not come back when that goes.
          if (sources.find(before.row.source)?.source.stored === true) ledger.documents.remove(before.row.ref);
        }
      });
    }
    for (const { row, desired, before } of taken) {
      const tracked = before ?? tracker.add(row, recordedFrom(row, ledger, false), []);
      tracker.setRow(tracked, row);
      this.#adopt(tracked, desired);
    }
  }

  #adopt(tracked: Tracked, desired: DesiredObject): void {
    const before = tracked.desired;
    this.#o.tracker.declare(tracked, desired, tracked.unresolved);
    tracked.condemned = false;
    const needs = desired.needs.map((need) => refKey(need.ref));
    if (needs.join() !== tracked.needs.join()) this.#o.tracker.setNeeds(tracked, needs);
    if (before?.specHash !== desired.specHash) {
      tracked.failures = 0;
      tracked.nextRetry = undefined;
      tracked.error = undefined;
      tracked.readiness = undefined;
    } else if (
      before.kept === desired.kept &&
      before.problems.length === desired.problems.length &&
      declaredMode(before) === declaredMode(desired)
    ) {
      return;
    }
    this.#o.look(tracked.key, this.#sourceCause(desired.source));
  }

  #sourceCause(source: string): Cause {
    const revision = this.#o.sources.find(source)?.snapshot?.revision;
    return { event: 'SourceChanged', about: `source "${source}"${revision === undefined ? '' : ` (now at ${revision.slice(0, 12)})`}` };
  }

  #reportProblems(): void {
    const hash = hashOf(this.desired.problems);
    if (hash === this.#problemsHash) return;
    this.#problemsHash = hash;
    for (const problem of this.desired.problems) {
      const hint = problem.hint === undefined ? '' : ` ${problem.hint}`;
      const message = `${problem.file}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
      this.#o.events.emit({
        type: 'problem',
        severity: problem.severity,
        reason: 'ManifestInvalid',
        message,
        data: { rule: problem.rule },
      });
    }
  }
}
