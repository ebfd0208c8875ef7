// What people ask about deletions: bringing back and ending what was deleted, forgetting sources. Nothing is deleted
// here: these calls change the ledger, and the next plan follows from it.
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { canonicalJson } from '../core/hash.ts';
import { makeRef, refKey, type ResourceRef, refText } from '../core/ref.ts';
import type { KindTable } from '../kinds/kind.ts';
import type { Ledger, ObjectRow, TombstoneRow } from '../state/ledger.ts';
import { requestEntry } from './audit-entries.ts';
import type { ForgottenObjects, TombstoneStatus } from './control.ts';
import type { Reconciler } from './loop.ts';
import { tombstoneOwner } from './recording.ts';
import type { SourceSet } from './source-set.ts';

/** Where what is brought back, or kept of a forgotten source, is declared from then on. */
const HOME = 'api';

export interface DeletionControlOptions {
  readonly reconciler: Reconciler;
  readonly ledger: Ledger;
  readonly kinds: KindTable;
  readonly sources: SourceSet;
  readonly clock: Clock;
  /** The documents of a stored source have changed. */
  storedChanged(source: string): void;
}

export class DeletionControl {
  readonly #o: DeletionControlOptions;

  constructor(options: DeletionControlOptions) {
    this.#o = options;
  }

  /** Oldest first. */
  tombstones(): TombstoneStatus[] {
    const { ledger, kinds, reconciler } = this.#o;
    const sizes = new Map<string, number>();
    for (const { ref, observed } of reconciler.tracker.objects.values()) {
      if (observed?.is !== 'present') continue;
      for (const { name, bytes } of kinds.get(ref.kind)?.tombstones?.(observed.actual) ?? []) {
        if (bytes !== undefined) sizes.set(`${ref.name}/${name}`, bytes);
      }
    }
    return ledger.tombstones.all().flatMap(({ ref, pool, name, why, buriedAt, expiresAt }) => {
      if (why === 'replacing') return [];
      const bytes = sizes.get(`${pool}/${name}`);
      return { ref, pool, name, why, buriedAt, expiresAt, ...(bytes === undefined ? {} : { bytes }) };
    });
  }

  /**
   * `name`: of one of its tombstones; else the newest of its deletion. With a former root it is declared to keep that: it is not what its
   * document asks for, and would be replaced again.
   */
  undelete(ref: ResourceRef, { name, actor }: { name?: string; actor: string }): void {
    const { ledger, reconciler, clock } = this.#o;
    const now = clock.now();
    if (reconciler.tracker.objects.has(refKey(ref))) {
      const hint = 'Its present data is kept when it is deleted, too: "lockstep undelete" shows both.';
      throw new AppError('CONFLICT', {}, { message: `${refText(ref)} exists; delete it before bringing the old one back.`, hint });
    }
    const tombstone = this.#chosen(ref, name, now);
    const living = ledger.objects.all().find(({ uid }) => uid === tombstone.uid);
    if (living !== undefined) {
      const message = `What was kept under the name of ${refText(ref)} belongs to ${refText(living.ref)}: it was renamed, and exists.`;
      throw new AppError('CONFLICT', {}, { message });
    }
    const row = JSON.parse(tombstone.object) as ObjectRow | null;
    if (row === null || row.document === '') {
      const hint = 'Declare the object again; its old data can be looked at by root until it expires.';
      throw new AppError('CONFLICT', {}, { message: `How ${refText(ref)} was declared is not known any more.`, hint });
    }
    const document = tombstone.why === 'replaced' ? keepingItsRoot(row.document) : row.document;
    const restored: ObjectRow = { ...row, document, source: HOME, declared: true, applied: null, appliedHash: null, appliedRevision: null };
    ledger.transaction(() => {
      ledger.objects.put(restored);
      // Of an object that goes on, whatever else of it is kept are former roots.
      for (const one of ledger.tombstones.of(tombstone.uid)) ledger.tombstones.put({ ...one, why: 'replaced' });
      ledger.tombstones.put({ ...tombstone, why: 'returning' });
      ledger.allocations.move(tombstoneOwner(tombstone.uid), tombstone.uid);
      ledger.documents.put({ ref, source: HOME, text: document, updatedAt: now });
      const summary = `bring back tombstone "${tombstone.name}" of pool "${tombstone.pool}"`;
      ledger.audit.add(requestEntry({ at: now, actor, action: 'undelete', ref }, { summary }));
    });
    reconciler.takeUp(restored);
    this.#o.storedChanged(HOME);
  }

