// Ranges of user ids are shared by all daemons of a host, who know nothing of each other's ledgers. Each range in use has a claim: a
// file named after its first id, made in one step together with its content, below a directory in /run (so gone after a reboot, when
// every daemon claims again what its ledger says).
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, isErrno, toAppError } from '../core/errors.ts';
import { SHARED_DIR } from './lock.ts';

/** Every instance has this many ids. */
export const RANGE_SIZE = 65_536;

export interface IdClaim {
  /** First id of the range. */
  readonly first: number;
  /** State directory and uid of the object that holds it; undefined when the file does not say, which counts as taken. */
  readonly stateDir: string | undefined;
  readonly uid: string | undefined;
}

export interface IdClaimsOptions {
  readonly stateDir: string;
  /** Default SHARED_DIR. */
  readonly directory?: string;
}

export class IdClaims {
  readonly #directory: string;
  readonly #stateDir: string;

  constructor(options: IdClaimsOptions) {
    this.#directory = options.directory ?? SHARED_DIR;
    this.#stateDir = options.stateDir;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  list(): readonly IdClaim[] {
    return readdirSync(this.#directory)
      .filter((name) => /^[0-9]{1,10}$/.test(name))
      .flatMap((name) => this.#read(Number(name)) ?? []);
  }

  /** First ids, as decimal text, of the ranges that anybody holds: one of our own that no ledger row tells of is taken all the same. */
  taken(): ReadonlySet<string> {
    return new Set(this.list().map((claim) => String(claim.first)));
  }

  /** Holding it already is fine. Throws CONFLICT when another object or daemon holds it. */
  claim(first: number, uid: string): void {
    const path = this.#path(first);
    // Written aside and linked: link(2) refuses an existing name, and a claim is never seen half written.
    const aside = join(this.#directory, `.new-${process.pid}-${first}`);
    try {
      writeFileSync(aside, JSON.stringify({ stateDir: this.#stateDir, uid }), { mode: 0o600 });
      linkSync(aside, path);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw toAppError(error, 'FILE_FAILED', { path });
      const holder = this.#read(first);
      if (holder?.stateDir === this.#stateDir && holder.uid === uid) return;
      const who = holder?.stateDir === undefined ? 'another daemon' : `the daemon on "${holder.stateDir}"`;
      throw new AppError(
        'CONFLICT',
        { first, ...(holder?.stateDir === undefined ? {} : { stateDir: holder.stateDir }) },
        { message: `The ids from ${first} on are held by ${who}.`, cause: error },
      );
    } finally {
      rmSync(aside, { force: true });
    }
  }

  /** Gives the claim of one of our objects back; another's is left alone, a missing one is fine. */
  release(first: number, uid: string): void {
    const holder = this.#read(first);
    if (holder?.stateDir === this.#stateDir && holder.uid === uid) rmSync(this.#path(first), { force: true });
  }

  /**
   * Removes claims nobody needs any more and returns their first ids: our own whose uid `known` does not know, and those of state
   * directories that are gone, as long as no process runs under such ids. When in doubt a claim stays.
   */
  sweep(known: (uid: string) => boolean): readonly number[] {
    this.#sweepHalfWritten();
    const stale = this.list().filter((claim) => {
      if (claim.stateDir === undefined || claim.uid === undefined) return false;
      return claim.stateDir === this.#stateDir ? !known(claim.uid) : isGone(claim.stateDir);
    });
    if (stale.length === 0) return [];
    const used = rangesInUse();
    const removed = stale.map((claim) => claim.first).filter((first) => !used(first));
    for (const first of removed) rmSync(this.#path(first), { force: true });
    return removed;
  }

  /** Claims that a killed daemon had written aside and not yet linked. */
  #sweepHalfWritten(): void {
    for (const name of readdirSync(this.#directory)) {
      const writer = /^\.new-(\d+)-\d+$/.exec(name)?.[1];
      if (writer !== undefined && writer !== String(process.pid) && isGone(`/proc/${writer}`))
        rmSync(join(this.#directory, name), { force: true });
    }
  }

  #path(first: number): string {
    if (!Number.isSafeInteger(first) || first < 0) throw new Error(`"${first}" is no id.`);
    return join(this.#directory, String(first));
  }

  #read(first: number): IdClaim | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path(first), 'utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw toAppError(error, 'FILE_FAILED', { path: this.#path(first) });
    }
    return { first, ...owner(text) };
  }
}

function owner(text: string): Pick<IdClaim, 'stateDir' | 'uid'> {
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said === 'object' && said !== null && 'stateDir' in said && 'uid' in said) {
      const { stateDir, uid } = said;
      if (typeof stateDir === 'string' && typeof uid === 'string') return { stateDir, uid };
    }
  } catch {
    // Not ours to interpret: it counts as taken.
  }
  return { stateDir: undefined, uid: undefined };
}

/** Only a clear "does not exist" counts; a directory that cannot be looked at may be there. */
function isGone(directory: string): boolean {
  try {
    statSync(directory);
    return false;
  } catch (error) {
    return isErrno(error, 'ENOENT');
  }
}

/** Which ranges have processes, from one pass over /proc. */
function rangesInUse(): (first: number) => boolean {
  const ids: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const uids = /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1] ?? '';
      ids.push(...uids.split(/\s+/).map(Number));
    } catch {
      // ended meanwhile
    }
  }
  return (first) => ids.some((id) => id >= first && id < first + RANGE_SIZE);
}
