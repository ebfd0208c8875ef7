// New root volumes, rolling restarts and renames of real containers, watched from outside.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findInit, guest, idBase, initPid } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { foundation, instance, instances, subnetOf } from './manifests.ts';

const LIMIT = { timeout: 120_000 * slowness };

function rootfs(host: TestHost, pool: string, name: string): string {
  return join(host.paths.pool(pool), 'containers', name, 'rootfs');
}

/** What an instance has been given, as the kernel and the files say it. */
async function identity(host: TestHost, name: string): Promise<Record<string, unknown>> {
  const config = readFileSync(join(host.paths.instance(name), 'config'), 'utf8');
  const status = (await host.status()).objects.find((object) => object.ref.kind === 'Instance' && object.ref.name === name);
  return {
    uid: status?.uid,
    ids: idBase(initPid(host, name)),
    hwaddr: /^lxc\.net\.0\.hwaddr = (.*)$/m.exec(config)?.[1],
    veth: /^lxc\.net\.0\.veth\.pair = (.*)$/m.exec(config)?.[1],
    inside: await guest(host, name, 'cat', '/sys/class/net/eth0/address'),
    address: /inet ([0-9.]+)/.exec(await guest(host, name, 'ip', '-4', 'addr', 'show', 'dev', 'eth0'))?.[1],
  };
}

async function addressed(host: TestHost, name: string): Promise<void> {
  await host.eventually('it has its address', async () =>
    (await guest(host, name, 'ip', '-4', 'addr', 'show', 'dev', 'eth0')).includes('inet '),
  );
}

describe('a new root volume', { skip: needsRoot }, () => {
  test('waits for a word, keeps everything but the root, and buries that', LIMIT, async (t) => {
    await using host = await startHost(t, { start: false });
    const slow = 'apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: { name: slow }\nspec: { driver: dir }\n---\n';
    const address = `${subnetOf(host.prefix)}.30`;
    const devices = (pool: string): string =>
      `devices: { root: { type: disk, path: /, pool: ${pool} }, eth0: { type: nic, network: lan, ipv4.address: ${address} } }`;
    host.write('a.yaml', foundation(host.prefix) + slow + instance('web', devices('fast')));
    await host.start();
    await host.waitReady();
    await addressed(host, 'web');
    writeFileSync(join(rootfs(host, 'fast', 'web'), 'kept.txt'), 'of the old root');
    const before = await identity(host, 'web');
    assert.equal(before['address'], address);
    const pid = initPid(host, 'web');

    host.write('a.yaml', foundation(host.prefix) + slow + instance('web', `${devices('slow')}, config: { limits.processes: "99" }`));
    await host.eventually('it asks', async () => (await host.status()).confirmations.length === 1);
    await host.eventually('the live part is applied', async () => {
      const web = (await host.status()).objects.find((object) => object.ref.name === 'web');
      return web?.summary.startsWith('RecreateNeedsConfirm') === true;
    });
    assert.equal(findInit(host, 'web'), pid, 'it runs on');
    const planned = await host.lockstep('plan');
    assert.match(planned.stdout, /make its root volume anew from image "busybox" in pool "slow"/);

    const { code, stdout, stderr } = await host.lockstep('confirm', 'web', '--yes');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /devices\.root\.pool: fast -> slow/);
    await host.waitReady();
    await addressed(host, 'web');
    assert.notEqual(findInit(host, 'web'), pid);
    assert.deepEqual(await identity(host, 'web'), before);
    assert.deepEqual(readdirSync(join(host.paths.pool('fast'), 'containers')), []);
    assert.equal(statSync(rootfs(host, 'slow', 'web'), { throwIfNoEntry: false })?.isDirectory(), true);
    const [tombstone] = readdirSync(join(host.paths.pool('fast'), '.tombstones'));
    assert.equal(readFileSync(join(host.paths.pool('fast'), '.tombstones', tombstone!, 'rootfs/kept.txt'), 'utf8'), 'of the old root');
    assert.equal((await host.lockstep('undelete', 'web')).code, 1, 'it exists');

    // The former root comes back under its own name, in its own pool; the present one is kept instead.
    host.write('a.yaml', foundation(host.prefix) + slow);
    await host.eventually('it is gone', async () => !(await host.status()).objects.some((object) => object.ref.name === 'web'));
    assert.equal((await host.lockstep('undelete', 'web', '--tombstone', `fast/${tombstone}`)).code, 0);
    await host.eventually('it runs from it', async () => {
      const web = (await host.status()).objects.find((object) => object.ref.name === 'web');
      return web?.summary.startsWith('RecreateNever') === true && findInit(host, 'web') !== undefined;
    });
    assert.equal(await guest(host, 'web', 'cat', '/kept.txt'), 'of the old root');
    await addressed(host, 'web');
    assert.deepEqual(await identity(host, 'web'), before);
    assert.deepEqual(readdirSync(join(host.paths.pool('fast'), '.tombstones')), []);
    assert.equal(readdirSync(join(host.paths.pool('slow'), '.tombstones')).length, 1);
  });
});

