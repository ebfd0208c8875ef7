// Which tombstones of a pool end now. Pure. Their time is over; or all of them together take more than their share of the pool, and then
// the oldest go first. The newest is not removed for its size alone: the last deletion can be taken back.
import { parseLxcName } from '../../core/names.ts';
import { makeRef, type ResourceRef } from '../../core/ref.ts';
import type { TombstoneReading } from '../../host/ports/storage.ts';
import { type Facts, mayEnd, type PlannedStep, type Tombstone } from '../kind.ts';
import type { StoragePoolChange } from './changes.ts';
import type { StoragePoolActual } from './observe.ts';

type Step = PlannedStep<StoragePoolChange>;

export function isOver(tombstone: Tombstone, now: number): boolean {
  return mayEnd(tombstone) && tombstone.expiresAt <= now;
}

export function purgeSteps(pool: string, actual: Pick<StoragePoolActual, 'tombstones' | 'sizeBytes'>, facts: Facts): Step[] {
  const all = facts.tombstones(pool);
  const expired = all.filter((one) => isOver(one, facts.now));
  const kept = all.filter((one) => mayEnd(one) && !isOver(one, facts.now));
  const crowded = tooMany(kept, actual.tombstones ?? [], (actual.sizeBytes ?? Infinity) * facts.retention.share);
  return [...expired.map((one) => purge(pool, one, 'expired')), ...crowded.map((one) => purge(pool, one, 'room'))];
}

/** Found in the pool and unknown to the ledger. */
export function keepSteps(pool: string, { tombstones = [] }: Pick<StoragePoolActual, 'tombstones'>, facts: Facts): Step[] {
  const known = new Set(facts.tombstones(pool).map(({ name }) => name));
  const found = tombstones
    .filter(({ name }) => !known.has(name))
    .map(({ name, of }) => ({ uid: name.slice(0, name.lastIndexOf('.')), ref: refOf(pool, of), pool, name }));
  return found.length === 0 ? [] : [{ change: { do: 'keep', found } }];
}

function refOf(pool: string, lxcName: string | undefined): ResourceRef {
  if (lxcName === undefined) return makeRef('StoragePool', pool);
  const { project, name } = parseLxcName(lxcName);
  return makeRef('Instance', name, { project });
}

function purge(pool: string, { uid, name }: Tombstone, because: 'expired' | 'room'): Step {
  return { change: { do: 'purge', purged: { uid, pool, name }, because } };
}

/** Only what was listed and measured counts: what is not known takes no room from others. */
function tooMany(kept: readonly Tombstone[], listed: readonly TombstoneReading[], limitBytes: number): Tombstone[] {
  const sizes = new Map(listed.map(({ name, bytes }) => [name, bytes ?? 0]));
  let total = kept.reduce((sum, { name }) => sum + (sizes.get(name) ?? 0), 0);
  const over: Tombstone[] = [];
  for (const tombstone of kept.slice(0, -1)) {
    if (total <= limitBytes) break;
    const bytes = sizes.get(tombstone.name) ?? 0;
    if (bytes === 0) continue;
    total -= bytes;
    over.push(tombstone);
  }
  return over;
}
