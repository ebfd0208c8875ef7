// Devices of a running instance are added, changed and removed without a restart: looked at from outside (links, mountinfo, cgroups) and
// from inside, with the same init all the time; interrupted at every boundary; and still there after a guest's reboot.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { mustRun } from '../../src/host/run/run.ts';
import { CrashBench } from './crash/bench.ts';
import { findInit, guest, guestCode, idBase, initPid, procFile } from './guest.ts';
import { needsRoot, slowness, startHost, type TestHost } from './harness.ts';
import { foundation, instance, subnetOf } from './manifests.ts';

const TIMEOUT = 120_000 * slowness;

const OTHER_SUBNET = (host: TestHost): string => subnetOf(`${host.prefix} other`);

/** An instance has one NIC in a network. */
function other(host: TestHost): string {
  const spec = `{ type: bridge, config: { ipv4.address: ${OTHER_SUBNET(host)}.1/24, ipv4.nat: "false" } }`;
  return `apiVersion: lockstep/v1\nkind: Network\nmetadata: { name: other }\nspec: ${spec}\n---\n`;
}

/** The world with one instance that has these devices besides its root disk and eth0. */
function world(host: TestHost, devices: string, more = ''): string {
  return foundation(host.prefix, 'driver: dir') + other(host) + instance('web', `devices: { ${devices} }${more}`);
}

/** Declares and waits; the instance must not have been restarted for it. Returns what was plugged for it, as people are told. */
async function become(host: TestHost, devices: string, more = ''): Promise<string[]> {
  const before = initPid(host, 'web');
  const told = (await plugged(host)).length;
  host.write('a.yaml', world(host, devices, more));
  await host.waitReady();
  assert.equal(initPid(host, 'web'), before, 'it was not restarted');
  return (await plugged(host)).slice(told);
}

async function plugged(host: TestHost): Promise<string[]> {
  const { stdout } = await host.lockstep('events', '--limit', '9999', '-o', 'json');
  const events = JSON.parse(stdout) as { message: string }[];
  return events.flatMap(({ message }) => /(?:plug in|unplug|replug) device "[^"]*"/.exec(message)?.[0] ?? []);
}

/** Mounts at a path inside, as the kernel tells them: [options, type, source]. */
function mountsAt(host: TestHost, path: string): string[][] {
  return procFile(initPid(host, 'web'), 'mountinfo')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[4] === path)
    .map((fields) => [fields[5] ?? '', ...fields.slice(fields.indexOf('-') + 1, fields.indexOf('-') + 3)]);
}

interface Veth {
  readonly ifname: string;
  readonly ifindex: number;
  readonly master?: string;
  readonly operstate: string;
}

async function veths(host: TestHost): Promise<Veth[]> {
  const links = JSON.parse((await mustRun(['ip', '-j', 'link', 'show'])).stdout) as Veth[];
  return links.filter((link) => link.ifname.startsWith(`${host.prefix}v`));
}

