// What Lockstep promises, seen on the real host from outside: ids on disk, cgroup values, processes, the network; not its own records.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { condition, type ObjectStatus } from '../../src/core/object-status.ts';
import { cgroupValue, findInit, guest, guestCode, idBase, initPid, page, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance, subnetOf } from './manifests.ts';

async function objectNamed(host: TestHost, name: string): Promise<ObjectStatus> {
  const found = (await host.status()).objects.find((object) => object.ref.name === name && object.ref.kind === 'Instance');
  assert.ok(found, `there is "${name}"`);
  return found;
}

async function reasonOf(host: TestHost, name: string): Promise<string> {
  return condition(await objectNamed(host, name), 'Ready')?.reason ?? '';
}

/** Ticks since boot at which the process was made. */
function startedAt(pid: number): number {
  return Number(
    procFile(pid, 'stat')
      .replace(/^.*\) /, '')
      .split(' ')[19],
  );
}

function rootfs(host: TestHost, name: string): string {
  return join(host.paths.pool('fast'), 'containers', name, 'rootfs');
}

function memoryFile(): string {
  return existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'memory.max' : 'memory.limit_in_bytes';
}

const TIMEOUT = 180_000 * slowness;

describe('on the real host', { skip: needsRoot }, () => {
  test('instances are unprivileged, held by their limits, and have their devices and addresses', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const shared = join(host.root, 'shared');
    mkdirSync(shared, { mode: 0o755 });
    writeFileSync(join(shared, 'note'), 'from the host\n');
    const subnet = subnetOf(host.prefix);
    const web = `
      image: busybox
      config:
        environment.WWW_PAGE: "<h1>in lockstep</h1>"
        environment.COLOUR: "dark # blue"
        limits.memory: 64MiB
        limits.processes: "80"
        limits.cpu.allowance: 50ms/100ms
      devices:
        eth0: { type: nic, network: lan, ipv4.address: ${subnet}.10 }
        shared: { type: disk, source: "${shared}", path: /srv/shared, readonly: "true" }
        scratch: { type: disk, source: "tmpfs:", path: /scratch, size: 1MiB }
        tun: { type: unix-char, path: /dev/net/tun, mode: "0666" }
      dependsOn: [{ kind: Instance, name: db, condition: Running }]
`;
    host.write(
      'a.yaml',
      `${foundation(host.prefix)}apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: web }\nspec:${web}---\n${instance('db')}`,
    );
    await host.start();
    await host.waitReady();
    const [webInit, dbInit] = [initPid(host, 'web'), initPid(host, 'db')];
    const [webBase, dbBase] = [idBase(webInit), idBase(dbInit)];

    await t.test('files on disk belong to root, and init to ids of its own', () => {
      assert.equal(statSync(join(rootfs(host, 'web'), 'bin/busybox')).uid, 0);
      assert.match(procFile(webInit, 'status'), new RegExp(`^Uid:\\t${webBase}\\t`, 'm'));
      assert.ok(webBase >= 65_536 && dbBase >= 65_536);
      assert.ok(Math.abs(webBase - dbBase) >= 65_536, 'their ranges do not overlap');
    });
    await t.test('a file made inside belongs to the same id inside and on disk, and to the range where nothing is mapped', async () => {
      await guest(host, 'web', 'sh', '-c', 'echo x > /made; chown 1000:100 /made; echo x > /scratch/made');
      const { uid, gid } = statSync(join(rootfs(host, 'web'), 'made'));
      assert.deepEqual([uid, gid], [1000, 100]);
      assert.equal(statSync(`/proc/${webInit}/root/scratch/made`).uid, webBase);
    });
    await t.test('a set-uid program of a guest is out of reach for other users of the host', async () => {
      await guest(host, 'web', 'sh', '-c', 'cp /bin/busybox /suid; chmod 4755 /suid');
      const program = join(rootfs(host, 'web'), 'suid');
      assert.equal(statSync(program).mode & 0o7777, 0o4755);
      for (const uid of [65_534, dbBase]) {
        const { error } = spawnSync(program, ['id', '-u'], { uid, gid: uid });
        assert.match(String(error), /EACCES/, `as user ${uid}`);
      }
    });
    await t.test('confined by seccomp, namespaces and the id map', async () => {
      const status = procFile(webInit, 'status');
      assert.match(status, /^Seccomp:\t2$/m);
      for (const command of [
        ['mknod', '/tmp/disk', 'b', '8', '0'],
        ['sh', '-c', 'echo h > /proc/sysrq-trigger'],
        ['sh', '-c', 'echo 1 > /proc/sys/vm/drop_caches'],
        ['insmod', '/etc/passwd'],
        ['chroot', `/proc/${webInit}/root`, 'true'],
      ]) {
        assert.notEqual(await guestCode(host, 'web', ...command), 0, command.join(' '));
      }
      // busybox's date says that it may not, and ends with 0.
      await guestCode(host, 'web', 'date', '-s', '2001-01-01 00:00');
      assert.ok(new Date().getFullYear() > 2020, 'the clock is as it was');
      assert.doesNotMatch(procFile(webInit, 'uid_map'), /^\s*\d+\s+0\s/m, 'host root is not mapped');
    });
    await t.test('no device nodes but the usual ones and the declared one', async () => {
      assert.deepEqual(spawnSync('find', [rootfs(host, 'web'), '-type', 'b', '-o', '-type', 'c']).stdout.toString(), '');
      const found = await guest(host, 'web', 'sh', '-c', 'find /dev -xdev -type c -o -xdev -type b | sort | xargs');
      const usual = ['/dev/full', '/dev/null', '/dev/random', '/dev/tty', '/dev/urandom', '/dev/zero'];
      const rest = found.split(' ').filter((path) => !usual.includes(path) && !/^\/dev\/(console|ptmx|pts\/\w+)$/.test(path));
      assert.deepEqual(rest, ['/dev/net/tun']);
    });
    await t.test('limits are what the cgroup says', () => {
      assert.equal(cgroupValue(host, 'web', memoryFile()), String(64 * 1024 ** 2));
      assert.equal(cgroupValue(host, 'web', 'pids.max'), '80');
      const v2 = memoryFile() === 'memory.max';
      assert.equal(cgroupValue(host, 'web', v2 ? 'cpu.max' : 'cpu.cfs_quota_us'), v2 ? '50000 100000' : '50000');
    });
    await t.test('environment, read-only directory, tmpfs of its size, tun', async () => {
      assert.ok(readFileSync(`/proc/${webInit}/environ`, 'utf8').split('\0').includes('COLOUR=dark # blue'));
      assert.equal(await guest(host, 'web', 'sh', '-c', 'echo "$COLOUR"'), 'dark # blue');
      assert.equal(await guest(host, 'web', 'cat', '/srv/shared/note'), 'from the host');
      assert.notEqual(await guestCode(host, 'web', 'touch', '/srv/shared/note'), 0);
      for (const how of ['remount,rw', 'remount,rw,bind']) {
        assert.notEqual(await guestCode(host, 'web', 'mount', '-o', how, '/srv/shared'), 0, how);
      }
      assert.match(await guest(host, 'web', 'sh', '-c', 'df -k /scratch | tail -1'), / 1024 /);
      await guest(host, 'web', 'sh', '-c', 'exec 3<>/dev/net/tun');
    });
    await t.test('what is depended on was there first', () => {
      assert.ok(startedAt(webInit) >= startedAt(dbInit));
    });
    await t.test('its page is served at its declared address', async () => {
      await host.eventually('the page is there', async () => (await page(`${subnet}.10`)).includes('<h1>in lockstep</h1>'));
      assert.match(await guest(host, 'web', 'ip', '-4', 'addr', 'show', 'eth0'), new RegExp(`inet ${subnet}\\.10/24 `));
    });
    await t.test('instances find each other by name', async () => {
      await host.eventually('db has an address', async () => /inet /.test(await guest(host, 'db', 'ip', '-4', 'addr', 'show', 'eth0')));
      await guest(host, 'db', 'ping', '-c', '1', 'web.test');
      assert.match(await guest(host, 'db', 'nslookup', 'web.test'), new RegExp(`Address.*${subnet}\\.10`));
    });
  });

  test('changes land live or by a restart, and what ends is treated as its policy says', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    host.write('a.yaml', foundation(host.prefix));
    host.write('web.yaml', instance('web', 'config: { limits.memory: 64MiB }'));
    host.write('once.yaml', instance('once', 'restart: { policy: OnFailure }'));
    await host.start();
    await host.waitReady();

    await t.test('a limit is changed under a running init', async () => {
      const before = initPid(host, 'web');
      host.write('web.yaml', instance('web', 'config: { limits.memory: 96MiB, limits.processes: "77" }'));
      await host.waitReady();
      assert.equal(cgroupValue(host, 'web', memoryFile()), String(96 * 1024 ** 2));
      assert.equal(cgroupValue(host, 'web', 'pids.max'), '77');
      assert.equal(initPid(host, 'web'), before);
    });
    await t.test('what needs a restart gets one', async () => {
      const before = initPid(host, 'web');
      host.write('web.yaml', instance('web', 'config: { limits.memory: 96MiB, environment.NEW: "1" }'));
      await host.waitReady();
      assert.notEqual(initPid(host, 'web'), before);
      assert.equal(await guest(host, 'web', 'sh', '-c', 'echo "$NEW"'), '1');
    });
    await t.test('an init that is killed is back in well under a second', async (sub) => {
      // The first exit is repaired at once, the next ones after 1, 2, 4 ... s.
      const before = initPid(host, 'web');
      const killedAt = performance.now();
      process.kill(before, 'SIGKILL');
      await host.eventually('it runs again', () => ![undefined, before].includes(findInit(host, 'web')));
      const tookMs = performance.now() - killedAt;
      sub.diagnostic(`a killed init was back after ${tookMs.toFixed(0)} ms`);
      assert.ok(tookMs < 800 * slowness, `${tookMs} ms`);
      await host.waitReady();
    });
    await t.test('a poweroff from inside is repaired under Always and left under OnFailure', async () => {
      const before = initPid(host, 'web');
      await guestCode(host, 'web', 'poweroff', '-f');
      await host.eventually('it runs again', () => ![undefined, before].includes(findInit(host, 'web')));
      await guestCode(host, 'once', 'poweroff', '-f');
      await host.eventually('it says so', async () => (await reasonOf(host, 'once')) === 'StoppedByGuest');
      await host.sync();
      assert.equal(findInit(host, 'once'), undefined);
      assert.equal(await reasonOf(host, 'once'), 'StoppedByGuest');
    });
    await t.test('under OnFailure a killed init is repaired', async () => {
      host.write('once.yaml', instance('once', 'restart: { policy: OnFailure }, config: { environment.AGAIN: "1" }'));
      await host.waitReady();
      const before = initPid(host, 'once');
      process.kill(before, 'SIGKILL');
      await host.eventually('it runs again', () => ![undefined, before].includes(findInit(host, 'once')));
    });
    await t.test('a guest reboots by itself, and is not started twice', async () => {
      const before = initPid(host, 'once');
      await guestCode(host, 'once', 'reboot', '-f');
      await host.eventually('it runs again', () => ![undefined, before].includes(findInit(host, 'once')));
      await host.waitReady();
      assert.equal((await host.dump()).filter((line) => line === 'process monitor once').length, 1);
    });
    await t.test('it is frozen, thawed and stopped as declared', async () => {
      const before = initPid(host, 'web');
      const frozen = (): boolean => {
        const v2 = memoryFile() === 'memory.max';
        return v2 ? cgroupValue(host, 'web', 'cgroup.events').includes('frozen 1') : cgroupValue(host, 'web', 'freezer.state') === 'FROZEN';
      };
      for (const [state, expected] of [
        ['Frozen', true],
        ['Running', false],
      ] as const) {
        host.write('web.yaml', instance('web', `state: ${state}, config: { limits.memory: 96MiB, environment.NEW: "1" }`));
        await host.waitReady();
        assert.equal(frozen(), expected, state);
        assert.equal(initPid(host, 'web'), before);
      }
      host.write('web.yaml', instance('web', 'state: Stopped, config: { limits.memory: 96MiB, environment.NEW: "1" }'));
      await host.waitReady();
      assert.equal(findInit(host, 'web'), undefined);
      assert.deepEqual(
        globSync(`/sys/fs/cgroup/{.,*}/${host.prefix}.lockstep/web/payload`).filter(
          (path) => readFileSync(`${path}/cgroup.procs`).length > 0,
        ),
        [],
      );
    });
  });

  test('a removed file removes its objects, keeps their data for a time, and undelete brings it back', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    host.write('a.yaml', foundation(host.prefix));
    host.write('web.yaml', instance('web'));
    await host.start();
    const before = await host.dump();
    await host.waitReady();
    await guest(host, 'web', 'sh', '-c', 'echo precious > /root/data');
    const volumes = join(host.paths.pool('fast'), 'containers');
    const gone = async (): Promise<boolean> => (await host.status()).objects.every((object) => object.ref.name !== 'web');

    host.remove('web.yaml');
    await host.eventually('it is gone', gone);
    assert.deepEqual(readdirSync(volumes), []);
    assert.equal(existsSync(host.paths.instance('web')), false);
    assert.deepEqual(
      (await host.dump()).filter((line) => /web|v[a-z2-7]{9}$/.test(line)),
      [],
      `nothing but its data is left; before: ${before.join(', ')}`,
    );

    const { code, stderr } = await host.lockstep('undelete', 'web');
    assert.equal(code, 0, stderr);
    host.write('web.yaml', instance('web'));
    await host.waitReady();
    assert.equal(await guest(host, 'web', 'cat', '/root/data'), 'precious');

    host.remove('web.yaml');
    await host.eventually('it is gone again', gone);
    host.write('web.yaml', instance('web'));
    await host.waitReady();
    assert.notEqual(await guestCode(host, 'web', 'test', '-e', '/root/data'), 0, 'declared anew it is a new one');
  });

  test('a mistake is located, and everything else stays as it is, also across restarts', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    host.write('a.yaml', foundation(host.prefix));
    host.write('web.yaml', instance('web', 'config: { limits.memory: 64MiB }') + instance('other'));
    await host.start();
    await host.waitReady();
    const pids = ['web', 'other'].map((name) => initPid(host, name));
    const broken = `apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec:
  image: busybox
  config:
    limits.memry: 64MiB
---
${instance('new')}`;
    host.write('web.yaml', broken);
    const problems = async () => (await host.status()).sources.flatMap((source) => source.problems);
    const located = async (): Promise<boolean> =>
      (await problems()).some(
        ({ file, line, column, message, hint }) =>
          file.endsWith('web.yaml') && line === 7 && column === 5 && `${message} ${hint}`.includes('limits.memory'),
      );
    await host.eventually('the mistake is reported', located);
    await host.eventually('what is right in that file is there', () => findInit(host, 'new') !== undefined);
    for (const restart of [false, true]) {
      if (restart) await host.restart();
      await host.eventually('the mistake is reported', located);
      assert.deepEqual(
        ['web', 'other'].map((name) => findInit(host, name)),
        pids,
        restart ? 'after a restart' : 'before',
      );
      assert.equal(cgroupValue(host, 'web', memoryFile()), String(64 * 1024 ** 2));
    }
    for (const [what, text] of [
      ['a value with a newline', instance('bad', 'config: { environment.X: "a\\nlxc.hook.pre-start = /bin/false" }')],
      ['a name with a slash', instance('"../bad"')],
      ['a name like an option', instance('"-rf"')],
      ['not UTF-8 and not YAML', '\u0000{{{'],
    ] as const) {
      const before = (await problems()).length;
      host.write('bad.yaml', text);
      await host.eventually(`${what} is refused`, async () => (await problems()).some(({ file }) => file.endsWith('bad.yaml')));
      assert.ok((await problems()).length > before);
      assert.deepEqual(
        readdirSync(host.paths.instances).toSorted((a, b) => (a < b ? -1 : 1)),
        ['new', 'other', 'web'],
      );
      host.remove('bad.yaml');
      await host.eventually('the refusal goes with its cause', async () =>
        (await problems()).every(({ file }) => !file.endsWith('bad.yaml')),
      );
    }
    const { stdout } = await host.lockstep('validate', host.manifests);
    assert.match(stdout, /web\.yaml:7:5/);
    assert.deepEqual(
      ['web', 'other'].map((name) => findInit(host, name)),
      pids,
    );
  });

  test('a second daemon, and a state directory that containers cannot reach, are refused and told why', { timeout: TIMEOUT }, async (t) => {
    await using first = await startHost(t, { manifests: {} });
    const bin = join(import.meta.dirname, '../../bin/lockstepd');
    const start = (...flags: string[]) => spawnSync(bin, flags, { timeout: 30_000 * slowness, encoding: 'utf8' });
    const elsewhere = join(first.root, 'second');
    mkdirSync(elsewhere, { mode: 0o711 });
    chmodSync(elsewhere, 0o711);
    const other = ['--state-dir', join(elsewhere, 'state'), '--run-dir', join(elsewhere, 'run')];

    const samePrefix = start(...other, '--prefix', first.prefix);
    assert.notEqual(samePrefix.status, 0);
    assert.ok(samePrefix.stderr.includes(`process ${first.daemonPid}`) && samePrefix.stderr.includes(first.prefix), samePrefix.stderr);

    const sameState = start('--state-dir', first.paths.stateDir, '--run-dir', join(elsewhere, 'run'), '--prefix', 'tzzz');
    assert.notEqual(sameState.status, 0);
    assert.ok(sameState.stderr.includes(`process ${first.daemonPid}`) && sameState.stderr.includes(first.paths.stateDir), sameState.stderr);

    chmodSync(elsewhere, 0o700);
    const closed = start(...other, '--prefix', 'tzzz');
    assert.notEqual(closed.status, 0);
    assert.match(closed.stderr, new RegExp(`others may not search "${elsewhere}"`));
    assert.match(closed.stderr, /chmod o\+x/);
    assert.equal((await first.get('/readyz')).status, 200, 'the first one goes on');
  });
});
