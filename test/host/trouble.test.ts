// What others do behind the daemon's back, and a host that lacks something: a clear error on the object it concerns, everything else goes
// on, and it is well again once the cause is gone. Data is never formatted or deleted because of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { mustRun, run } from '../../src/host/run/run.ts';
import { nftTable } from '../../src/core/names.ts';
import { findInit, guest, guestCode, initPid, page, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance, instances, subnetOf } from './manifests.ts';

const TIMEOUT = 180_000 * slowness;
const [LOCKSTEPD, LOCKSTEP] = ['lockstepd', 'lockstep'].map((name) => join(import.meta.dirname, '../../bin', name)) as [string, string];

/**
 * The daemon in a mount namespace where /usr/sbin is a directory of the test's: it runs programs from there, whatever its PATH says.
 * Returns that directory; programs can be taken out of it and put back.
 */
function ownSbin(directory: string): string {
  const [real, sbin, bin] = ['real', 'sbin', 'bin'].map((name) => join(directory, name)) as [string, string, string];
  for (const path of [real, sbin, bin]) mkdirSync(path);
  for (const name of readdirSync('/usr/sbin')) symlinkSync(join(real, name), join(sbin, name));
  const script = `#!/bin/sh
exec unshare --mount --propagation slave sh -c 'mount --bind /usr/sbin ${real} && mount --bind ${sbin} /usr/sbin && exec ${LOCKSTEPD} "$@"' sh "$@"
`;
  writeFileSync(join(bin, 'lockstepd'), script, { mode: 0o755 });
  return sbin;
}

async function errorOf(host: TestHost, name: string): Promise<string> {
  const { objects } = await host.status();
  const error = objects.find((object) => object.ref.name === name)?.error;
  return error === undefined ? '' : `${error.code} ${error.message} ${error.hint ?? ''}`;
}

function served(name: string, address: string): string {
  const eth0 = `eth0: { type: nic, network: lan, ipv4.address: ${address} }`;
  return instance(name, `config: { environment.WWW_PAGE: "page of ${name}" }, devices: { ${eth0} }`);
}

function dnsmasqPid(host: TestHost): number | undefined {
  const found = readdirSync('/proc').find((pid) => {
    return /^\d+$/.test(pid) && procFile(pid, 'cmdline').startsWith('dnsmasq') && procFile(pid, 'cmdline').includes(host.paths.stateDir);
  });
  return found === undefined ? undefined : Number(found);
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);
}

