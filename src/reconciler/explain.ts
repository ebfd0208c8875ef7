// What the API may ask about how things came to be: why an object is as it is, its history, and the audit log. Reads only.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AuditDetail, parseAuditDetail } from '../core/audit-detail.ts';
import { AppError } from '../core/errors.ts';
import type { Condition } from '../core/object-status.ts';
import { REASONS } from '../core/reasons.ts';
import { refKey, type ResourceRef, refText } from '../core/ref.ts';
import type { ChainHead, ChainVerdict } from '../state/audit-chain.ts';
import type { AuditEntry, Ledger } from '../state/ledger.ts';
import { historyOf, type HistoryRun } from './history.ts';
import type { Reconciler } from './loop.ts';
import { placeOf } from './locate.ts';
import type { SourceSet } from './source-set.ts';
import type { Tracked } from './tracker.ts';
import { causesOf, chainOf, ruleOf, type Why } from './why.ts';

export interface AuditQuery {
  readonly limit: number;
  /** Only entries with a smaller number: the page behind another. */
  readonly before?: number;
  /** Epoch ms. */
  readonly since?: number;
  /** `Kind/project/parent/name`, or `source:NAME`. */
  readonly ref?: string;
}

export interface AuditRecord extends Omit<AuditEntry, 'detail'> {
  readonly detail: AuditDetail;
}

export interface AuditPage {
  /** Newest first. */
  readonly entries: readonly AuditRecord[];
  /** Give it as `before` for the next page; undefined: there is none. */
  readonly next?: number;
}

export interface Explain {
  /** Throws NOT_FOUND when there neither is nor was such an object. */
  why(ref: ResourceRef): Why;
  /** Newest first; also of objects that are gone. */
  history(ref: ResourceRef, limit: number): readonly HistoryRun[];
  audit(query: AuditQuery): AuditPage;
  verifyAudit(expected?: ChainHead): Promise<ChainVerdict>;
}

export interface ExplainOptions {
  readonly reconciler: Reconciler;
  readonly ledger: Ledger;
  readonly sources: SourceSet;
}

/** A run has a few changes; more rows than runs are read so that none is told in part. */
const ROWS_PER_RUN = 20;
const VERIFY_AT_ONCE = 500;

export class Explainer implements Explain {
  readonly #o: ExplainOptions;

  constructor(options: ExplainOptions) {
    this.#o = options;
  }

