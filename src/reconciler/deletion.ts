// Which objects that are no longer declared may be deleted now. Pure. The rules (docs/architecture.md, "Deletion is guarded"):
// only from a complete snapshot that has been still for a second; never more than the budget of a source in ten minutes, all or
// nothing; a source that became empty always asks; what is protected stays.
import { hashOf } from '../core/hash.ts';
import type { HoldRule } from '../core/reasons.ts';
import type { KindName, RefKey } from '../core/ref.ts';
import type { ConfirmationRow } from '../state/ledger.ts';
import type { DeleteWait } from './plan.ts';

export const SETTLE_MS = 1000;
const WINDOW_MS = 10 * 60_000;
const SMALLEST_LIMIT = 3;
const LARGEST_LIMIT = 20;
const LIMIT_SHARE = 0.2;

/** Kinds that hold something a person would miss. Profiles are text only. */
const COUNTED: ReadonlySet<KindName> = new Set<KindName>(['Instance', 'StorageVolume', 'StoragePool', 'Network', 'Image']);

export interface Candidate {
  readonly key: RefKey;
  readonly kind: KindName;
  readonly protected: boolean;
}

export interface DeletionInput {
  readonly source: string;
  /** The source's snapshot was read completely; undefined `since` for stored sources, whose deletes are their own confirmation. */
  readonly complete: boolean;
  readonly since: number | undefined;
  /** Undeclared objects of this source that still exist in the ledger. */
  readonly candidates: readonly Candidate[];
  /** How many objects of the source there are in the ledger, candidates included. */
  readonly total: number;
  /** Times (epoch ms) of deletes of counted objects already allowed for this source. */
  readonly recent: readonly number[];
  readonly confirmation: ConfirmationRow | undefined;
  readonly now: number;
}

export interface Ask {
  readonly hash: string;
  readonly objects: readonly RefKey[];
  /** They stay, also when the list is confirmed, unless it is confirmed with "unprotect". */
  readonly protected: readonly RefKey[];
  readonly reason: string;
}

export interface DeletionVerdict {
  readonly allowed: ReadonlySet<RefKey>;
  /** Why the others wait, by key. */
  readonly waits: ReadonlyMap<RefKey, DeleteWait>;
  /** A person must agree to this list first. */
  readonly ask: Ask | undefined;
}

export function deletionLimit(total: number): number {
  return Math.min(LARGEST_LIMIT, Math.max(SMALLEST_LIMIT, Math.floor(total * LIMIT_SHARE)));
}

export function decideDeletion(input: DeletionInput): DeletionVerdict {
  const waits = new Map<RefKey, DeleteWait>();
  const none = (ask?: DeletionVerdict['ask']): DeletionVerdict => ({ allowed: new Set(), waits, ask });
  const waitAll = (rule: HoldRule, waitsFor: string, againAt?: number): void => {
    const wait: DeleteWait = { waitsFor, rule, ...(againAt === undefined ? {} : { againAt }) };
    for (const candidate of input.candidates) if (!waits.has(candidate.key)) waits.set(candidate.key, wait);
  };
  if (input.candidates.length === 0) return none();
  if (!input.complete) {
    waitAll('SourceIncomplete', 'a complete reading of its source');
    return none();
  }
  for (const candidate of input.candidates) {
    const waitsFor = `its protection to be taken off (lockstep confirm ${input.source} --unprotect)`;
    if (candidate.protected) waits.set(candidate.key, { waitsFor, rule: 'Protected' });
  }
  const free = input.candidates.filter((candidate) => !candidate.protected);
  const kept = input.candidates.filter((candidate) => candidate.protected).map((candidate) => candidate.key);
  const objects = free.map((candidate) => candidate.key).toSorted();
  const asked = (reason: string): Ask => {
    const list = kept.toSorted();
    return { hash: hashOf([input.source, objects, list]), objects, protected: list, reason };
  };
  const keptReason = (): string =>
    `${count(kept.length)} that the source "${input.source}" no longer declares ${kept.length === 1 ? 'is protected, and stays' : 'are protected, and stay'}.`;
  // While others of the same list are being deleted, nothing is asked: it would take the place of their confirmation.
  const ask = (): Ask | undefined => (kept.length > 0 && free.length === 0 ? asked(keptReason()) : undefined);
  const allow = (): DeletionVerdict => ({ allowed: new Set(objects), waits, ask: ask() });
  if (input.since === undefined) return allow();
  if (input.now - input.since < SETTLE_MS) {
    waitAll('SourceSettling', 'its source to be still for a second', input.since + SETTLE_MS);
    return none();
  }
  const counted = free.filter((candidate) => COUNTED.has(candidate.kind));
  if (counted.length === 0) return allow();
  const recent = input.recent.filter((at) => input.now - at < WINDOW_MS).length;
  const limit = deletionLimit(input.total + recent);
  const empty = input.candidates.length === input.total;
  if (!empty && counted.length + recent <= limit) return allow();
  // A confirmation binds to its list: after a part of it was deleted, the rest of the same list is still confirmed.
  const confirmed = input.confirmation?.confirmedAt == null ? [] : input.confirmation.objects;
  if (objects.every((key) => confirmed.includes(key))) return allow();
  const reason = empty
    ? `The source "${input.source}" no longer declares anything: ${free.length === 1 ? 'its last object' : `all ${free.length} of its objects`} would be deleted.`
    : `${count(counted.length)} of the source "${input.source}" would be deleted${recent > 0 ? `, after ${recent} in the last 10 minutes` : ''}; the limit is ${limit}.`;
  waitAll('NeedsConfirmation', `a confirmation (lockstep confirm ${input.source})`);
  return none(asked(reason));
}

function count(objects: number): string {
  return objects === 1 ? '1 object' : `${objects} objects`;
}