describe('trouble on the host', { skip: needsRoot }, () => {
  test('what others change is put back, and running instances stay', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const address = `${subnetOf(host.prefix)}.10`;
    host.write('a.yaml', foundation(host.prefix) + served('web', address) + instance('still', 'state: Stopped'));
    await host.start();
    await host.waitReady();
    await host.eventually('the page is there', async () => (await page(address)) !== '');
    const init = initPid(host, 'web');
    const table = nftTable(host.prefix);
    const rules = async (): Promise<string> => (await run(['nft', 'list', 'table', 'inet', table])).stdout;

    await t.test('firewall', async () => {
      const before = await rules();
      await mustRun(['nft', 'delete', 'table', 'inet', table]);
      await host.eventually('its table is back', async () => (await rules()).includes('masquerade'));
      assert.equal((await rules()).split('\n').length, before.split('\n').length);
    });
    await t.test('dnsmasq', async () => {
      const before = dnsmasqPid(host);
      assert.ok(before !== undefined);
      process.kill(before, 'SIGKILL');
      await host.eventually('it runs again', () => ![undefined, before].includes(dnsmasqPid(host)));
    });
    await t.test('bridge', async () => {
      await mustRun(['ip', 'link', 'delete', 'dev', `${host.prefix}-lan`]);
      await host.eventually('the page is there again', async () => (await page(address)).includes('page of web'));
    });
    await t.test('configuration', async () => {
      const file = join(host.paths.instance('web'), 'config');
      const before = readFileSync(file, 'utf8');
      appendFileSync(file, 'lxc.hook.pre-start = /bin/false\n');
      await host.sync();
      await host.eventually('it is as it was', () => readFileSync(file, 'utf8') === before);
    });
    await t.test('pool', async () => {
      const pool = host.paths.pool('fast');
      const data = join(pool, 'containers/still/rootfs/root/data');
      writeFileSync(data, 'precious\n');
      // Lazily, because a running instance holds it. It is back within milliseconds: maybe before anybody could see that it was missing.
      await mustRun(['umount', '--lazy', pool]);
      await host.sync();
      await host.eventually('it is mounted again', () => isMounted(pool));
      assert.equal(readFileSync(data, 'utf8'), 'precious\n');
    });
    await t.test('stored image', async () => {
      for (const name of readdirSync(host.paths.images)) rmSync(join(host.paths.images, name), { recursive: true });
      await host.waitReady();
      host.write('new.yaml', instance('new'));
      await host.waitReady();
      assert.ok(findInit(host, 'new') !== undefined);
    });
    await host.waitReady();
    assert.equal(findInit(host, 'web'), init, 'all that without touching who runs');
    const { objects } = await host.status();
    assert.equal(objects.filter((object) => object.ref.kind === 'Instance').length, 3);
  });

  // Children of the daemon end all the time, and each end is a signal that can come while it looks at something.
  test('no signal makes it take what runs for ended', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    host.write('a.yaml', foundation(host.prefix) + instances(3));
    await host.start();
    await host.waitReady();
    const inits = (): (number | undefined)[] => ['c0', 'c1', 'c2'].map((name) => findInit(host, name));
    const before = [...inits(), dnsmasqPid(host)];
    assert.ok(!before.includes(undefined));
    const storm = spawn('sh', ['-c', `while kill -CHLD ${host.daemonPid}; do :; done`], { stdio: 'ignore' });
    try {
      for (let i = 0; i < 50; i++) await host.sync();
    } finally {
      storm.kill();
    }
    await host.waitReady();
    assert.deepEqual([...inits(), dnsmasqPid(host)], before);
  });

  test('an instance that fills its disk, or the pool, harms no other', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const address = `${subnetOf(host.prefix)}.10`;
    const small = 'devices: { root: { type: disk, path: /, pool: fast, size: 32MiB }, eth0: { type: nic, network: lan } }';
    host.write('a.yaml', foundation(host.prefix, 'driver: btrfs, config: { size: 512MiB }') + served('web', address));
    host.write('b.yaml', instance('limited', small) + instance('greedy'));
    await host.start();
    await host.waitReady();
    const init = initPid(host, 'web');
    const fill = 'dd if=/dev/urandom of=/fill bs=1M count=2000; sync';
    assert.match(await guest(host, 'limited', 'sh', '-c', `{ ${fill}; } 2>&1`), /quota|space/i);
    await guest(host, 'web', 'sh', '-c', 'echo enough room > /file && sync');
    assert.match(await guest(host, 'greedy', 'sh', '-c', `{ ${fill}; } 2>&1`), /space/i);

    assert.equal(initPid(host, 'web'), init);
    assert.match(await page(address), /page of web/);
    host.write('c.yaml', instance('more'));
    await host.sync();
    assert.equal((await host.get('/readyz')).status, 200);
    await guest(host, 'greedy', 'sh', '-c', 'rm /fill; sync');
    await host.waitReady();
    assert.ok(findInit(host, 'more') !== undefined, 'with room again it goes on by itself');
  });

  test('a full state directory: nothing running is touched, and it goes on with room again', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    mkdirSync(host.paths.stateDir, { mode: 0o711 });
    await mustRun(['mount', '-t', 'tmpfs', '-o', 'size=64m,mode=0711', 'tmpfs', host.paths.stateDir]);
    host.write('a.yaml', foundation(host.prefix, 'driver: dir') + instance('web'));
    await host.start();
    await host.waitReady();
    const init = initPid(host, 'web');
    const ballast = join(host.paths.stateDir, 'ballast');
    await run(['dd', 'if=/dev/zero', `of=${ballast}`, 'bs=64k']);
    host.write('b.yaml', instance('late'));
    const told = async (): Promise<boolean> => {
      const { objects } = await host.status();
      const late = objects.find((object) => object.ref.name === 'late');
      return late?.error?.code === 'DISK_FULL' || late?.error?.code === 'LEDGER_WRITE_FAILED' || /space|full/i.test(host.log);
    };
    await host.eventually('it is told', told);
    assert.equal(findInit(host, 'web'), init);
    assert.equal((await host.get('/healthz')).status, 200);
    rmSync(ballast);
    await host.waitReady();
    assert.ok(findInit(host, 'late') !== undefined);
    assert.equal(findInit(host, 'web'), init);
    await host.restart();
    await host.waitReady();
    assert.equal(findInit(host, 'web'), init, 'and its ledger is whole');
  });

  test(
    'missing and hanging programs are named, hold up nothing else, and are found when they are there',
    { timeout: TIMEOUT },
    async (t) => {
      const program = mkdtempSync('/var/tmp/lockstep-tools-');
      t.after(() => rmSync(program, { recursive: true, force: true }));
      const sbin = ownSbin(program);
      const tools = ['dnsmasq', 'mkfs.btrfs'];
      for (const name of tools) rmSync(join(sbin, name));
      await using host = await startHost(t, { start: false, program });
      const alone = instance('alone', 'profiles: [], devices: { root: { type: disk, path: /, pool: plain } }');
      const plain = 'apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: { name: plain }\nspec: { driver: dir }\n---\n';
      host.write('a.yaml', foundation(host.prefix) + plain + alone + instance('web'));
      await host.start();
      await host.eventually('what does not need them runs', () => findInit(host, 'alone') !== undefined);
      for (const [name, tool] of [
        ['lan', 'dnsmasq'],
        ['fast', 'mkfs.btrfs'],
      ] as const) {
        await host.eventually(`"${name}" says what it lacks`, async () => {
          const error = await errorOf(host, name);
          return error.startsWith('TOOL_MISSING') && error.includes(`"${tool}"`) && error.includes('apt-get install');
        });
      }
      const doctor = await run(['nsenter', '-t', String(host.daemonPid), '-m', LOCKSTEP, 'doctor'], { timeoutMs: 60_000 * slowness });
      assert.match(doctor.stdout, /dnsmasq/);
      assert.match(doctor.stderr, /dnsmasq: .*apt-get install/);

      // One that does not end: the others still go on.
      writeFileSync(join(sbin, 'mkfs.btrfs'), '#!/bin/sh\nexec sleep 600\n');
      chmodSync(join(sbin, 'mkfs.btrfs'), 0o755);
      symlinkSync(join(program, 'real/dnsmasq'), join(sbin, 'dnsmasq'));
      await host.sync();
      host.write('b.yaml', alone.replace('alone', 'second'));
      await host.eventually('another instance runs meanwhile', () => findInit(host, 'second') !== undefined);
      assert.equal(await guestCode(host, 'second', 'true'), 0);
      await host.eventually('the network is well again', async () => (await errorOf(host, 'lan')) === '');
      assert.equal(findInit(host, 'web'), undefined);
      const hanging = readdirSync('/proc').find((pid) => {
        const parent = /^\d+ \(sleep\) . (\d+) /.exec(procFile(pid, 'stat'))?.[1];
        return Number(parent) === host.daemonPid && procFile(pid, 'cmdline').split('\0')[1] === '600';
      });
      assert.ok(hanging, 'the program hangs');
      rmSync(join(sbin, 'mkfs.btrfs'));
      symlinkSync(join(program, 'real/mkfs.btrfs'), join(sbin, 'mkfs.btrfs'));
      process.kill(Number(hanging), 'SIGKILL');
      await host.waitReady();
      assert.ok(findInit(host, 'web') !== undefined);
    },
  );
});
