// The metrics themselves, in prom-client. Loaded by metrics.ts only when somebody asks. Labels are kinds, conditions and names of
// changes, sources and queues: never names of objects, so that their number stays small.
import { readdir } from 'node:fs/promises';
import type { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricsOptions, MetricsReading } from './metrics.ts';

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>;

export class Prometheus {
  readonly #registry = new Registry();
  readonly #delay: DelayHistogram;
  readonly #delayIntervalMs: number;
  readonly #startedAt: number;

  readonly #rounds = new Histogram({
    name: 'lockstep_reconcile_duration_seconds',
    help: 'Time from the beginning of a round to its plan.',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.#registry],
  });
  readonly #planned = new Counter({
    name: 'lockstep_planned_changes_total',
    help: 'Changes planned by all rounds.',
    registers: [this.#registry],
  });
  readonly #changes = new Histogram({
    name: 'lockstep_change_duration_seconds',
    help: 'Time to carry out one change, by kind, change and outcome.',
    labelNames: ['kind', 'change', 'outcome'] as const,
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600],
    registers: [this.#registry],
  });
  readonly #objects = this.#gauge('lockstep_objects', 'Objects by kind, condition and its status.', ['kind', 'condition', 'status']);
  readonly #running = this.#gauge('lockstep_queue_running', 'Changes being carried out, by queue.', ['queue']);
  readonly #queued = this.#gauge('lockstep_queue_waiting', 'Changes waiting for a slot, by queue.', ['queue']);
  readonly #sourceAge = this.#gauge('lockstep_source_age_seconds', 'Time since the source was last read.', ['source']);
  readonly #sourceProblems = this.#gauge('lockstep_source_problems', 'Problems in the manifests of the source.', ['source']);
  readonly #info = this.#gauge('lockstep_build_info', 'Always 1; the versions are labels.', ['version', 'node']);
  readonly #started = this.#gauge('process_start_time_seconds', 'Start of the daemon since the epoch.', []);
  readonly #cpu = this.#gauge('process_cpu_seconds_total', 'User and system CPU time spent.', []);
  readonly #resident = this.#gauge('process_resident_memory_bytes', 'Resident memory.', []);
  readonly #fds = this.#gauge('process_open_fds', 'Open file descriptors.', []);
  readonly #heap = this.#gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.', []);
  readonly #lag = this.#gauge('nodejs_eventloop_lag_seconds', 'Delay of the event loop at this scrape.', []);
  readonly #lagMax = this.#gauge('nodejs_eventloop_lag_max_seconds', 'Longest delay during rounds since the last scrape.', []);
  readonly #lagP99 = this.#gauge(
    'nodejs_eventloop_lag_p99_seconds',
    '99th percentile of the delay during rounds since the last scrape.',
    [],
  );

  constructor(options: Pick<MetricsOptions, 'version' | 'startedAt'>, delay: DelayHistogram, delayIntervalMs: number) {
    this.#delay = delay;
    this.#delayIntervalMs = delayIntervalMs;
    this.#startedAt = options.startedAt;
    this.#info.set({ version: options.version, node: process.version }, 1);
  }

  round(seconds: number, planned: number): void {
    this.#rounds.observe(seconds);
    this.#planned.inc(planned);
  }

  change(kind: string, change: string, outcome: string, seconds: number): void {
    this.#changes.observe({ kind, change, outcome }, seconds);
  }

  async text(reading: MetricsReading, lagSeconds: number): Promise<string> {
    this.#setState(reading);
    await this.#setProcess(lagSeconds);
    return await this.#registry.metrics();
  }

  #setState({ objects, sources, queues }: MetricsReading): void {
    // Reset first: what is gone (the last object of a kind, a forgotten source) must not keep its old value.
    for (const gauge of [this.#objects, this.#running, this.#queued, this.#sourceAge, this.#sourceProblems]) gauge.reset();
    for (const { ref, conditions } of objects) {
      for (const { type, status } of conditions) this.#objects.inc({ kind: ref.kind, condition: type, status });
    }
    for (const { name, running, waiting } of queues) {
      this.#running.set({ queue: name }, running);
      this.#queued.set({ queue: name }, waiting);
    }
    for (const { name, lastRead, problems } of sources) {
      if (lastRead !== undefined) this.#sourceAge.set({ source: name }, Math.max(0, (Date.now() - lastRead) / 1000));
      this.#sourceProblems.set({ source: name }, problems);
    }
  }

  async #setProcess(lagSeconds: number): Promise<void> {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    this.#started.set(this.#startedAt / 1000);
    this.#cpu.set((user + system) / 1e6);
    this.#resident.set(rss);
    this.#heap.set(heapUsed);
    this.#fds.set((await readdir('/proc/self/fd')).length);
    this.#lag.set(lagSeconds);
    this.#lagMax.set(this.#delaySeconds(this.#delay.max));
    this.#lagP99.set(this.#delaySeconds(this.#delay.percentile(99)));
    this.#delay.reset();
  }

  /** The histogram holds nanoseconds between two wake-ups: its own interval is no delay. */
  #delaySeconds(nanoseconds: number): number {
    return this.#delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - this.#delayIntervalMs / 1000);
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}
