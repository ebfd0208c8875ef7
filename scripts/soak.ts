// A long run with everything going wrong: `npm run soak -- --minutes 30 [--seed N] [--kill-until 0.5]`,
// as root. A daemon follows a git repository that gets a
// commit every few seconds; meanwhile containers, services, links, rules, mounts and files are broken behind its back and the daemon itself
// is killed. Then it is left alone: it must end converged, with nothing there twice or left behind, and with flat memory. Exit code 1 when not.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { PlanReport } from '../src/reconciler/control.ts';
import { checkLedger, takeCensus } from '../test/host/crash/census.ts';
import { checkCounts } from '../test/host/crash/workload.ts';
import { TestHost } from '../test/host/harness.ts';
import { findTraces } from './host-traces.ts';
import { seeded, seedFromEnvironment } from './seeded-random.ts';
import { mishaps, type Victim } from './soak/chaos.ts';
import { mean, quantile, type Sample, slopePerHour, takeSample } from './soak/figures.ts';
import { Fleet } from './soak/fleet.ts';
import { Remote } from './soak/remote.ts';

const SAMPLE_MS = 5000;
/** Between two mishaps, and between two commits. */
const MISHAP_MS = [1000, 5000] as const;
const COMMIT_MS = [2000, 6000] as const;
const KILL_DAEMON_MS = [20_000, 60_000] as const;
/** After the last mishap everything is well again within this time: a monitor's end can take a while, back-off up to a minute. */
const RECOVERY_MS = 180_000;
/** A daemon warms up in its first minutes; what it grows after that, of its memory, within the run. */
const WARM_SECONDS = 120;
const MAX_GROWTH = 0.15;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string' }, 'kill-until': { type: 'string', default: '0.5' } },
});
const minutes = Number(values.minutes);
/** The daemon is killed in the first part of the run only: the daemon of the rest shows what a long life does. */
const killUntil = Number(values['kill-until']) * minutes * 60;
const random = seeded(values.seed === undefined ? seedFromEnvironment() : Number(values.seed));
if (process.getuid?.() !== 0 || !(minutes > 0)) {
  process.stderr.write('soak: as root: npm run soak -- --minutes N [--seed N]\n');
  process.exit(64);
}

const remoteRoot = `/var/tmp/lockstep-soak-${process.pid}`;
mkdirSync(remoteRoot);
const remote = new Remote(remoteRoot);
const config = join(remoteRoot, 'lockstep.yaml');
writeFileSync(
  config,
  JSON.stringify({ sources: [{ name: 'main', url: remote.url, ref: { branch: 'main' }, path: 'host', interval: '3s' }] }),
);
const host = new TestHost({ ownSources: true, flags: ['--config', config] });
const fleet = new Fleet(random, host.prefix);
const victim: Victim = { host, random, remote, names: () => fleet.names };
const counts = new Map<string, number>();
const samples: Sample[] = [];
const stop = new AbortController();
const began = performance.now();
let lives = 0;
let bornAt = 0;

