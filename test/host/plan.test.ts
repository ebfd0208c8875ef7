// Plans against a real daemon: they leave no trace, a saved one is refused when the host has moved, and downtimes are those that were measured.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { PlanReport } from '../../src/api/types.ts';
import { initPid } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

/** What is committed: reading marks its place in `ledger.db-shm`, which holds no data. */
function ledgerHash(host: TestHost): string {
  const hash = createHash('sha256');
  for (const file of ['ledger.db', 'ledger.db-wal']) hash.update(readFileSync(join(host.paths.stateDir, file)));
  return hash.digest('hex');
}

async function planOf(host: TestHost, ...args: string[]): Promise<PlanReport> {
  const { code, stdout, stderr } = await host.lockstep('plan', ...args, '-o', 'json');
  assert.ok(code === 0 || code === 2, stderr);
  return JSON.parse(stdout) as PlanReport;
}

describe('plans on the real host', { skip: needsRoot }, () => {
  test(
    'leave no trace, are refused when the host has moved, and know how long a restart takes',
    { timeout: 120_000 * slowness },
    async (t) => {
      await using host = await startHost(t, { start: false });
      host.write('a.yaml', foundation(host.prefix) + instance('web'));
      await host.start();
      await host.waitReady();
      const given = join(host.root, 'given.yaml');
      const saved = join(host.root, 'saved.plan');
      writeFileSync(given, instance('new'));

      await t.test('planning what is not applied writes nothing', async () => {
        await host.eventually('the ledger is still', async () => {
          const before = ledgerHash(host);
          await new Promise((resolve) => setTimeout(resolve, 700));
          return ledgerHash(host) === before;
        });
        const before = [ledgerHash(host), await host.dump()];
        assert.equal((await planOf(host, given)).counts.create, 1);
        assert.equal((await planOf(host, '--source', 'team', '--prune', given)).counts.create, 1);
        const nothing = join(host.root, 'nothing.yaml');
        writeFileSync(nothing, '# nothing\n');
        const { counts, confirmations } = await planOf(host, '--source', 'main', '--prune', nothing);
        assert.equal(counts.delete, 4, 'a profile has nothing on the host');
        assert.deepEqual(
          confirmations.map(({ objects, command }) => [objects.length, command]),
          [[5, 'lockstep confirm main']],
        );
        assert.deepEqual([ledgerHash(host), await host.dump()], before);
      });

      await t.test('a saved plan does what it says, once', async () => {
        assert.equal((await host.lockstep('plan', given, '--out', saved)).code, 2);
        const applied = await host.lockstep('apply', saved, '--yes', '--wait');
        assert.equal(applied.code, 0, applied.stderr);
        assert.ok(initPid(host, 'new') > 0);
        const again = await host.lockstep('apply', saved, '--yes');
        assert.equal(again.code, 1);
        assert.match(again.stderr, /Instance "new" has nothing left to change/);
      });

      await t.test('the expected downtime of a restart is what the last one took', async () => {
        const nesting = (value: string): void => writeFileSync(given, instance('new', `config: { security.nesting: "${value}" }`));
        nesting('true');
        const restartOf = ({ changes }: PlanReport) => changes.find(({ verdict }) => verdict === 'restart');
        assert.equal(restartOf(await planOf(host, given))?.downtimeFrom, 'start', 'it was started once, and never restarted');
        const began = performance.now();
        assert.equal((await host.lockstep('apply', given, '--yes', '--wait')).code, 0);
        const took = performance.now() - began;
        nesting('false');
        const planned = restartOf(await planOf(host, given));
        assert.equal(planned?.downtimeFrom, 'restarts');
        assert.ok(planned.expectedDowntimeMs! > 0 && planned.expectedDowntimeMs! <= took, `${planned.expectedDowntimeMs} of ${took} ms`);
        assert.match(planned.downtime ?? '', /^about .* as its last restart took; its shutdown may take \d+ s at most$/);
      });
    },
  );
});
