// The audit log as a chain: each entry's hash covers the entry and the hash before it, and the ledger keeps the newest hash and the number of
// entries apart from the entries. So it shows when entries were changed, removed (also the newest ones), inserted or put in another order.
// What cannot show: a whole ledger replaced by an older copy or written anew by somebody who may write the file; for that, keep a head
// (number and hash) somewhere else and have it checked (`expected`).
import { canonicalJson, sha256Hex } from '../core/hash.ts';
import type { AuditEntry } from './ledger.ts';

/** The newest entry, or one that was newest once: its number and its hash. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export interface ChainBreak {
  /** Number of the first entry that is not as it was written. */
  readonly seq: number;
  /** A full sentence. */
  readonly problem: string;
}

export interface ChainVerdict {
  /** Entries that were looked at. */
  readonly entries: number;
  /** The last one that is in order; undefined when there is none. */
  readonly head: ChainHead | undefined;
  readonly broken: ChainBreak | undefined;
}

export const EMPTY_HEAD: ChainHead = { seq: 0, hash: '' };

export function chainHash(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  const { seq, at, actor, action, ref, detail } = entry;
  return sha256Hex(`${before}\n${canonicalJson({ seq, at, actor, action, ref, detail })}`);
}

/** Takes the entries one after the other, in the order of their numbers, so that a long log can be checked in parts. */
export class ChainCheck {
  readonly #expected: ChainHead | undefined;
  #head: ChainHead = EMPTY_HEAD;
  #entries = 0;
  #broken: ChainBreak | undefined;

  /** `expected`: what the head was once; the chain must still hold it. */
  constructor(expected?: ChainHead) {
    this.#expected = expected;
  }

  /** False: the chain is broken, and there is no use in going on. */
  take(entry: AuditEntry): boolean {
    this.#entries++;
    const { seq, hash } = this.#head;
    if (entry.seq !== seq + 1) {
      return this.#breaks(
        seq + 1,
        entry.seq === seq + 2 ? `Entry ${seq + 1} is missing.` : `Entries ${seq + 1} to ${entry.seq - 1} are missing.`,
      );
    }
    if (entry.hash !== chainHash(hash, entry)) {
      return this.#breaks(entry.seq, `Entry ${entry.seq} is not as it was written, or another one stood before it.`);
    }
    if (this.#expected?.seq === entry.seq && this.#expected.hash !== entry.hash) {
      return this.#breaks(entry.seq, `Entry ${entry.seq} is another one than when its hash was noted.`);
    }
    this.#head = { seq: entry.seq, hash: entry.hash };
    return true;
  }

  /** After the last entry: is it the one the ledger knows as its newest? */
  end(recorded: ChainHead): ChainVerdict {
    const { seq, hash } = this.#head;
    const least = Math.max(recorded.seq, this.#expected?.seq ?? 0);
    if (this.#broken === undefined && least > seq) this.#breaks(seq + 1, `The log ends at entry ${seq}; there were ${least} entries.`);
    if (this.#broken === undefined && (recorded.seq !== seq || recorded.hash !== hash)) {
      this.#breaks(recorded.seq + 1, `The ledger's record of its newest entry says ${recorded.seq}, but the log ends at ${seq}.`);
    }
    return { entries: this.#entries, head: seq === 0 ? undefined : this.#head, broken: this.#broken };
  }

  #breaks(seq: number, problem: string): false {
    this.#broken ??= { seq, problem };
    return false;
  }
}

/** The whole log at once. */
export function checkChain(entries: Iterable<AuditEntry>, recorded: ChainHead, expected?: ChainHead): ChainVerdict {
  const check = new ChainCheck(expected);
  for (const entry of entries) if (!check.take(entry)) break;
  return check.end(recorded);
}
