// A real failure explained: the chain of what waits for what, down to the file and line that is to be mended; what ended by itself, with the
// event; the audit log, checked by the daemon and on the file; and that a secret is in none of what the daemon tells or keeps.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database } from '../../src/state/database.ts';
import type { Why } from '../../src/api/types.ts';
import { initPid } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

const CANARY = 'canary-4f7a91c2';

async function why(host: TestHost, object: string): Promise<Why> {
  const { stdout, stderr } = await host.lockstep('why', object, '-o', 'json');
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Why;
}

/** Every value of every table, but for the documents, which have to be kept as they were written. */
function ledgerText(path: string): string {
  const db = new Database(path, { readOnly: true });
  try {
    const tables = db.prepare<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const rows = tables.flatMap(({ name }) =>
      db
        .prepare<Record<string, unknown>>(`SELECT * FROM "${name}"`)
        .all()
        .map((row) => ({ name, row })),
    );
    const told = rows.map(({ name, row: { ...row } }) => {
      if (name === 'object') delete row['document'];
      if (name === 'document') delete row['text'];
      return row;
    });
    return JSON.stringify(told);
  } finally {
    db.close();
  }
}

test('why, history and audit on a real host', { skip: needsRoot, timeout: 120_000 * slowness }, async (t) => {
  await using host = await startHost(t, { start: false });
  const broken = join(host.root, 'broken.tar');
  writeFileSync(broken, 'this is no image');
  host.write('base.yaml', foundation(host.prefix));
  host.write('image.yaml', `\n\napiVersion: lockstep/v1\nkind: Image\nmetadata: { name: vendor }\nspec: { source: { file: ${broken} } }\n`);
  host.write('db.yaml', instance('db').replace('image: busybox', 'image: vendor'));
  host.write('web.yaml', instance('web', 'dependsOn: [{ kind: Instance, name: db }]'));
  const secret = `config: { environment.TOKEN: "${CANARY}", environment.OTHER: "${CANARY}-2" }`;
  host.write('other.yaml', instance('other', secret));
  await host.start();
  await host.eventually('other runs', async () => (await why(host, 'other')).rule.reason === 'UpToDate');

  await t.test('the chain ends at the image, with file and line', async () => {
    await host.eventually('the image has failed', async () => (await why(host, 'image/vendor')).error !== undefined);
    const { rule, chain, ready } = await why(host, 'web');
    assert.deepEqual([ready?.status, rule.reason], ['False', 'WaitingForNeeds']);
    assert.deepEqual(
      chain.map(({ from, ref, root }) => [from.name, ref.kind, ref.name, root]),
      [
        ['web', 'Instance', 'db', false],
        ['db', 'Image', 'vendor', true],
      ],
    );
    assert.equal(chain[0]?.asked?.file, join(host.manifests, 'web.yaml'));
    assert.equal(chain[1]?.asked?.file, join(host.manifests, 'db.yaml'));
    assert.deepEqual([chain[1]?.rule.file, chain[1]?.rule.line], [join(host.manifests, 'image.yaml'), 6]);
    const { stdout } = await host.lockstep('why', 'web');
    t.diagnostic(stdout);
    assert.match(stdout, /^Instance\/web is not ready: WaitingForNeeds$/m);
    assert.match(stdout, /root cause: IMAGE_INVALID: .*image\.yaml:6\)/);
  });

  await t.test('what ended by itself is told with its event, and survives a restart', async () => {
    const before = initPid(host, 'other');
    process.kill(before, 'SIGKILL');
    await host.eventually('it runs again', () => initPid(host, 'other') !== before);
    const ended = async (): Promise<boolean> => {
      const { lastRun } = await why(host, 'other');
      return lastRun?.outcome === 'done' && lastRun.causes.join().includes('container other started, stopped or ended');
    };
    await host.eventually('its history has the event', ended);
    await host.restart();
    await host.eventually('it is known again', ended);
    const { stdout } = await host.lockstep('history', 'other');
    assert.match(stdout, /\tcreate\tdone\t/);
    assert.match(stdout, /\tstart\tdone\tstart, because it ended/);
  });

  await t.test('a secret is in no answer, no log and no table', async () => {
    host.write('other.yaml', instance('other', secret.replace(`${CANARY}-2`, `${CANARY}-3`)));
    await host.eventually('the change is applied', async () => {
      const { body } = await host.get('/v1/objects/Instance/default/-/other/history');
      return body.includes('environment.OTHER') && (await why(host, 'other')).rule.reason === 'UpToDate';
    });
    const applied = await host.post('/v1/apply', { files: [{ path: 'x.yaml', text: instance('third', secret) }] });
    assert.equal(applied.status, 200, applied.body);
    await host.eventually('it runs', async () => (await why(host, 'third')).rule.reason === 'UpToDate');
    const object = '/v1/objects/Instance/default/-/other';
    for (const path of [
      '/v1/status',
      object,
      `${object}/why`,
      `${object}/history`,
      '/v1/audit?limit=999',
      '/v1/events?limit=9999',
      '/v1/plan',
      '/metrics',
    ]) {
      const { status, body } = await host.get(path);
      assert.equal(status, 200, body);
      assert.ok(!body.includes(CANARY), path);
    }
    assert.ok(!host.log.includes(CANARY), 'log');
    assert.match((await host.get('/v1/audit?object=Instance/default/-/third')).body, /"actor":"uid:0"/);
    await host.stop();
    assert.ok(!ledgerText(host.paths.ledger).includes(CANARY), 'ledger');
  });

  await t.test('the audit log is in order, and a changed one is found on the file', async () => {
    const { stdout, code } = await host.lockstep('audit', 'verify', '--ledger', host.paths.ledger);
    assert.equal(code, 0);
    const head = /^head (\S+)$/m.exec(stdout)?.[1];
    const copy = join(host.root, 'copy.db');
    writeFileSync(copy, readFileSync(host.paths.ledger));
    const db = new Database(copy);
    db.exec("UPDATE audit SET actor = 'uid:1' WHERE seq = 3");
    db.close();
    const changed = await host.lockstep('audit', 'verify', '--ledger', copy);
    assert.equal(changed.code, 1);
    assert.match(changed.stderr, /broken at entry 3/);
    await host.start();
    const live = await host.lockstep('audit', 'verify', '--expect', head!);
    assert.equal(live.code, 0, live.stderr);
    // The API answers before the first round has looked at the objects.
    await host.sync();
    const metrics = (await host.get('/metrics')).body;
    assert.match(metrics, /^lockstep_objects\{kind="Instance",condition="Ready",status="False"\} 2$/m);
    assert.match(metrics, /^lockstep_source_revision_age_seconds\{source="main"\} \d/m);
    assert.match(metrics, /^lockstep_ledger_size_bytes \d{4,}$/m);
  });
});
