// A daemon that is told to kill itself at a boundary, again and again on one host. Between kills it converges; what it then has on the host
// is compared with what it had when nothing went wrong.
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { staleQuotaGroups } from '../../../scripts/host-files.ts';
import type { PlanReport } from '../../../src/reconciler/control.ts';
import { slowness, startHost, type TestHost } from '../harness.ts';
import { type Census, checkLedger, takeCensus } from './census.ts';

/** More than a deadline and the back-off behind it: what hangs once is tried again. */
const SETTLE_MS = 120_000;
/** Monitors and control groups go a moment after the object is gone. */
const LINGER_MS = 5000;

export class CrashBench {
  readonly host: TestHost;
  readonly #orderFile: string;
  #orders = 0;

  private constructor(host: TestHost) {
    this.host = host;
    this.#orderFile = join(host.root, 'fault');
  }

  static async open(t: TestContext): Promise<CrashBench> {
    const bench = new CrashBench(await startHost(t, { start: false }));
    bench.arm('count');
    return bench;
  }

  /** What happens at boundaries from now on, counted from here. Returns the order as the log shows it. */
  arm(order: 'count' | `kill@${number}`): string {
    const text = `${order} ${++this.#orders}`;
    writeFileSync(`${this.#orderFile}.new`, text);
    renameSync(`${this.#orderFile}.new`, this.#orderFile);
    return text;
  }

  async start(): Promise<void> {
    await this.host.start({ LOCKSTEP_FAULT: `file:${this.#orderFile}` });
  }

  /** Without waiting until it answers. */
  spawn(): void {
    this.host.spawnDaemon({ LOCKSTEP_FAULT: `file:${this.#orderFile}` });
  }

  /** The boundaries the daemon passed under this order, in turn. */
  boundaries(order: string): string[] {
    return this.host.log
      .split('\n')
      .filter((line) => line.includes('"boundary":') && line.includes(JSON.stringify(order)))
      .map((line) => (JSON.parse(line) as { where: string }).where);
  }

  /** Waits for one of both: the daemon killed itself, or everything is Ready. Confirms deletions that ask for it. */
  async outcome(): Promise<'killed' | 'settled'> {
    const { host } = this;
    let last = 'no answer';
    const until = performance.now() + SETTLE_MS * slowness;
    for (let synced = false; performance.now() < until; await sleep(15)) {
      if (host.ended) return 'killed';
      try {
        if (!synced) await host.sync();
        synced = true;
        const status = await host.status();
        if (status.settled) return 'settled';
        last = JSON.stringify(status.objects.map((object) => `${object.ref.kind} ${object.ref.name}: ${object.summary}`));
        for (const { source, hash } of status.confirmations) await host.post('/v1/confirmations', { source, hash });
      } catch (error) {
        // It ends while it is asked.
        last = error instanceof Error ? error.message : String(error);
      }
    }
    const dump = await host.dump();
    const { log } = host;
    if (process.env['LOCKSTEP_CRASH_LOG'] !== undefined) writeFileSync(process.env['LOCKSTEP_CRASH_LOG'], log);
    return assert.fail(`neither killed nor settled in time: ${last}\n${dump.join('\n')}\n${log.split('\n').slice(-40).join('\n')}`);
  }

  async settled(what: string): Promise<'settled'> {
    const outcome = await this.outcome();
    assert.equal(outcome, 'settled', `${what}: the daemon ended\n${this.host.log.split('\n').slice(-20).join('\n')}`);
    return 'settled';
  }

  /** Nothing is left to do, the ledger and the disk agree, and the host looks as it should. */
  async check(what: string, wanted?: Census): Promise<Census> {
    const { host } = this;
    const { body } = await host.get('/v1/plan');
    const { changes, unknown } = JSON.parse(body) as PlanReport;
    assert.deepEqual({ changes, unknown }, { changes: [], unknown: [] }, `${what}: the plan`);
    for (const until = performance.now() + LINGER_MS * slowness; ; await sleep(50)) {
      const census = await takeCensus(host);
      try {
        checkLedger(host, census);
        if (wanted !== undefined) {
          assert.deepEqual(difference(wanted.lines, census.lines), [], `${what}: what is on the host`);
          assert.equal(census.tombstones.length, wanted.tombstones.length, `${what}: volumes kept for undelete`);
        }
        return census;
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
  }

  /** Of all btrfs pools. */
  async checkQuotas(): Promise<void> {
    const pools = (await this.host.dump()).filter((line) => /^mount .*\/pools\/[^/]+$/.test(line)).map((line) => line.slice(6));
    for (const pool of pools) assert.deepEqual(await staleQuotaGroups(pool), [], `quota groups of nobody in ${pool}`);
  }
}

/** `- LINE` where something is missing, `+ LINE` where something is too much; both lists are sorted. */
function difference(wanted: readonly string[], found: readonly string[]): string[] {
  const count = (lines: readonly string[], line: string): number => lines.filter((one) => one === line).length;
  return [...new Set([...wanted, ...found])].toSorted().flatMap((line) => {
    const more = count(found, line) - count(wanted, line);
    return more === 0 ? [] : [`${more > 0 ? '+' : '-'} ${line}`];
  });
}
