// Changes are data. A table of name to fields makes the union; the same table types the appliers, so that a change
// nobody applies does not compile.
import type { Host } from '../host/ports/host.ts';
import type { ResourceRef } from '../core/ref.ts';

export type Changes<Table> = { [Name in keyof Table & string]: { readonly do: Name } & Readonly<Table[Name]> }[keyof Table & string];

/**
 * - `done`: carried out.
 * - `waiting`: begun; the queue slot is given back, and the object is looked at again at its next event or at the deadline.
 *   Meanwhile `recorded.waiting` tells `diff` what was begun and when.
 */
export type Outcome = 'done' | { readonly waiting: string; readonly deadlineMs: number };

/** What an applier may use besides the host. */
export interface ApplyRun {
  readonly signal: AbortSignal;
  /**
   * Runs one effect. Every effect of an applier stands in a step of its own: before and after each is a boundary where the
   * daemon may be killed (LOCKSTEP_FAULT=kill@N) and where a newer revision may take over. So each must be safe to repeat.
   */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Tells people how far long work is. `fraction` is 0 to 1 when known. */
  progress(text: string, fraction?: number): void;
}

export type Applier<Fields> = (host: Host, ref: ResourceRef, change: Readonly<Fields>, run: ApplyRun) => Promise<Outcome>;

export type Appliers<Table> = { readonly [Name in keyof Table & string]: Applier<Table[Name]> };

/** Runs the applier of a change's name. */
export function applyWith<Table>(
  appliers: Appliers<Table>,
  host: Host,
  ref: ResourceRef,
  change: Changes<Table>,
  run: ApplyRun,
): Promise<Outcome> {
  // TypeScript cannot pair a union's member with its own row; the table's type has checked that every row is there.
  const applier = appliers[change.do] as unknown as (host: Host, ref: ResourceRef, change: unknown, run: ApplyRun) => Promise<Outcome>;
  return applier(host, ref, change, run);
}

/** A change that ends a tombstone says whose in this field; its record goes, and what it had allocated is free again. */
export interface Purges {
  readonly purged: { readonly uid: string; readonly pool: string; readonly name: string };
}

/** A change that found buried data nobody knows of says so in this field; it is recorded, so that it can be seen and ends. */
export interface Finds {
  readonly found: readonly { readonly uid: string; readonly ref: ResourceRef; readonly pool: string; readonly name: string }[];
}

/** A change that buries data says so in this field; the tombstone is recorded before the change starts, and `undelete` finds it. */
export interface Buries {
  readonly tombstone: { readonly pool: string; readonly name: string };
}

/** A change that makes anew what was replaced says where that is by now; from then on its tombstone counts as one. */
export interface Replaces {
  readonly buried?: Buries['tombstone'];
}