function count(what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function seconds(): number {
  return (performance.now() - began) / 1000;
}

function say(text: string): void {
  process.stdout.write(`${seconds().toFixed(0).padStart(6)} s  ${text}\n`);
}

async function startDaemon(): Promise<void> {
  await host.start({ LOCKSTEP_LOG: 'info' });
  lives++;
  bornAt = seconds();
}

/** Again and again at random intervals, until the run ends. */
async function every([from, to]: readonly [number, number], work: () => Promise<void>): Promise<void> {
  while (!stop.signal.aborted) {
    await sleep(random.between(from, to), undefined, { signal: stop.signal }).catch(() => {});
    if (!stop.signal.aborted) await work();
  }
}

async function mishap(): Promise<void> {
  const name = random.pick(Object.keys(mishaps));
  if (await mishaps[name]!(victim)) count(name);
}

async function commit(): Promise<void> {
  const message = fleet.change();
  await remote.commit(fleet.text(), message);
}

async function killDaemon(): Promise<void> {
  if (seconds() > killUntil) return;
  count('kill the daemon');
  await host.kill9();
  await sleep(random.between(0, 3000));
  await startDaemon();
}

/**
 * Somebody who watches: confirms what a source would delete beyond its budget, and asks for another try where the daemon has given up because
 * something keeps changing the same thing back, as this run does.
 */
async function attend(): Promise<void> {
  const { confirmations, objects } = await host.status();
  for (const { source, hash } of confirmations) await host.post('/v1/confirmations', { source, hash });
  for (const object of objects) {
    if (!object.conditions.some(({ status, reason }) => status === 'True' && reason === 'Fight')) continue;
    count('a fight was ended');
    await host.post('/v1/sync', { ref: object.ref });
  }
}

async function watch(): Promise<void> {
  // It may be being killed.
  await attend().catch(() => {});
  const sample = await takeSample(host, { at: seconds(), age: seconds() - bornAt, life: lives, instances: fleet.names.length });
  if (sample !== undefined) samples.push(sample);
}

async function recover(): Promise<number> {
  const from = performance.now();
  await remote.comeBack();
  const head = await remote.head();
  await host.eventually(
    'everything is Ready at the last commit',
    async () => {
      await attend();
      await host.sync();
      const status = await host.status();
      return status.settled && status.sources[0]?.revision === head;
    },
    RECOVERY_MS,
  );
  return (performance.now() - from) / 1000;
}

async function checkHost(): Promise<void> {
  const { changes, unknown } = JSON.parse((await host.get('/v1/plan')).body) as PlanReport;
  assert.deepEqual({ changes, unknown }, { changes: [], unknown: [] }, 'the plan is empty');
  await host.eventually('what is on the host is what is declared, once', async () => {
    const census = await takeCensus(host);
    checkLedger(host, census);
    checkCounts(fleet.declared(), census, 'counted on the host');
    return true;
  });
}

function steadySamples(): { last: Sample[]; steady: Sample[] } {
  const last = samples.filter((sample) => sample.life === lives && sample.age > WARM_SECONDS);
  const steady = last.length > 10 ? last : samples.filter((sample) => sample.life === lives);
  return { last, steady };
}

function rssOf(part: readonly Sample[]): number {
  return mean(part.map((sample) => sample.rssMiB));
}

function fifths(part: readonly Sample[]): Sample[][] {
  return [0, 1, 2, 3, 4].map((at) => part.slice(Math.floor((at * part.length) / 5), Math.floor(((at + 1) * part.length) / 5)));
}

function kinds(sample: Sample | undefined): string {
  return [...(sample?.fdKinds ?? [])]
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

function checkMemory(): void {
  const { last } = steadySamples();
  if (last.length <= 10) return;
  const growth = rssOf(last.slice(-5)) / rssOf(last.slice(0, 5)) - 1;
  assert.ok(growth < MAX_GROWTH, `memory grew by ${(growth * 100).toFixed(1)} % in the daemon's last life`);
}

/** `recovery`: seconds; NaN when it did not end converged. */
function figures(recovery: number): string[] {
  const { steady } = steadySamples();
  const [first, end] = [steady.slice(0, 5), steady.slice(-5)];
  return [
    `seed ${random.seed}, ${minutes} minutes, ${remote.commits} commits, ${lives} daemon lives, ${samples.length} samples`,
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, times]) => `${what}: ${times}`)
      .join(', '),
    Number.isNaN(recovery) ? 'NOT converged' : `converged ${recovery.toFixed(1)} s after the last mishap`,
    `memory of the last life (${steady.length} samples): ${rssOf(first).toFixed(1)} MiB at first, ${rssOf(end).toFixed(1)} MiB at the end, ` +
      `slope ${slopePerHour(steady, (sample) => sample.rssMiB).toFixed(2)} MiB/h`,
    `open files: ${first.at(0)?.fds} at first, ${end.at(-1)?.fds} at the end, most ${Math.max(...steady.map((sample) => sample.fds))}, ` +
      `slope ${slopePerHour(steady, (sample) => sample.fds).toFixed(2)}/h; threads ${end.at(-1)?.threads}`,
    `by kind: ${kinds(first.at(0))} at first; ${kinds(end.at(-1))} at the end; instances ${first.at(0)?.instances} and ${end.at(-1)?.instances}`,
    `JS heap, lowest of each fifth: ${fifths(steady)
      .map((part) => Math.min(...part.map((s) => s.heapMiB)).toFixed(1))
      .join(', ')} MiB; ` +
      `resident: ${fifths(steady)
        .map((part) => rssOf(part).toFixed(1))
        .join(', ')} MiB`,
    `event loop, longest delay in 5 s: median ${quantile(
      samples.map((s) => s.lagMs),
      0.5,
    ).toFixed(1)} ms, ` +
      `p99 ${quantile(
        samples.map((s) => s.lagMs),
        0.99,
      ).toFixed(1)} ms, most ${Math.max(...samples.map((s) => s.lagMs)).toFixed(1)} ms`,
    `an empty request: median ${quantile(
      samples.map((s) => s.answerMs),
      0.5,
    ).toFixed(1)} ms, ` +
      `p99 ${quantile(
        samples.map((s) => s.answerMs),
        0.99,
      ).toFixed(1)} ms`,
  ];
}

let failure: unknown;
try {
  await remote.open(fleet.text());
  await startDaemon();
  await recover();
  say(`everything is up; LOCKSTEP_SEED=${random.seed}, prefix ${host.prefix}`);
  const end = sleep(minutes * 60_000 - seconds() * 1000).then(() => stop.abort());
  await Promise.all([
    end,
    every(MISHAP_MS, mishap),
    every(COMMIT_MS, commit),
    every(KILL_DAEMON_MS, killDaemon),
    every([SAMPLE_MS, SAMPLE_MS + 1], watch),
  ]);
  say('the chaos is over');
  const recovery = await recover();
  await checkHost();
  for (const line of figures(recovery)) say(line);
  checkMemory();
} catch (error) {
  failure = error;
  // What was measured is worth as much when it did not end well.
  for (const line of figures(Number.NaN)) say(line);
} finally {
  stop.abort();
}
if (failure !== undefined && process.env['LOCKSTEP_SOAK_KEEP'] !== undefined) {
  process.stderr.write(
    `${failure instanceof Error ? failure.stack : JSON.stringify(failure)}\nleft as it is: ${host.root} ${remoteRoot}\n`,
  );
  process.exit(1);
}
await host[Symbol.asyncDispose]();
rmSync(remoteRoot, { recursive: true, force: true });
const { processes, links, mounts, loops, cgroups, tables, claims } = await findTraces(host.scope);
assert.deepEqual(
  { processes, links, mounts, loops, cgroups, tables, claims },
  { processes: [], links: [], mounts: [], loops: [], cgroups: [], tables: [], claims: [] },
);
if (failure !== undefined) throw failure;
say('nothing is left on the host');