  why(ref: ResourceRef): Why {
    const { tracker } = this.#o.reconciler;
    this.#o.reconciler.writeOutcomes();
    const tracked = tracker.objects.get(refKey(ref));
    if (tracked === undefined) return this.#gone(ref);
    const { links, cut } = chainOf(tracker, tracked);
    const ready = tracked.conditions.get('Ready');
    return {
      ref,
      uid: tracked.row.uid,
      ready: ready === undefined ? undefined : withoutType(ready),
      declared: this.#declared(tracked),
      observedRevision: tracker.status(tracked).observedRevision,
      rule: ruleOf(tracked),
      chain: links,
      chainCut: cut,
      error: tracked.error,
      lastLook: causesOf(tracked),
      lastRun: historyOf(this.#o.ledger.intents.history(tracked.row.uid, ROWS_PER_RUN), 1)[0],
      notes: this.#notes(tracked),
    };
  }

  history(ref: ResourceRef, limit: number): readonly HistoryRun[] {
    this.#o.reconciler.writeOutcomes();
    const runs = historyOf(this.#o.ledger.intents.historyOf(refKey(ref), limit * ROWS_PER_RUN), limit);
    if (runs.length === 0 && !this.#o.reconciler.tracker.objects.has(refKey(ref))) throw unknownObject(ref);
    return runs;
  }

  audit({ limit, ...query }: AuditQuery): AuditPage {
    this.#o.reconciler.writeOutcomes();
    const entries = this.#o.ledger.audit.page({ ...query, limit: limit + 1 });
    const page = entries.slice(0, limit).map(({ detail, ...entry }) => ({ ...entry, detail: parseAuditDetail(detail) }));
    return { entries: page, ...(entries.length > limit ? { next: page.at(-1)!.seq } : {}) };
  }

  /** In parts, so that the daemon goes on meanwhile; what is added meanwhile is checked, too. */
  async verifyAudit(expected?: ChainHead): Promise<ChainVerdict> {
    const { audit } = this.#o.ledger;
    const check = audit.check(expected);
    for (let last = 0; ; await nextTurn()) {
      const entries = audit.after(last, VERIFY_AT_ONCE);
      if (entries.length === 0 || !entries.every((entry) => check.take(entry))) return check.end(audit.head());
      last = entries.at(-1)!.seq;
    }
  }

  #gone(ref: ResourceRef): Why {
    const [lastRun] = historyOf(this.#o.ledger.intents.historyOf(refKey(ref), ROWS_PER_RUN), 1);
    if (lastRun === undefined) throw unknownObject(ref);
    const tombstones = this.#o.ledger.tombstones.all().filter((row) => refKey(row.ref) === refKey(ref));
    const deleted = tombstones.some((row) => row.why === 'deleted') ? ' Its data is still kept: "lockstep undelete" brings it back.' : '';
    const kept = deleted === '' && tombstones.length > 0 ? ' A former root volume of it is still kept: see "lockstep undelete".' : deleted;
    const message = `It is not declared by any source, and it is not there.${kept}`;
    return {
      ref,
      uid: undefined,
      ready: undefined,
      declared: undefined,
      observedRevision: undefined,
      rule: { reason: 'Absent', message, meaning: REASONS.Absent.text },
      chain: [],
      chainCut: false,
      error: undefined,
      lastLook: undefined,
      lastRun,
      notes: [],
    };
  }

  #declared(tracked: Tracked): Why['declared'] {
    const { row, desired } = tracked;
    if (desired === undefined && tracked.unresolved === undefined) return undefined;
    const entry = this.#o.sources.find(row.source);
    const place = placeOf(desired) ?? { file: row.path, line: row.line };
    return {
      source: row.source,
      location: entry?.source.location,
      revision: this.#o.reconciler.tracker.revisions.get(row.source) ?? entry?.snapshot?.revision,
      changedIn: desired?.revision,
      ...(desired?.signer === undefined ? {} : { signer: desired.signer }),
      ...(entry?.source.stored === true ? this.#appliedBy(tracked) : {}),
      ...place,
    };
  }

  /** Who put it into its stored source last. */
  #appliedBy({ key }: Tracked): { readonly by?: string; readonly byAt?: number } {
    const entry = this.#o.ledger.audit.page({ ref: key, limit: 50 }).find(({ action }) => action === 'apply' || action === 'undelete');
    return entry === undefined ? {} : { by: entry.actor, byAt: entry.at };
  }

  #notes({ row, desired }: Tracked): readonly string[] {
    const entry = this.#o.sources.find(row.source);
    const notes: string[] = [];
    if (entry === undefined) notes.push(`Its source "${row.source}" is not configured any more: what it last declared stays in force.`);
    else if (entry.error !== undefined) {
      notes.push(`Its source "${row.source}" cannot be read as it is now: ${entry.error} What it last declared stays in force.`);
    }
    if (desired?.kept === true && desired.problems.length > 1) {
      for (const { file, line, message } of desired.problems.slice(0, 5)) notes.push(`${file}:${line}: ${message}`);
    }
    return notes;
  }
}

function withoutType({ status, reason, message, since }: Condition): Why['ready'] {
  return { status, reason, message, since };
}

function unknownObject(ref: ResourceRef): AppError {
  return new AppError('NOT_FOUND', {}, { message: `There is no ${refText(ref)}, and nothing is known of one that was.` });
}
