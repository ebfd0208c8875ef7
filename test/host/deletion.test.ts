// Deletions as people see them on a real host: a source that is no longer configured, what is brought back, and what is removed for good.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { staleQuotaGroups } from '../../scripts/host-files.ts';
import type { TombstoneStatus } from '../../src/reconciler/control.ts';
import { fileImage } from './crash/paths.ts';
import { findInit, guest, initPid } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

const TIMEOUT = 120_000 * slowness;

async function ran(host: TestHost, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.lockstep(...args);
  assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

async function kept(host: TestHost): Promise<TombstoneStatus[]> {
  return JSON.parse(await ran(host, 'undelete', '-o', 'json')) as TombstoneStatus[];
}

describe('deletion on a real host', { skip: needsRoot }, () => {
  test('a source that is gone is kept by a word; what is deleted comes back, and ends by a word', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false, ownSources: true });
    host.write('a.yaml', foundation(host.prefix, 'driver: dir') + instance('web') + instance('db'));
    host.spawnDaemon({}, ['--source', `old=${host.manifests}`, '--once', '--timeout', '60s']);
    assert.equal(await host.exited(90_000), 0, host.log);
    const init = initPid(host, 'web');
    await guest(host, 'web', 'true').catch(() => {});
    await host.start();
    await host.sync();
    assert.match(await ran(host, 'source', 'list'), /^old\tnot configured; nothing is deleted\t6\t/m);
    assert.match((await host.lockstep('status')).stderr, /source forget old --keep\|--prune/);
    assert.equal(initPid(host, 'web'), init);

    await ran(host, 'source', 'forget', 'old', '--keep', '--yes');
    await host.waitReady();
    assert.equal(initPid(host, 'web'), init, 'nothing was rebuilt');
    assert.doesNotMatch(await ran(host, 'source', 'list'), /^old\t/m);
    await guest(host, 'web', 'sh', '-c', 'echo precious > /root/data');

    for (const name of ['web', 'db']) await ran(host, 'delete', name);
    await host.eventually('both are gone', async () => (await kept(host)).length === 2 && findInit(host, 'web') === undefined);
    const pool = host.paths.pool('fast');
    assert.equal(readdirSync(join(pool, '.tombstones')).length, 2);
    await host.eventually('they are measured', async () => {
      await host.sync();
      return (await kept(host)).every((one) => (one.bytes ?? 0) > 100_000);
    });
    assert.match(await ran(host, 'get', 'tombstones'), /^Instance\/web\tits data\t\d+s ago\t20\d\d-[-: \d]+\t[\d.]+[KM]iB\tfast\//m);

    await ran(host, 'undelete', 'web');
    await host.waitReady();
    assert.equal(await guest(host, 'web', 'cat', '/root/data'), 'precious');
    const { code, stderr } = await host.lockstep('purge', 'db');
    assert.equal(code, 64);
    assert.match(stderr, /Remove 1 tombstone for good\?/);
    await ran(host, 'purge', 'db', '--yes');
    await host.eventually('its data is gone', async () => {
      const aside = join(pool, '.removing');
      const left = existsSync(aside) ? readdirSync(aside).length : 0;
      return (await kept(host)).length === 0 && readdirSync(join(pool, '.tombstones')).length === 0 && left === 0;
    });
    assert.equal((await host.lockstep('undelete', 'db')).code, 1);
    assert.match(await ran(host, 'status', 'web'), /^Instance\/web\tyes\tRunning/);
  });

  test('an unpacked image goes with the last of what shares its blocks, and leaves no quota group', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t);
    const root = 'devices: { root: { type: disk, path: /, pool: fast, size: 64MiB } }';
    // Quotas are on from the first size: what is unpacked before counts for nobody.
    host.write('a.yaml', foundation(host.prefix) + instance('first', root));
    await host.waitReady();
    const second = instance('second', root).replace('image: busybox', 'image: copy');
    const pool = host.paths.pool('fast');
    const unpacked = (): number => readdirSync(join(pool, 'images')).length;
    const gone = async (name: string): Promise<void> => {
      await host.eventually(`${name} is gone`, async () => {
        const { objects, settled, confirmations } = await host.status();
        for (const { source, hash } of confirmations) await host.post('/v1/confirmations', { source, hash });
        return settled && objects.every(({ ref }) => ref.name !== name);
      });
    };
    host.write('b.yaml', fileImage(host, 'a'));
    host.write('c.yaml', second);
    await host.waitReady();
    assert.equal(unpacked(), 2);
    host.remove('b.yaml');
    host.remove('c.yaml');
    await gone('second');
    await gone('copy');
    assert.deepEqual((JSON.parse((await host.get('/v1/plan')).body) as { changes: unknown[] }).changes, []);
    assert.equal(unpacked(), 2, 'the tombstone has blocks in common with it');
    await ran(host, 'purge', 'second', '--yes');
    await host.eventually('it is gone, too', () => unpacked() === 1);
    assert.deepEqual(await staleQuotaGroups(pool), []);

    host.write('b.yaml', fileImage(host, 'a'));
    host.write('c.yaml', second);
    await host.waitReady();
    host.remove('c.yaml');
    await gone('second');
    await ran(host, 'purge', 'second', '--yes');
    await host.eventually('nothing shares its blocks', () => readdirSync(join(pool, '.tombstones')).length === 0);
    await sleep(1500);
    assert.equal(unpacked(), 2, 'it is declared');
    host.remove('b.yaml');
    await gone('copy');
    await host.eventually('it goes with the image', () => unpacked() === 1);
  });

  test(
    'a source that is forgotten with its objects asks, keeps what is protected, and ends with it by a word',
    { timeout: TIMEOUT },
    async (t) => {
      await using host = await startHost(t, { start: false, ownSources: true });
      const protectedDb = instance('db', 'config: { security.protection.delete: "true" }');
      host.write('a.yaml', foundation(host.prefix, 'driver: dir') + instance('web') + protectedDb);
      host.spawnDaemon({}, ['--source', `old=${host.manifests}`, '--once', '--timeout', '60s']);
      assert.equal(await host.exited(90_000), 0, host.log);
      await host.start();
      await host.sync();
      const db = initPid(host, 'db');

      // A manifest declared it: refused, and in the log.
      assert.equal((await host.lockstep('delete', 'web')).code, 1);
      assert.equal((await host.lockstep('confirm', 'old', '--yes')).code, 1, 'nothing is asked yet');
      await ran(host, 'source', 'forget', 'old', '--prune', '--yes');
      await host.eventually('it asks', async () => (await host.status()).confirmations.some(({ source }) => source === 'old'));
      const shown = await host.lockstep('confirm', 'old');
      assert.equal(shown.code, 64, 'nobody is there to be asked');
      assert.match(shown.stdout, /^ {2}- Instance\/web$[^]*^ {4}Instance\/db \(protected: stays, unless you give --unprotect\)$/m);
      assert.ok(findInit(host, 'web') !== undefined, 'and nothing is deleted');

      await ran(host, 'confirm', 'old', '--yes');
      await host.eventually(
        'what is not protected goes',
        async () => findInit(host, 'web') === undefined && (await kept(host)).length === 1,
      );
      assert.equal(findInit(host, 'db'), db, 'what is protected runs on');
      await host.eventually('the protected one is asked for', async () =>
        (await host.lockstep('confirm', 'old')).stdout.includes('Instance/db (protected'),
      );
      await ran(host, 'confirm', 'old', '--unprotect', '--yes');
      await host.eventually('it is gone, too', async () => findInit(host, 'db') === undefined && (await kept(host)).length === 2);
      // The pool stays as long as it holds what can be brought back.
      await ran(host, 'purge', '--all', '--yes');
      await host.eventually('the last object is gone, and the source with it', async () => {
        return (await host.status()).objects.length === 0 && !/^old\t/m.test(await ran(host, 'source', 'list'));
      });

      const audit = await ran(host, 'audit');
      for (const part of [
        /\trefused\tInstance\/default\/-\/web\tOWNED_BY_OTHER_SOURCE\tDELETE \/v1\/objects was refused/,
        /\tforget\tsource:old\t/,
        /\tconfirm\tsource:old\t/,
        /\tunprotect\tInstance\/default\/-\/db\t/,
      ]) {
        assert.match(audit, part);
      }
      assert.match(await ran(host, 'audit', 'verify'), /in order/);
    },
  );
});