describe('a profile edit over ten instances', { skip: needsRoot }, () => {
  test('never takes down more than one at a time', LIMIT, async (t) => {
    await using host = await startHost(t, { start: false });
    const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
    const manifests = foundation(host.prefix) + instances(names.length);
    const edited = manifests.replace('spec: { devices: { root', 'spec: { config: { security.nesting: "true" }, devices: { root');
    assert.notEqual(edited, manifests);
    host.write('a.yaml', manifests);
    await host.start();
    await host.waitReady();
    const before = names.map((name) => initPid(host, name));

    const watching = { on: true };
    let most = 0;
    let looks = 0;
    const watch = (async () => {
      while (watching.on) {
        most = Math.max(most, names.filter((name) => findInit(host, name) === undefined).length);
        looks++;
        await sleep(5);
      }
    })();
    host.write('a.yaml', edited);
    await host.eventually('all were restarted', async () => {
      await sleep(200);
      return names.every((name, at) => ![undefined, before[at]].includes(findInit(host, name)));
    });
    watching.on = false;
    await watch;
    await host.waitReady();
    t.diagnostic(`${looks} looks, at most ${most} down`);
    assert.equal(most, 1);
  });
});

describe('a rename', { skip: needsRoot }, () => {
  test('keeps what was written to the root, and everything it has been given', LIMIT, async (t) => {
    await using host = await startHost(t, { start: false });
    const named = (name: string, former = ''): string => instance(name).replace(`name: ${name}`, `name: ${name}${former}`);
    host.write('a.yaml', foundation(host.prefix) + named('web'));
    await host.start();
    await host.waitReady();
    await addressed(host, 'web');
    await guest(host, 'web', 'sh', '-c', 'echo mine > /root/note');
    const before = await identity(host, 'web');

    host.write('a.yaml', foundation(host.prefix) + named('site', ', renamedFrom: web'));
    await host.eventually('it runs under its new name', () => findInit(host, 'site') !== undefined);
    await host.waitReady();
    await addressed(host, 'site');
    assert.equal(await guest(host, 'site', 'cat', '/root/note'), 'mine');
    assert.equal(await guest(host, 'site', 'hostname'), 'site');
    assert.deepEqual(await identity(host, 'site'), before);
    assert.equal(findInit(host, 'web'), undefined);
    assert.deepEqual(readdirSync(host.paths.instances), ['site']);
    assert.deepEqual(readdirSync(join(host.paths.pool('fast'), 'containers')), ['site']);
    assert.deepEqual(readdirSync(join(host.paths.pool('fast'), '.tombstones')), []);
    assert.deepEqual(
      (await host.dump()).filter((line) => /^cgroup .*\/web\b/.test(line)),
      [],
    );
    assert.match((await host.lockstep('plan')).stdout, /No changes/);

    // The field stays in the text and means nothing any more; a new daemon thinks so, too.
    const pid = initPid(host, 'site');
    await host.restart();
    await host.waitReady();
    assert.equal(findInit(host, 'site'), pid);
  });
});
