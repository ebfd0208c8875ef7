// Drift: what differs on the host although nothing that is declared has changed since the object was last seen as declared. Pure.
//
//   diff's steps --> declared anew (its manifest, what it is built on, a boot, another version)?  all of them are changes
//                    own upkeep (expired tombstones, unused images)                               changes
//                    everything else                                                              drift: repaired, reported, or a fight
//
// What "as declared" was is a short text, the basis, recorded when a look planned nothing (recording.ts), and taken back when a change
// begins: so a change that failed half-way is never taken for somebody else's.
import { restartNotBefore } from '../core/restart-backoff.ts';
import { type RefKey, refKey } from '../core/ref.ts';
import type { AnyKind, FieldChange, PlannedStep } from '../kinds/kind.ts';
import type { DesiredObject } from './desired.ts';
import { fightUntil } from './fight.ts';

export type DriftMode = 'repair' | 'report';

type Step = PlannedStep<{ readonly do: string }>;

/** Where a host and a program stand, as far as plans follow from it. */
export interface Basis {
  readonly version: string;
  readonly bootId: string;
}

const SHORT = 16;

/** Changes when the object, what it is built on, the boot or the program does. */
export function basisOf(
  { key, specHash, needs }: DesiredObject,
  desired: { get(key: RefKey): Pick<DesiredObject, 'specHash'> | undefined },
  { version, bootId }: Basis,
): string {
  // Pools and networks decide what an instance is made of; other instances, and the image it was made from once, do not.
  const built = needs.filter((need) => need.condition === 'Present' && need.only === undefined).map((need) => refKey(need.ref));
  const hashes = built.map((need) => desired.get(need)?.specHash.slice(0, SHORT) ?? '-');
  return [version, bootId, key, specHash.slice(0, SHORT), ...hashes].join(' ');
}

/** `spec.drift` stands beside what the kind resolves: changing it changes nothing on the host. */
export function declaredMode({ document: { spec } }: Pick<DesiredObject, 'document'>): DriftMode | undefined {
  const value = typeof spec === 'object' && spec !== null && 'drift' in spec ? spec.drift : undefined;
  return value === 'report' || value === 'repair' ? value : undefined;
}

/** What is known of an object when its steps are judged. Undefined instead: it is declared anew, and nothing of it is drift. */
export interface DriftContext {
  readonly mode: DriftMode;
  /** By field: when drift of it was repaired, oldest first. */
  readonly repairs: ReadonlyMap<string, readonly number[]>;
  /** By field: until when it is left alone. */
  readonly fights: ReadonlyMap<string, number>;
}

export interface Judged {
  /** To be carried out, each with its origin. */
  readonly go: readonly Step[];
  /** Drift, whatever becomes of it. */
  readonly drift: readonly Step[];
  /** Drift that is left as it is: only reported, or fought over. */
  readonly left: readonly Step[];
  /** Fields that something else keeps changing back, and until when each is left alone. */
  readonly fights: ReadonlyMap<string, number>;
}

const NO_DRIFT: Omit<Judged, 'go'> = { drift: [], left: [], fights: new Map() };

/** Verdicts that only a declaration, a confirmation or a window brings: none of them is an answer to drift. */
const DECLARED = new Set(['restart', 'recreate', 'rename', 'delete']);

export function judgeDrift(kind: AnyKind, all: readonly Step[], context: DriftContext | undefined, now: number): Judged {
  // What waits for somebody's word is declared, whatever it does; before it there may be drift all the same.
  const held = all.findIndex((step) => step.hold !== undefined);
  const steps = held < 0 ? all : all.slice(0, held);
  if (context === undefined || steps.length === 0) return { ...NO_DRIFT, go: all };
  const described = steps.map((step) => ({ step, ...kind.describe(step.change, undefined), unasked: kind.unasked?.(step.change) }));
  if (described.some(({ verdict }) => DECLARED.has(verdict))) return { ...NO_DRIFT, go: all };
  const go: Step[] = [];
  const drift: Step[] = [];
  const left: Step[] = [];
  const fights = new Map<string, number>();
  let blocked = false;
  for (const { step, verdict, fields, unasked } of described) {
    if (unasked === 'upkeep') {
      go.push({ ...step, origin: 'upkeep' });
      continue;
    }
    const found: Step = { ...step, origin: 'drift' };
    drift.push(found);
    const keys = fieldKeys(step.change.do, fields);
    // A process that ended is no field that somebody changes: it is started later and later instead.
    const fought = unasked === undefined ? foughtOver(keys, context, now) : new Map<string, number>();
    for (const [key, until] of fought) fights.set(key, until);
    // What changes one thing of what is there does not build on its neighbours; a start or a creation builds on everything before it.
    const alone = verdict === 'live' || verdict === 'repair';
    if (context.mode === 'report' || fought.size > 0) {
      left.push(found);
      blocked ||= !alone;
    } else if (blocked || (left.length > 0 && !alone)) left.push(found);
    else go.push(unasked === 'ended' ? delayed(found, context.repairs.get(keys[0]!) ?? [], now) : found);
  }
  return { go: held < 0 ? go : [...go, ...all.slice(held)], drift, left, fights };
}

function foughtOver(keys: readonly string[], { repairs, fights }: DriftContext, now: number): Map<string, number> {
  const fought = new Map<string, number>();
  for (const key of keys) {
    const until = fightUntil(repairs.get(key) ?? [], fights.get(key), now);
    if (until !== undefined) fought.set(key, until);
  }
  return fought;
}

function delayed(step: Step, repairs: readonly number[], now: number): Step {
  const notBefore = Math.max(step.notBefore ?? 0, restartNotBefore(repairs, now) ?? 0);
  return notBefore === 0 ? step : { ...step, notBefore };
}

/** What is counted for the fight detector: each field of a change, or the change itself where it has none. */
export function fieldKeys(change: string, fields: readonly FieldChange[]): readonly string[] {
  return fields.length === 0 ? [change] : fields.map(({ field }) => `${change} ${field}`);
}

/** The differences in words: `memory.max is 1 GiB instead of 512 MiB`. */
export function driftText(kind: AnyKind, steps: readonly Step[]): { readonly text: string; readonly fields: readonly FieldChange[] } {
  const described = steps.map((step) => kind.describe(step.change, undefined));
  const parts = described.flatMap(({ summary, fields }) =>
    fields.length === 0
      ? [`to be done: ${summary}`]
      : fields.map(({ field, from, to }) => `${field} is ${said(from)} instead of ${said(to)}`),
  );
  return { text: parts.join('; '), fields: described.flatMap(({ fields }) => fields) };
}

function said(value: string | undefined): string {
  return value === undefined || value === '' ? 'not set' : value;
}
