// The metrics of metric-table.ts in prom-client. Loaded by metrics.ts only when somebody asks.
import { readdir } from 'node:fs/promises';
import type { RecordableHistogram } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type MetricName } from './metric-table.ts';
import type { MetricsOptions, MetricsReading, SourceReading } from './metrics.ts';

type Name<Type extends string> = { [Key in MetricName]: (typeof METRICS)[Key]['type'] extends Type ? Key : never }[MetricName];
type Label<Key extends MetricName> = (typeof METRICS)[Key]['labels'][number];

/** Anybody who may apply can name new stored sources: those beyond the first few are told together. */
const MOST_SOURCES = 100;
const OTHER_SOURCES = '(others)';

export class Prometheus {
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #delay: RecordableHistogram;
  readonly #delayIntervalMs: number;

  readonly #rounds = this.#histogram('lockstep_reconcile_duration_seconds');
  readonly #changes = this.#histogram('lockstep_change_duration_seconds');
  readonly #drift = this.#histogram('lockstep_drift_duration_seconds');
  readonly #planned = new Counter({
    name: 'lockstep_planned_changes_total',
    help: METRICS.lockstep_planned_changes_total.help,
    registers: [this.#registry],
  });

  constructor(options: Pick<MetricsOptions, 'version' | 'startedAt'>, delay: RecordableHistogram, delayIntervalMs: number) {
    this.#delay = delay;
    this.#delayIntervalMs = delayIntervalMs;
    for (const [name, { type, help, labels }] of Object.entries(METRICS)) {
      if (type === 'gauge') this.#gauges.set(name, new Gauge({ name, help, labelNames: labels, registers: [this.#registry] }));
    }
    this.#set('lockstep_build_info', { version: options.version, node: process.version }, 1);
    this.#set('process_start_time_seconds', {}, options.startedAt / 1000);
  }

  round(seconds: number, planned: number): void {
    this.#rounds.observe(seconds);
    this.#planned.inc(planned);
  }

  change(kind: string, change: string, outcome: string, seconds: number): void {
    this.#changes.observe({ kind, change, outcome }, seconds);
  }

  driftEnded(kind: string, seconds: number): void {
    this.#drift.observe({ kind }, seconds);
  }

  async text(reading: MetricsReading, lagSeconds: number): Promise<string> {
    this.#setState(reading);
    await this.#setProcess(lagSeconds);
    return await this.#registry.metrics();
  }

  #setState({ objects, sources, queues, confirmations, auditEntries, ledgerBytes }: MetricsReading): void {
    // Reset first: what is gone (the last object of a kind, a forgotten source) must not keep its old value.
    for (const [name, gauge] of this.#gauges) if (/^lockstep_(?:objects|queue|source)/.test(name)) gauge.reset();
    for (const { count, ...labels } of objects) this.#set('lockstep_objects', labels, count);
    for (const { name, running, waiting } of queues) {
      this.#set('lockstep_queue_running', { queue: name }, running);
      this.#set('lockstep_queue_waiting', { queue: name }, waiting);
    }
    for (const source of boundedSources(sources)) this.#setSource(source);
    this.#set('lockstep_confirmations_waiting', {}, confirmations);
    this.#set('lockstep_audit_entries', {}, auditEntries);
    if (ledgerBytes !== undefined) this.#set('lockstep_ledger_size_bytes', {}, ledgerBytes);
  }

  #setSource({ name: source, lastRead, since, failing, problems, objects }: SourceReading): void {
    const now = Date.now();
    if (lastRead !== undefined) this.#set('lockstep_source_age_seconds', { source }, Math.max(0, (now - lastRead) / 1000));
    if (since !== undefined) this.#set('lockstep_source_revision_age_seconds', { source }, Math.max(0, (now - since) / 1000));
    this.#set('lockstep_source_failing', { source }, failing ? 1 : 0);
    this.#set('lockstep_source_problems', { source }, problems);
    this.#set('lockstep_source_objects', { source }, objects);
  }

  async #setProcess(lagSeconds: number): Promise<void> {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    this.#set('process_cpu_seconds_total', {}, (user + system) / 1e6);
    this.#set('process_resident_memory_bytes', {}, rss);
    this.#set('nodejs_heap_size_used_bytes', {}, heapUsed);
    this.#set('process_open_fds', {}, (await readdir('/proc/self/fd')).length);
    this.#set('nodejs_eventloop_lag_seconds', {}, lagSeconds);
    this.#set('nodejs_eventloop_lag_max_seconds', {}, this.#delaySeconds(this.#delay.max));
    this.#set('nodejs_eventloop_lag_p99_seconds', {}, this.#delaySeconds(this.#delay.percentile(99)));
    this.#delay.reset();
  }

  /** The histogram holds nanoseconds between two wake-ups: its own interval is no delay. */
  #delaySeconds(nanoseconds: number): number {
    return this.#delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - this.#delayIntervalMs / 1000);
  }

  #set<Key extends Name<'gauge'>>(name: Key, labels: Readonly<Record<Label<Key>, string>>, value: number): void {
    this.#gauges.get(name)!.set(labels, value);
  }

  #histogram<Key extends Name<'histogram'>>(name: Key): Histogram<Label<Key>> {
    const { help, labels, buckets } = METRICS[name];
    return new Histogram<Label<Key>>({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [this.#registry] });
  }
}

/** Beyond the first by name: the oldest age, and the sums. */
function boundedSources(sources: readonly SourceReading[]): readonly SourceReading[] {
  if (sources.length <= MOST_SOURCES) return sources;
  const sorted = sources.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const others = sorted.slice(MOST_SOURCES).reduce((all, one) => ({
    name: OTHER_SOURCES,
    lastRead: earliest(all.lastRead, one.lastRead),
    since: earliest(all.since, one.since),
    failing: all.failing || one.failing,
    problems: all.problems + one.problems,
    objects: all.objects + one.objects,
  }));
  return [...sorted.slice(0, MOST_SOURCES), { ...others, name: OTHER_SOURCES }];
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
