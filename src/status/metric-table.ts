// Every metric, once: prometheus.ts makes them from this table, and docs/reference/metrics.md is written from it. Labels are kinds,
// conditions, changes, outcomes, sources and queues, never names of objects, so that their number stays small.

export interface MetricEntry {
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** Of the value; `none` counts things. */
  readonly unit: 'seconds' | 'bytes' | 'none';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const QUICK = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LONG = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600];

export const METRICS = {
  lockstep_reconcile_duration_seconds: histogram(QUICK, [], 'Time from the beginning of a round to its plan.'),
  lockstep_planned_changes_total: counter([], 'Changes planned by all rounds.'),
  lockstep_change_duration_seconds: histogram(
    LONG,
    ['kind', 'change', 'outcome'],
    'Time to carry out one change, by kind, change and outcome.',
  ),
  lockstep_drift_duration_seconds: histogram(LONG, ['kind'], 'Time from drift being seen to the object being as declared again.'),
  lockstep_objects: gauge('none', ['kind', 'condition', 'status'], 'Objects by kind, condition and its status.'),
  lockstep_queue_running: gauge('none', ['queue'], 'Changes being carried out, by queue.'),
  lockstep_queue_waiting: gauge(
    'none',
    ['queue'],
    'Changes waiting for a slot, by queue; in the queue `look`, objects waiting to be looked at.',
  ),
  lockstep_source_age_seconds: gauge('seconds', ['source'], 'Time since the last successful look at the source.'),
  lockstep_source_revision_age_seconds: gauge('seconds', ['source'], 'Time since the revision in force came to be.'),
  lockstep_source_failing: gauge('none', ['source'], '1 while the source cannot be read as it is now, else 0.'),
  lockstep_source_problems: gauge('none', ['source'], 'Problems in the manifests of the source.'),
  lockstep_source_objects: gauge('none', ['source'], 'Objects of the source, those to be deleted included.'),
  lockstep_confirmations_waiting: gauge('none', [], 'Lists of deletions that wait for a person.'),
  lockstep_ledger_size_bytes: gauge('bytes', [], 'Size of the ledger with its write-ahead log.'),
  lockstep_audit_entries: gauge('none', [], 'Entries of the audit log.'),
  lockstep_build_info: gauge('none', ['version', 'node'], 'Always 1; the versions are labels.'),
  process_start_time_seconds: gauge('seconds', [], 'Start of the daemon since the epoch.'),
  process_cpu_seconds_total: gauge('seconds', [], 'User and system CPU time spent.'),
  process_resident_memory_bytes: gauge('bytes', [], 'Resident memory.'),
  process_open_fds: gauge('none', [], 'Open file descriptors.'),
  nodejs_heap_size_used_bytes: gauge('bytes', [], 'JavaScript heap in use.'),
  nodejs_eventloop_lag_seconds: gauge('seconds', [], 'Delay of the event loop at this scrape.'),
  nodejs_eventloop_lag_max_seconds: gauge('seconds', [], 'Longest delay during rounds since the last scrape.'),
  nodejs_eventloop_lag_p99_seconds: gauge('seconds', [], '99th percentile of the delay during rounds since the last scrape.'),
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof METRICS;

function gauge<const Labels extends readonly string[]>(unit: MetricEntry['unit'], labels: Labels, help: string) {
  return { type: 'gauge', unit, labels, help } as const;
}

function counter<const Labels extends readonly string[]>(labels: Labels, help: string) {
  return { type: 'counter', unit: 'none', labels, help } as const;
}

function histogram<const Labels extends readonly string[]>(buckets: readonly number[], labels: Labels, help: string) {
  return { type: 'histogram', unit: 'seconds', labels, help, buckets } as const;
}
