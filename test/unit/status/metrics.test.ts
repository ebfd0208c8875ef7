import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../../src/status/metric-table.ts';
import { Metrics, type MetricsReading, type SourceReading } from '../../../src/status/metrics.ts';

function count(status: string, count: number): MetricsReading['objects'][number] {
  return { kind: 'Instance', condition: 'Ready', status, count };
}

function source(name: string, more: Partial<SourceReading> = {}): SourceReading {
  return { name, lastRead: undefined, since: undefined, failing: false, problems: 0, objects: 0, ...more };
}

const EMPTY: MetricsReading = { objects: [], sources: [], queues: [], confirmations: 0, auditEntries: 0 };

function make(read: () => MetricsReading): Metrics {
  return new Metrics({ version: '1.2.3', startedAt: 5000, read });
}

function value(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

test('objects are counted by kind, condition and status, and what is gone is not counted on', async () => {
  let reading: MetricsReading = { ...EMPTY, objects: [count('True', 2), count('False', 1)] };
  const metrics = make(() => reading);
  const text = await metrics.text();
  assert.equal(value(text, 'lockstep_objects{kind="Instance",condition="Ready",status="True"}'), 2);
  assert.equal(value(text, 'lockstep_objects{kind="Instance",condition="Ready",status="False"}'), 1);
  reading = EMPTY;
  assert.doesNotMatch(await metrics.text(), /lockstep_objects\{/);
});

test('queues and sources are told with depth, age and problems', async () => {
  const metrics = make(() => ({
    ...EMPTY,
    queues: [{ name: 'starts', running: 3, waiting: 9 }],
    sources: [
      source('main', { lastRead: Date.now() - 60_000, since: Date.now() - 120_000, problems: 2, objects: 7, failing: true }),
      source('never'),
    ],
  }));
  const text = await metrics.text();
  assert.equal(value(text, 'lockstep_queue_running{queue="starts"}'), 3);
  assert.equal(value(text, 'lockstep_queue_waiting{queue="starts"}'), 9);
  const age = value(text, 'lockstep_source_age_seconds{source="main"}') ?? 0;
  assert.ok(age >= 60 && age < 70, String(age));
  assert.equal(value(text, 'lockstep_source_problems{source="main"}'), 2);
  assert.equal(value(text, 'lockstep_source_age_seconds{source="never"}'), undefined);
  const revisionAge = value(text, 'lockstep_source_revision_age_seconds{source="main"}') ?? 0;
  assert.ok(revisionAge >= 120 && revisionAge < 130, String(revisionAge));
  assert.equal(value(text, 'lockstep_source_failing{source="main"}'), 1);
  assert.equal(value(text, 'lockstep_source_objects{source="main"}'), 7);
});

test('rounds and changes counted before the first scrape are in it, and later ones too', async () => {
  const metrics = make(() => EMPTY);
  metrics.roundBegan()(4);
  metrics.changeEnded('Instance', 'start', 'done', 0.2);
  const first = await metrics.text();
  assert.equal(value(first, 'lockstep_reconcile_duration_seconds_count'), 1);
  assert.equal(value(first, 'lockstep_planned_changes_total'), 4);
  assert.equal(value(first, 'lockstep_change_duration_seconds_sum{kind="Instance",change="start",outcome="done"}'), 0.2);
  metrics.changeEnded('Instance', 'start', 'done', 0.3);
  const second = await metrics.text();
  assert.equal(value(second, 'lockstep_change_duration_seconds_count{kind="Instance",change="start",outcome="done"}'), 2);
});

test('much counting without a scrape loses nothing', async () => {
  const metrics = make(() => EMPTY);
  for (let n = 0; n < 3000; n++) metrics.changeEnded('Instance', 'start', 'done', 0.001);
  const text = await metrics.text();
  assert.equal(value(text, 'lockstep_change_duration_seconds_count{kind="Instance",change="start",outcome="done"}'), 3000);
});

test('a blocked event loop during a round shows in the delay, and is forgotten at the next scrape', async () => {
  const metrics = make(() => EMPTY);
  await metrics.text(); // prom-client is loaded: its import is not what is measured
  const ended = metrics.roundBegan();
  await new Promise((resolve) => setTimeout(resolve, 60));
  const until = performance.now() + 200;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 60));
  ended(0);
  const max = value(await metrics.text(), 'nodejs_eventloop_lag_max_seconds') ?? 0;
  assert.ok(max >= 0.15, String(max));
  assert.equal(value(await metrics.text(), 'nodejs_eventloop_lag_max_seconds'), 0);
});

test('the process tells its version, memory, CPU time and file descriptors', async () => {
  const text = await make(() => EMPTY).text();
  assert.match(text, /lockstep_build_info\{version="1\.2\.3",node="v/);
  assert.equal(value(text, 'process_start_time_seconds'), 5);
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'process_open_fds', 'nodejs_heap_size_used_bytes']) {
    assert.ok((value(text, name) ?? 0) > 0, name);
  }
});

test('everything of the table is told, with its type and help, and nothing else', async () => {
  const metrics = make(() => ({ ...EMPTY, ledgerBytes: 4096, auditEntries: 12, confirmations: 1 }));
  const text = await metrics.text();
  const told = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const table = new Map(Object.entries(METRICS).map(([name, { type }]) => [name, type]));
  assert.deepEqual([...told].toSorted(byName), [...table].toSorted(byName));
  for (const [name, { help }] of Object.entries(METRICS)) assert.ok(text.includes(`# HELP ${name} ${help}`), name);
  assert.equal(value(text, 'lockstep_ledger_size_bytes'), 4096);
  assert.equal(value(text, 'lockstep_audit_entries'), 12);
  assert.equal(value(text, 'lockstep_confirmations_waiting'), 1);
});

test('however many sources there are, the number of series is bounded; what is left out is told together', async () => {
  const sources = Array.from({ length: 5000 }, (_, n) =>
    source(`s${String(n).padStart(4, '0')}`, { lastRead: Date.now() - n * 1000, objects: 1 }),
  );
  const text = await make(() => ({ ...EMPTY, sources })).text();
  assert.equal(text.split('\n').filter((line) => line.startsWith('lockstep_source_objects{')).length, 101);
  assert.equal(value(text, 'lockstep_source_objects{source="(others)"}'), 4900);
  const oldest = value(text, 'lockstep_source_age_seconds{source="(others)"}') ?? 0;
  assert.ok(oldest >= 4999 && oldest < 5010, 'the oldest of them shows');
});

test('the time from drift to repair is measured by kind', async () => {
  const metrics = make(() => EMPTY);
  metrics.driftEnded('Network', 0.4);
  const text = await metrics.text();
  assert.equal(value(text, 'lockstep_drift_duration_seconds_sum{kind="Network"}'), 0.4);
  assert.equal(value(text, 'lockstep_drift_duration_seconds_bucket{le="0.1",kind="Network"}'), 0);
});

function byName(a: readonly [string | undefined, unknown], b: readonly [string | undefined, unknown]): number {
  return (a[0] ?? '') < (b[0] ?? '') ? -1 : 1;
}
