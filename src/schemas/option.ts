// What the registry says about one config key or device option.
import type { ValueType } from './value-type.ts';

/**
 * How a change of the value lands:
 * - `live`: on the running instance (or network, pool), nothing is interrupted
 * - `replug`: the device is taken out and put back
 * - `restart`: the instance is restarted
 * - `recreate`: the root volume is made anew
 * - `immutable`: refused; delete the object and declare it again
 */
export type OptionVerdict = 'live' | 'replug' | 'restart' | 'recreate' | 'immutable';

/**
 * - `applied`: works in this release
 * - `planned`: known, and refused with "is not supported yet"
 * - `internal`: written by the daemon itself; never declared
 */
export type OptionStatus = 'applied' | 'planned' | 'internal';

/** Whose word it is: where people know the key from. */
export type OptionOrigin = 'LXD' | 'Incus' | 'Lockstep';

export interface Option<T = unknown> {
  readonly type: ValueType<T>;
  /** One or two sentences: what it does. */
  readonly description: string;
  readonly verdict: OptionVerdict;
  readonly status: OptionStatus;
  readonly origin: OptionOrigin;
  /** What holds when it is not set, as it would be written. */
  readonly default?: string;
  /** What the bare number counts: `bytes`, `seconds`. */
  readonly unit?: string;
  readonly example?: string;
  /** Release of Lockstep since which it is applied. */
  readonly since?: string;
  /** Never shown in plans, events or logs. */
  readonly secret?: boolean;
  /** For a wildcard key: what each `*` may be. Default: letters, digits, `_`, `-`, `.`. */
  readonly star?: RegExp;
}

/** Options by key; a `*` in a key stands for a name: `environment.*`. */
export type OptionTable = Readonly<Record<string, Option>>;

type Details = Partial<Pick<Option, 'default' | 'unit' | 'example' | 'since' | 'secret' | 'star' | 'origin'>>;

/** An option that works. */
export function applied<T>(type: ValueType<T>, verdict: OptionVerdict, description: string, details: Details = {}): Option<T> {
  return { since: '0.1', origin: 'LXD', ...details, type, verdict, description, status: 'applied' };
}

/** An option that is known but refused until code obeys it. */
export function planned<T>(type: ValueType<T>, verdict: OptionVerdict, description: string, details: Details = {}): Option<T> {
  return { origin: 'LXD', ...details, type, verdict, description, status: 'planned' };
}

/** A key that LXD or Lockstep writes itself. */
export function internal<T>(type: ValueType<T>, description: string): Option<T> {
  return { origin: 'LXD', type, verdict: 'live', description, status: 'internal' };
}