  #chosen(ref: ResourceRef, name: string | undefined, now: number): TombstoneRow {
    const { ledger } = this.#o;
    const rows = ledger.tombstones.all().filter((row) => refKey(row.ref) === refKey(ref) && row.why !== 'replacing');
    const found = rows.findLast((row) => (name === undefined ? row.why === 'deleted' : row.name === name));
    const hint = 'See "lockstep undelete" for what can be brought back.';
    const former = rows.at(-1);
    if (found === undefined && name === undefined && former !== undefined) {
      const message = `What ${refText(ref)} was deleted with is not kept any more, only what it had before its root volume was replaced.`;
      const one = `To bring that back: "lockstep undelete ${ref.name} --tombstone ${former.name}".`;
      throw new AppError('NOT_FOUND', {}, { message, hint: one });
    }
    if (found === undefined) {
      const which = name === undefined ? 'there is no tombstone of that name' : `there is no tombstone "${name}"`;
      throw new AppError('NOT_FOUND', {}, { message: `Nothing of ${refText(ref)} was kept: ${which}.`, hint });
    }
    if (found.expiresAt > now) return found;
    throw new AppError('NOT_FOUND', {}, { message: `What was kept of ${refText(ref)} has expired and is being removed.`, hint });
  }

  /** Ends tombstones now: of one object, or all. The pools they are in remove them. */
  purge(target: ResourceRef | 'all', actor: string): readonly TombstoneStatus[] {
    const { ledger, reconciler, clock } = this.#o;
    const now = clock.now();
    const rows = ledger.tombstones
      .all()
      .filter((row) => (target === 'all' || refKey(row.ref) === refKey(target)) && row.why !== 'returning')
      .filter((row) => row.why !== 'replacing');
    if (rows.length === 0 && target !== 'all') {
      throw new AppError('NOT_FOUND', {}, { message: `Nothing of ${refText(target)} is kept: there is no tombstone of that name.` });
    }
    const ended = new Set(rows.map(({ pool, name }) => `${pool}/${name}`));
    const told = this.tombstones().filter(({ pool, name }) => ended.has(`${pool}/${name}`));
    ledger.transaction(() => {
      for (const row of rows) {
        ledger.tombstones.put({ ...row, expiresAt: Math.min(row.expiresAt, now) });
        const summary = `end tombstone "${row.name}" of pool "${row.pool}"`;
        ledger.audit.add(requestEntry({ at: now, actor, action: 'purge', ref: row.ref }, { summary }));
      }
    });
    for (const pool of new Set(rows.map((row) => row.pool))) {
      reconciler.look(refKey(makeRef('StoragePool', pool)), { event: 'Purged', about: actor });
    }
    return told;
  }

  /** Sources that own objects and are no longer configured. */
  unconfigured(): string[] {
    const { reconciler, sources } = this.#o;
    const owners = new Set([...reconciler.tracker.objects.values()].map((tracked) => tracked.row.source));
    return [...owners].filter((name) => sources.find(name) === undefined).toSorted();
  }

  /** Ends a source that is no longer configured: its objects are kept as objects made through the API, or deleted under the usual guard. */
  forget(name: string, how: 'keep' | 'prune', actor: string): ForgottenObjects {
    const { ledger, reconciler, sources, clock } = this.#o;
    const configured = sources.find(name);
    if (configured !== undefined && !ledger.forgotten.all().some((one) => one.name === name)) {
      const hint = 'Take it out of the daemon\'s sources and restart the daemon first. Objects made through the API: "lockstep delete".';
      throw new AppError(
        'CONFLICT',
        { source: name },
        { message: `The source "${name}" is in use (${configured.source.location}).`, hint },
      );
    }
    const rows = [...reconciler.tracker.objects.values()].map((tracked) => tracked.row).filter((row) => row.source === name);
    if (rows.length === 0) throw new AppError('NOT_FOUND', { source: name }, { message: `No object belongs to a source "${name}".` });
    const at = clock.now();
    const kept = rows.filter((row) => row.declared && row.document !== '');
    ledger.transaction(() => {
      const summary = how === 'keep' ? 'keep its objects as objects made through the API' : 'have its objects deleted';
      const list = rows.map((row) => refKey(row.ref));
      ledger.audit.add(requestEntry({ at, actor, action: 'forget', ref: `source:${name}` }, { summary, source: name, objects: list }));
      if (how === 'prune') return ledger.forgotten.put({ name, at });
      ledger.forgotten.remove(name);
      ledger.confirmations.remove(name);
      for (const { ref, document } of kept) ledger.documents.put({ ref, source: HOME, text: document, updatedAt: at });
    });
    if (how === 'keep') {
      sources.remove(name);
      this.#o.storedChanged(HOME);
      return { source: name, objects: refsOf(kept), left: refsOf(rows.filter((row) => !kept.includes(row))) };
    }
    sources.addForgotten({ name, at });
    reconciler.sourcesChanged(name);
    return { source: name, objects: refsOf(rows), left: [] };
  }
}

function keepingItsRoot(text: string): string {
  const { spec, ...rest } = JSON.parse(text) as { readonly spec: { readonly update?: object } };
  return canonicalJson({ ...rest, spec: { ...spec, update: { ...spec.update, recreate: 'Never', image: 'Keep' } } });
}

function refsOf(rows: readonly { readonly ref: ResourceRef }[]): ResourceRef[] {
  return rows.map((row) => row.ref).toSorted((a, b) => (refKey(a) < refKey(b) ? -1 : 1));
}