describe('devices of a running instance', { skip: needsRoot }, () => {
  test('are plugged in, changed and unplugged', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const shared = join(host.root, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    host.write('a.yaml', world(host, ''));
    await host.start();
    await host.waitReady();
    const ids = idBase(initPid(host, 'web'));
    const disk = (rest = ''): string => `data: { type: disk, source: ${shared}, path: /srv/deep/data${rest} }`;

    await t.test('a directory of the host', async () => {
      writeFileSync(join(shared, 'hello'), 'from the host');
      assert.deepEqual(await become(host, disk()), ['plug in device "data"']);
      assert.equal(await guest(host, 'web', 'cat', '/srv/deep/data/hello'), 'from the host');
      // The way there belongs to the container's root, like everything it has made itself.
      assert.equal(await guest(host, 'web', 'stat', '-c', '%u %a', '/srv/deep'), '0 755');
      mkdirSync(join(shared, 'own'), { mode: 0o777 });
      chmodSync(join(shared, 'own'), 0o777);
      await guest(host, 'web', 'sh', '-c', 'echo back > /srv/deep/data/own/file');
      assert.equal(await guest(host, 'web', 'stat', '-c', '%u', '/srv/deep/data/own/file'), '0');
      const owner = statSync(join(shared, 'own/file')).uid;
      assert.equal(owner, ids, 'as at a start: ids are not mapped');

      assert.deepEqual(await become(host, disk(', readonly: "true"')), ['replug device "data"']);
      assert.notEqual(await guestCode(host, 'web', 'touch', '/srv/deep/data/own/other'), 0);
      assert.equal(mountsAt(host, '/srv/deep/data').length, 1);
      assert.match(mountsAt(host, '/srv/deep/data')[0]?.[0] ?? '', /^ro/);

      assert.deepEqual(await become(host, ''), ['unplug device "data"']);
      assert.deepEqual(mountsAt(host, '/srv/deep/data'), []);
      assert.notEqual(await guestCode(host, 'web', 'cat', '/srv/deep/data/hello'), 0);
      assert.equal(readFileSync(join(shared, 'hello'), 'utf8'), 'from the host');
    });

    await t.test('a tmpfs', async () => {
      const tmpfs = (size: string): string => `scratch: { type: disk, source: "tmpfs:", path: /scratch, size: ${size} }`;
      await become(host, tmpfs('4MiB'));
      assert.deepEqual(
        mountsAt(host, '/scratch').map(([, ...rest]) => rest),
        [['tmpfs', 'tmpfs']],
      );
      assert.equal(await guest(host, 'web', 'stat', '-c', '%u %a', '/scratch'), '0 1777');
      assert.match(await guest(host, 'web', 'df', '-m', '/scratch'), / 4 /);
      await become(host, tmpfs('8MiB'));
      assert.match(await guest(host, 'web', 'df', '-m', '/scratch'), / 8 /);
      assert.equal(mountsAt(host, '/scratch').length, 1);
      await become(host, '');
      assert.deepEqual(mountsAt(host, '/scratch'), []);
    });

    await t.test('a device node', async () => {
      const node = (rest: string): string => `zero: { type: unix-char, source: /dev/zero, path: /dev/nought${rest} }`;
      assert.deepEqual(await become(host, node('')), ['plug in device "zero"']);
      assert.equal(await guest(host, 'web', 'sh', '-c', 'head -c 3 /dev/nought | wc -c'), '3');
      assert.equal(await guest(host, 'web', 'stat', '-c', '%u %g %a', '/dev/nought'), '0 0 660');
      assert.deepEqual(await become(host, node(', uid: "1000", gid: "5", mode: "0604"')), ['replug device "zero"']);
      assert.equal(await guest(host, 'web', 'stat', '-c', '%u %g %a', '/dev/nought'), '1000 5 604');
      await become(host, '');
      assert.equal(await guestCode(host, 'web', 'test', '-e', '/dev/nought'), 1);
    });

    await t.test('a NIC', async () => {
      const mac = '00:16:3e:aa:bb:01';
      const inside = (name: string): Promise<string> => guest(host, 'web', 'ip', '-o', 'link', 'show', name);
      const nic = (rest: string): string => `extra: { type: nic, network: other${rest} }`;
      const changes = await become(host, nic(`, name: eth1, hwaddr: "${mac}"`));
      assert.deepEqual(changes, ['plug in device "extra"']);
      assert.match(await inside('eth1'), new RegExp(`UP.*mtu 1500.*${mac}`));
      assert.equal((await veths(host)).length, 2);
      assert.deepEqual(new Set((await veths(host)).map(({ master }) => master)), new Set([`${host.prefix}-lan`, `${host.prefix}-other`]));
      assert.ok((await veths(host)).every(({ operstate }) => operstate === 'UP'));
      // It reaches the network's name server and gets its static lease.
      const address = `${OTHER_SUBNET(host)}.77`;
      await become(host, nic(`, name: lan1, hwaddr: "${mac}", mtu: "1400", ipv4.address: ${address}`));
      assert.match(await inside('lan1'), /mtu 1400/);
      assert.notEqual(await guestCode(host, 'web', 'ip', 'link', 'show', 'eth1'), 0);
      const lease = await guest(host, 'web', 'sh', '-c', 'udhcpc -i lan1 -n -q -t 5 -T 1 -s /bin/true 2>&1');
      assert.match(lease, new RegExp(`lease of ${address.replaceAll('.', '\\.')} obtained`));
      await become(host, '');
      assert.equal((await veths(host)).length, 1);
      assert.notEqual(await guestCode(host, 'web', 'ip', 'link', 'show', 'lan1'), 0);
    });

    await t.test('while it is frozen', async () => {
      await become(host, '', ', state: Frozen');
      await become(host, disk(), ', state: Frozen');
      assert.equal(mountsAt(host, '/srv/deep/data').length, 1);
      await become(host, disk());
      assert.equal(await guest(host, 'web', 'cat', '/srv/deep/data/hello'), 'from the host');
    });

    await t.test("and are there after a guest's reboot, and after the daemon's", async () => {
      const mac = '00:16:3e:aa:bb:02';
      const devices = `tank: { type: disk, source: ${shared}, path: /tank }, zero: { type: unix-char, source: /dev/zero, path: /dev/nought }`;
      await become(host, `${devices}, extra: { type: nic, network: other, name: eth1, hwaddr: "${mac}" }`);
      const before = initPid(host, 'web');
      await guestCode(host, 'web', 'reboot', '-f');
      await host.eventually('it has rebooted', () => ![undefined, before].includes(findInit(host, 'web')));
      await host.eventually('it can be entered', async () => (await guestCode(host, 'web', 'true')) === 0);
      const rebooted = initPid(host, 'web');
      assert.equal(await guest(host, 'web', 'cat', '/tank/hello'), 'from the host');
      assert.equal(await guest(host, 'web', 'sh', '-c', 'head -c 3 /dev/nought | wc -c'), '3');
      assert.match(await guest(host, 'web', 'ip', '-o', 'link', 'show', 'eth1'), new RegExp(mac));
      assert.deepEqual(mountsAt(host, '/srv/deep/data'), [], 'what was unplugged does not come back');
      await host.stop();
      await host.start();
      await host.waitReady();
      assert.equal(initPid(host, 'web'), rebooted, 'there is nothing to restart it for');
    });

    await t.test('a NIC whose host side is deleted from outside comes back', async () => {
      const before = initPid(host, 'web');
      const lost = (await veths(host)).find(({ master }) => master === `${host.prefix}-lan`);
      assert.ok(lost);
      const hasAddress = async (): Promise<boolean> => / inet /.test(await guest(host, 'web', 'ip', '-4', 'addr', 'show', 'eth0'));
      await host.eventually('it has an address', hasAddress);
      await mustRun(['ip', 'link', 'delete', lost.ifname]);
      const since = performance.now();
      const isBack = ({ ifname, ifindex, operstate }: Veth): boolean =>
        ifname === lost.ifname && ifindex !== lost.ifindex && operstate === 'UP';
      await host.eventually('it is back', async () => (await veths(host)).some(isBack), 3000);
      await host.eventually('it has its address again', hasAddress);
      t.diagnostic(`repaired after ${Math.round(performance.now() - since)} ms`);
      await host.waitReady();
      assert.equal(initPid(host, 'web'), before);
    });
  });

  test('a node of a privileged instance is allowed by its device cgroup only while it is plugged in', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const privileged = ', config: { security.privileged: "true" }';
    // Not among the nodes every privileged instance may use: the kernel's log, made by hand inside.
    const node = 'log: { type: unix-char, source: /dev/kmsg, path: /dev/hostlog }';
    const opens = (path: string): Promise<number> => guestCode(host, 'web', 'sh', '-c', `: < ${path}`);
    host.write('a.yaml', world(host, '', privileged));
    await host.start();
    await host.waitReady();
    await guest(host, 'web', 'mknod', '/tmp/own', 'c', '1', '11');
    assert.notEqual(await opens('/tmp/own'), 0);
    await become(host, node, privileged);
    assert.equal(await opens('/dev/hostlog'), 0);
    await become(host, '', privileged);
    assert.notEqual(await opens('/tmp/own'), 0, 'it is denied again');
  });

  test('killed at the boundaries of a replug, the next daemon ends as declared, in the same init', { timeout: 10 * TIMEOUT }, async (t) => {
    const bench = await CrashBench.open(t);
    const { host } = bench;
    const shared = join(host.root, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    const states = [
      [
        `data: { type: disk, source: ${shared}, path: /one }, zero: { type: unix-char, source: /dev/zero, path: /dev/nought }`,
        ['/dev/nought', '/one', '1500'],
      ],
      [
        `data: { type: disk, source: ${shared}, path: /two }, eth0: { type: nic, network: lan, mtu: "1400" }, tmp: { type: disk, source: "tmpfs:", path: /three }`,
        ['/three', '/two', '1400'],
      ],
    ] as const;
    /** Every place any of the states uses, and what is there. */
    const inside = async (): Promise<string[]> => {
      const mounts = ['/dev/nought', '/one', '/three', '/two'].flatMap((place) => mountsAt(host, place).map(() => place));
      return [...mounts, /mtu (\d+)/.exec(await guest(host, 'web', 'ip', 'link', 'show', 'eth0'))?.[1] ?? 'no eth0'];
    };
    host.write('a.yaml', world(host, states[0][0]));
    await bench.start();
    await bench.settled('the beginning');
    const init = initPid(host, 'web');
    let kills = 0;
    const stride = process.env['LOCKSTEP_CRASH'] === 'all' ? 1 : 15;
    for (let at = 3, open = 2; open > 0; at += stride) {
      open = 0;
      for (const [devices, places] of [states[1], states[0]]) {
        bench.arm(`kill@${at}`);
        host.write('a.yaml', world(host, devices));
        const outcome = await bench.outcome();
        if (outcome === 'killed') {
          kills++;
          open++;
          bench.arm('count');
          await bench.start();
          await bench.settled(`killed at boundary ${at}`);
        }
        assert.equal(initPid(host, 'web'), init, `killed at boundary ${at}`);
        assert.deepEqual(await inside(), places, `killed at boundary ${at}`);
        const { body } = await host.get('/v1/plan');
        assert.deepEqual((JSON.parse(body) as { changes: unknown[] }).changes, []);
      }
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= 4, `${kills} kills`);
  });

  test('a link planted at the target by the guest leads nowhere', { timeout: TIMEOUT }, async (t) => {
    await using host = await startHost(t, { start: false });
    const [shared, victim] = [join(host.root, 'shared'), join(host.root, 'victim')];
    for (const path of [shared, victim]) mkdirSync(path, { mode: 0o777 });
    host.write('a.yaml', world(host, ''));
    await host.start();
    await host.waitReady();
    const before = initPid(host, 'web');
    // As the target itself, as a directory on the way, and where the file of a node would be made.
    await guest(host, 'web', 'ln', '-s', victim, '/srv/data');
    await guest(host, 'web', 'ln', '-s', '../../../../../../..' + host.root, '/mnt/way');
    await guest(host, 'web', 'ln', '-s', join(victim, 'made'), '/dev/nought');
    for (const [name, options] of [
      ['data', `type: disk, source: ${shared}, path: /srv/data`],
      ['way', `type: disk, source: ${shared}, path: /mnt/way/victim`],
      ['zero', 'type: unix-char, source: /dev/zero, path: /dev/nought'],
    ]) {
      host.write('a.yaml', world(host, `${name}: { ${options} }`));
      const failed = async (): Promise<boolean> => {
        const { objects } = await host.status();
        return objects.some(({ ref, error }) => ref.name === 'web' && error?.code === 'DEVICE_REFUSED');
      };
      await host.eventually(`${name} is refused`, failed);
    }
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(victim), false, 'nothing was mounted there');
    assert.equal(existsSync(join(victim, 'made')), false);
    // Once the links are gone it is tried again.
    await guest(host, 'web', 'rm', '/srv/data', '/mnt/way', '/dev/nought');
    await host.waitReady();
    assert.equal(await guest(host, 'web', 'sh', '-c', 'head -c 3 /dev/nought | wc -c'), '3');
    assert.equal(initPid(host, 'web'), before);
  });
});
