// The facts that plans are made with, besides what is declared and observed: the clock, tombstones, and values that are taken.
import type { Clock } from '../core/clock.ts';
import type { RefKey } from '../core/ref.ts';
import type { Ledger, TombstoneRow } from '../state/ledger.ts';
import type { BaseFacts } from './plan.ts';
import { tombstonesOf } from './recording.ts';

export interface FactsOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Facts that do not change while the daemon runs. */
  readonly facts: Pick<BaseFacts, 'bootId' | 'prefix' | 'paths' | 'host' | 'retention'>;
  /** Values of a scope taken outside the ledger: claims of all daemons of this host, subnets seen on the host. Asked before `keys` are planned. */
  readonly takenElsewhere: (keys: readonly RefKey[]) => Promise<(scope: string) => ReadonlySet<string>>;
}

export async function readFacts({ ledger, clock, facts, takenElsewhere }: FactsOptions, keys: readonly RefKey[]): Promise<BaseFacts> {
  const elsewhere = await takenElsewhere(keys);
  let tombstones: Map<string, TombstoneRow[]> | undefined;
  const scopes = new Map<string, ReadonlySet<string>>();
  return {
    ...facts,
    now: clock.now(),
    tombstones: (pool) => (tombstones ??= Map.groupBy(tombstonesOf(ledger), (row) => row.pool)).get(pool) ?? [],
    taken: (scope) => {
      let values = scopes.get(scope);
      if (values === undefined) {
        values = ledger.allocations.taken(scope).union(elsewhere(scope));
        scopes.set(scope, values);
      }
      return values;
    },
  };
}
