// The reconciler's state in numbers, for a scrape: one pass over the objects and one over the sources, none of it kept.
import type { Ledger } from '../state/ledger.ts';
import type { MetricsReading, ObjectCount } from '../status/metrics.ts';
import type { Reconciler } from './loop.ts';
import type { SourceSet } from './source-set.ts';

export interface MetricsSources {
  readonly reconciler: Reconciler;
  readonly sources: SourceSet;
  readonly ledger: Ledger;
  readonly queues: () => MetricsReading['queues'];
}

export function metricsReading({ reconciler, sources, ledger, queues }: MetricsSources): MetricsReading {
  const problems = reconciler.intake.problemsBySource();
  return {
    objects: countConditions(reconciler),
    sources: sources.entries.map(({ source, snapshot, error, lastRead }) => ({
      name: source.name,
      lastRead: source.checkedAt ?? lastRead,
      since: snapshot?.since,
      failing: error !== undefined,
      problems: problems.get(source.name)?.length ?? 0,
      objects: reconciler.tracker.owned(source.name),
    })),
    queues: [...queues(), { name: 'look', running: 0, waiting: reconciler.waitingToBeLookedAt }],
    confirmations: ledger.confirmations.all().filter((row) => row.confirmedAt === null).length,
    auditEntries: ledger.audit.head().seq,
  };
}

function countConditions({ tracker }: Reconciler): readonly ObjectCount[] {
  const counts = new Map<string, { -readonly [Key in keyof ObjectCount]: ObjectCount[Key] }>();
  for (const { ref, conditions } of tracker.objects.values()) {
    for (const { type, status } of conditions.values()) {
      const key = `${ref.kind} ${type} ${status}`;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { kind: ref.kind, condition: type, status, count: 1 });
      else known.count++;
    }
  }
  return [...counts.values()];
}
