// A manifest document after parsing and schema validation: typed, with a way back to file, line and column.
import type { KindName, RefKey, ResourceRef } from '../core/ref.ts';
import type { Position } from './problem.ts';

/** Where an object's declaration stands. */
export interface Origin extends Position {
  readonly source: string;
}

export interface Metadata {
  readonly name: string;
  readonly project?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly renamedFrom?: string;
}

export type FieldPath = readonly (string | number)[];

export interface ManifestDocument {
  readonly apiVersion: 'lockstep/v1';
  readonly kind: KindName;
  readonly ref: ResourceRef;
  /** refKey(ref). */
  readonly key: RefKey;
  readonly metadata: Metadata;
  /** Valid against the kind's schema; `config` and `devices` are still LXD's string maps. Nulls are gone. */
  readonly spec: unknown;
  readonly origin: Origin;
  /** Position of a field, or of the nearest parent that is in the text. `inKey`: of the key instead of the value. */
  locate(path: FieldPath, inKey?: boolean): Position;
}
