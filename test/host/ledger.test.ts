// What becomes of a host whose ledger is newer, damaged, lost, or older than the host: running instances are untouched, nothing is made
// twice, nothing is lost, and nothing is deleted before somebody has agreed.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { isReady } from '../../src/core/object-status.ts';
import { findInit, guest, initPid } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

const TIMEOUT = 120_000 * slowness;
const EX_CONFIG = 78;

function summary(host: TestHost): Promise<string> {
  return host.status().then(({ objects }) => objects.map((one) => `${one.ref.kind}/${one.ref.name} ${one.summary}`).join('\n'));
}

/** Monitors, volumes, bridges: what must be there once. */
async function made(host: TestHost): Promise<string[]> {
  return (await host.dump()).filter((line) => /^(process monitor|link|mount|subvolume) /.test(line)).toSorted();
}

describe('the ledger of a real host', { skip: needsRoot }, () => {
  test('newer, damaged, and older than the host', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const { ledger } = host.paths;
    host.write('a.yaml', foundation(host.prefix) + instance('web'));
    await host.start();
    await host.waitReady();
    const init = initPid(host, 'web');
    await guest(host, 'web', 'sh', '-c', 'echo precious > /root/data');
    await host.stop();
    const older = `${host.root}/older.db`;
    copyFileSync(ledger, older);
    await host.start();
    host.write('b.yaml', instance('late'));
    await host.waitReady();
    const lateInit = initPid(host, 'late');
    const before = await made(host);
    const uids = async (): Promise<Record<string, string>> =>
      Object.fromEntries((await host.status()).objects.map(({ ref, uid }) => [`${ref.kind}/${ref.name}`, uid]));
    const known = await uids();
    await host.stop();

    await t.test('a newer one is refused, and nothing is touched', async () => {
      const db = new DatabaseSync(ledger);
      const version = db.prepare("SELECT value FROM meta WHERE key = 'schemaVersion'").get() as { value: string };
      db.exec("UPDATE meta SET value = '9999' WHERE key = 'schemaVersion'");
      host.spawnDaemon();
      assert.equal(await host.exited(), EX_CONFIG);
      assert.match(host.log, /schema version 9999.*\n.*newer version of Lockstep/);
      assert.equal(findInit(host, 'web'), init);
      db.prepare("UPDATE meta SET value = ? WHERE key = 'schemaVersion'").run(version.value);
      db.close();
    });

    await t.test('one that is older than the host: what it does not know is found again, and nothing is made twice', async () => {
      for (const suffix of ['-wal', '-shm']) rmSync(ledger + suffix, { force: true });
      copyFileSync(older, ledger);
      await host.start();
      await host.eventually('everything is Ready', async () => (await host.status()).objects.every(isReady));
      assert.deepEqual([initPid(host, 'web'), initPid(host, 'late')], [init, lateInit], await summary(host));
      assert.equal((await uids())['Instance/late'], known['Instance/late']);
      assert.deepEqual(await made(host), before);
      const [asked] = (await host.status()).confirmations;
      assert.deepEqual([asked?.source, asked?.action, asked?.objects.map((ref) => ref.name)], ['@ledger', 'adopt', ['late']]);
      host.remove('b.yaml');
      await host.sync();
      assert.equal(initPid(host, 'late'), lateInit, 'not deleted before somebody agreed');
      host.write('b.yaml', instance('late'));
      assert.equal((await host.lockstep('confirm', '@ledger', '--yes')).code, 0);
      await host.waitReady();
      await host.stop();
    });

    await t.test('a damaged one is set aside, and ownership is read back from the host', async () => {
      for (const suffix of ['-wal', '-shm']) rmSync(ledger + suffix, { force: true });
      writeFileSync(ledger, 'this is no ledger '.repeat(1000));
      host.remove('b.yaml');
      await host.start();
      assert.ok(existsSync(`${ledger}.corrupt`));
      await host.eventually('web is seen to run', async () =>
        /Running/.test((await host.status()).objects.find((one) => one.ref.name === 'web')?.summary ?? ''),
      );
      await host.sync();
      assert.deepEqual([initPid(host, 'web'), initPid(host, 'late')], [init, lateInit], await summary(host));
      const [asked] = (await host.status()).confirmations;
      assert.deepEqual(asked?.objects.map((ref) => `${ref.kind}/${ref.name}`).toSorted(), ['Instance/late', 'Instance/web', 'Network/lan']);
      assert.deepEqual(await made(host), before);
      const after = await uids();
      for (const name of ['Instance/web', 'Instance/late', 'Network/lan']) assert.equal(after[name], known[name], name);
      const { stdout } = await host.lockstep('confirm', '@ledger', '--yes');
      assert.match(stdout, /3 objects will be taken for ours/);
      // Now it is what it is: no source declares it any more.
      await host.eventually('late is deleted', () => findInit(host, 'late') === undefined);
      await host.waitReady();
      assert.equal(initPid(host, 'web'), init);
      assert.equal(await guest(host, 'web', 'cat', '/root/data'), 'precious');
      const { stdout: listed } = await host.lockstep('undelete');
      assert.match(listed, /^Instance\/late\t/);
      assert.equal((await host.lockstep('undelete', 'late')).code, 0);
      await host.eventually('late is back', () => findInit(host, 'late') !== undefined);
      assert.match(readFileSync(`${ledger}.corrupt`, 'utf8'), /^this is no ledger/);
    });
  });
});
