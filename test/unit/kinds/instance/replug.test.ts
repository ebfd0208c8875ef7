// Devices of a running instance on a host in memory: what is planned, in which order, what is in the container afterwards (the same as a
// start would give it), and that it ends there after the daemon was killed at any step.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { vethName } from '../../../../src/core/names.ts';
import { instanceKind } from '../../../../src/kinds/instance/kind.ts';
import { Bench, BRIDGE, Killed, NAME, UID, V2 } from './fixture.ts';

const MAC = '00:16:3e:aa:bb:01';

async function running(devices: string, config = ''): Promise<Bench> {
  const bench = new Bench();
  for (const path of ['/srv/a', '/srv/b']) bench.hostPaths.set(path, { is: 'directory' });
  bench.hostPaths.set('/dev/x', { is: 'char', major: 10, minor: 232 });
  declare(bench, devices, config);
  await bench.converge();
  return bench;
}

function declare(bench: Bench, devices: string, config = ''): Bench {
  return bench.declare(`  config: { ${config} }\n  devices: { ${devices} }`);
}

function inside(bench: Bench): Record<string, string> {
  return Object.fromEntries(bench.lxc.facts.monitors.get(NAME)!.devices.inside);
}

/** What the container has is what a start now would give it, and nothing is left to do. */
async function isAsStarted(bench: Bench): Promise<void> {
  const plugged = inside(bench);
  assert.deepEqual(await bench.names(), []);
  bench.lxc.guestReboot(NAME);
  assert.deepEqual(inside(bench), plugged);
  assert.deepEqual(await bench.names(), []);
}

/** The plan in words, of the devices only. */
async function planned(bench: Bench): Promise<string[]> {
  const changes = (await bench.plan()).map(({ change }) => change).filter((change) => change.do === 'replug');
  return changes.map((change) => instanceKind.describe(change, undefined).summary);
}

const a = 'data: { type: disk, source: /srv/a, path: /data }';
const b = 'data: { type: disk, source: /srv/b, path: /data, readonly: "true" }';
const x = 'x: { type: unix-char, source: /dev/x, path: /dev/x }';
const nic = (rest: string): string => `net: { type: nic, network: lan, name: eth1, hwaddr: "${MAC}"${rest} }`;

describe('a device of a running instance', () => {
  it('is plugged in, replugged and unplugged, one step per device, and the init stays', async () => {
    const bench = await running('');
    const { initPid } = await bench.actual();
    declare(bench, `${a}, ${x}`);
    assert.deepEqual(await planned(bench), ['plug in device "data"', 'plug in device "x"']);
    assert.deepEqual(await bench.converge(), ['configure', 'replug', 'replug']);
    assert.equal(inside(bench)['/data'], '/srv/a');
    declare(bench, `${b}, ${x}`);
    const [configure, replug] = (await bench.plan()).map(({ change }) => instanceKind.describe(change, undefined));
    assert.deepEqual(configure?.fields, [], 'they are told once');
    assert.deepEqual([replug?.verdict, replug?.downtime], ['replug', 'less than 1 s for device "data" only']);
    assert.deepEqual(replug?.fields, [
      { field: 'devices.data.readonly', to: 'true' },
      { field: 'devices.data.source', from: '/srv/a', to: '/srv/b' },
    ]);
    await bench.converge();
    assert.equal(inside(bench)['/data'], '/srv/b ro');
    declare(bench, '');
    assert.deepEqual(await planned(bench), ['unplug device "data"', 'unplug device "x"']);
    await bench.converge();
    assert.deepEqual([inside(bench)['/data'], inside(bench)['/dev/x']], [undefined, undefined]);
    assert.equal((await bench.actual()).initPid, initPid);
    await isAsStarted(bench);
  });

  it('is done step by step, and first of all written down', async () => {
    const bench = await running(a);
    bench.steps.length = 0;
    await declare(bench, b).converge();
    assert.deepEqual(bench.steps, ['device nodes', 'define', 'begin', 'unplug data', 'plug data', 'record']);
  });

  it('of any type and option ends as a start would make it', async () => {
    for (const [from, to] of [
      ['', nic('')],
      [nic(''), nic(', mtu: "1400"')],
      [nic(''), nic('').replace('eth1', 'lan1')],
      [nic(''), nic(', ipv4.address: 10.0.0.9')],
      [nic(''), nic('').replace('bb:01', 'bb:02')],
      [a, a.replace('path: /data', 'path: /other')],
      [a, a.replace('}', ', recursive: "true" }')],
      [a, 'data: { type: disk, source: "tmpfs:", path: /data, size: 4MiB }'],
      [x, x.replace('}', ', uid: "7" }')],
      [x, x.replace('path: /dev/x', 'path: /dev/y')],
      [x, nic('').replace('net:', 'x:')],
      [a, 'data: { type: none }'],
    ] as const) {
      const bench = await running(from);
      declare(bench, to);
      const changes = await bench.converge();
      assert.equal(changes.includes('replug'), true, to);
      assert.equal(changes.includes('shutdown'), false, to);
      await isAsStarted(bench);
    }
  });

  it('is nothing to be done for what changes nothing inside', async () => {
    const bench = await running(a);
    assert.deepEqual(await declare(bench, a.replace('}', ', required: "false" }')).converge(), ['configure']);
    assert.deepEqual(await declare(bench, `${a}, hole: { type: none }`).converge(), ['configure']);
    assert.deepEqual(await bench.names(), []);
  });

  it('makes room first when two change places', async () => {
    const two = (one: string, other: string): string =>
      `p: { type: disk, source: /srv/a, path: ${one} }, q: { type: disk, source: /srv/b, path: ${other} }`;
    const bench = await running(two('/one', '/two'));
    declare(bench, two('/two', '/one'));
    assert.deepEqual(await planned(bench), ['unplug device "p"', 'unplug device "q"', 'plug in device "p"', 'plug in device "q"']);
    await bench.converge();
    assert.deepEqual([inside(bench)['/one'], inside(bench)['/two']], ['/srv/b', '/srv/a']);
    await isAsStarted(bench);
  });

  it('takes those mounted below it along', async () => {
    const below = 'sub: { type: disk, source: /srv/b, path: /data/sub }';
    const bench = await running(`${a}, ${below}`);
    declare(bench, `${b}, ${below}`);
    assert.deepEqual(await planned(bench), [
      'replug device "data"',
      'replug device "sub", because it is mounted below another one that is plugged',
    ]);
    await bench.converge();
    await isAsStarted(bench);
  });

  it('is plugged while it is frozen, and comes with the restart when there is one for another reason', async () => {
    const bench = new Bench();
    bench.hostPaths.set('/srv/a', { is: 'directory' });
    await bench.declare('  state: Frozen').converge();
    bench.declare(`  state: Frozen\n  devices: { ${a} }`);
    assert.deepEqual(await bench.converge(), ['configure', 'replug']);
    assert.equal((await bench.actual()).power, 'Frozen');
    const other = await running('');
    declare(other, a, 'security.nesting: "true"');
    assert.deepEqual(await other.converge(), ['configure', 'shutdown', 'start']);
    await isAsStarted(other);
  });

  it('waits for a network it needs, but not to be taken out', async () => {
    const bench = await running(nic(''));
    const step = async (): Promise<boolean> => {
      const change = (await bench.plan()).map((one) => one.change).find((one) => one.do === 'replug');
      return instanceKind.waitsForNeeds(change!);
    };
    declare(bench, nic(', mtu: "1400"'));
    assert.equal(await step(), true);
    declare(bench, '');
    assert.equal(await step(), false);
  });

  it('needs a restart when it is not known what the container has', async () => {
    const bench = await running('');
    const directory = bench.lxc.facts.directories.get(NAME)!;
    const { plugged: _, ...old } = JSON.parse(directory.started!) as Record<string, unknown>;
    directory.started = JSON.stringify(old);
    assert.deepEqual(await declare(bench, a).converge(), ['configure', 'shutdown', 'start']);
  });

  it('is left alone when it cannot be read any more what the container has', async () => {
    const bench = await running('');
    const step = (await declare(bench, a).plan()).find(({ change }) => change.do === 'replug');
    delete bench.lxc.facts.directories.get(NAME)!.started;
    bench.steps.length = 0;
    await assert.rejects(bench.apply(step!.change), { code: 'FILE_FAILED' });
    assert.deepEqual(bench.steps, []);
  });

  it('is not taken out for a source that is gone, and the reason is told', async () => {
    const bench = await running(a);
    bench.hostPaths.delete('/srv/a');
    assert.deepEqual(await planned(bench), []);
    assert.equal(inside(bench)['/data'], '/srv/a');
    assert.equal((await bench.condition()).reason, 'DeviceMissing');
  });
});

describe('the device cgroup of a privileged instance', () => {
  const privileged = 'security.privileged: "true"';
  const written = (bench: Bench): string[] => bench.steps.filter((step) => /^(?:allow|deny) /.test(step));

  for (const [name, host] of [
    ['v1', undefined],
    ['v2', V2],
  ] as const) {
    it(`allows a node before it is plugged in, and denies it after it was taken out (${name})`, async () => {
      const bench = new Bench();
      if (host !== undefined) bench.capabilities = host;
      bench.hostPaths.set('/dev/x', { is: 'char', major: 10, minor: 232 });
      declare(bench, '', privileged);
      await bench.converge();
      await declare(bench, x, privileged).converge();
      const last = (file: string): string | undefined => bench.lxc.facts.monitors.get(NAME)?.cgroup.get(file);
      assert.deepEqual(bench.steps.slice(-4), ['begin', 'allow c 10:232 rwm', 'plug x', 'record']);
      assert.equal(last('devices.allow'), 'c 10:232 rwm');
      await declare(bench, '', privileged).converge();
      assert.deepEqual(bench.steps.slice(-4), ['begin', 'unplug x', 'deny c 10:232 rwm', 'record']);
      assert.equal(last('devices.deny'), 'c 10:232 rwm');
    });
  }

  it('keeps what another device needs, or every privileged instance has', async () => {
    const bench = await running(`${x}, y: { type: unix-char, source: /dev/x, path: /dev/y }`, privileged);
    await declare(bench, x, privileged).converge();
    bench.hostPaths.set('/dev/net/tun', { is: 'char', major: 10, minor: 200 });
    const tun = 'tun: { type: unix-char, source: /dev/net/tun, path: /dev/net/tun }';
    await declare(bench, `${x}, ${tun}`, privileged).converge();
    await declare(bench, x, privileged).converge();
    await declare(bench, x.replace('}', ', mode: "0666" }'), privileged).converge();
    assert.deepEqual(written(bench), ['allow c 10:200 rwm', 'allow c 10:232 rwm']);
  });
});

describe('the host side of a NIC', () => {
  const link = vethName('ls', UID, 'eth0');

  it('that is gone is made again, with both sides', async () => {
    const bench = await running('');
    bench.network.unplug(link);
    const [step] = await bench.plan();
    assert.ok(step?.change.do === 'replug' && step.change.because === 'repair');
    const { verdict, fields } = instanceKind.describe(step.change, undefined);
    assert.deepEqual([verdict, fields], ['repair', [{ field: 'devices.eth0', to: 'plugged in' }]], 'a fight over it is counted by device');
    assert.deepEqual(await bench.converge(), ['replug']);
    assert.equal(bench.network.facts.links.get(link)?.master, BRIDGE);
    await isAsStarted(bench);
  });

  it('is not missed while the instance is down', async () => {
    const bench = await running('');
    bench.lxc.poweroff(NAME);
    assert.deepEqual((await bench.actual()).lostNics, []);
  });

  it('is not taken for gone when the host does not say', async () => {
    const bench = await running('');
    bench.network.faults.set('presentLinks', 'fail');
    assert.equal((await bench.observe()).is, 'unknown');
  });
});

describe('a replug that was interrupted', () => {
  const from = `${a}, ${nic('')}`;
  const to = `data: { type: disk, source: /srv/b, path: /moved }, ${nic(', mtu: "1400"')}, ${x}`;

  /** Killed at each step in turn; `after` is what is declared by the time the next daemon starts. */
  async function killedEverywhere(after: string): Promise<number> {
    for (let at = 0; ; at++) {
      const bench = await running(from);
      declare(bench, to);
      bench.killAfter = at;
      const killed = await bench.converge().then(
        () => false,
        (error: unknown) => {
          assert.ok(error instanceof Killed, String(error));
          return true;
        },
      );
      if (!killed) return at;
      bench.killAfter = undefined;
      declare(bench, after);
      const changes = await bench.converge();
      assert.equal(changes.includes('shutdown'), false, `killed at step ${at}`);
      const { loose } = (await bench.actual()).started!;
      assert.equal(loose, undefined, `killed at step ${at}`);
      await isAsStarted(bench);
    }
  }

  it('is finished by the next daemon', async () => {
    assert.ok((await killedEverywhere(to)) >= 12);
  });

  it('is undone when it was taken back meanwhile, or when something else is wanted by then', async () => {
    await killedEverywhere(from);
    await killedEverywhere(a.replace('path: /data', 'path: /third'));
    await killedEverywhere('');
  });

  it("is of no matter after a guest's reboot", async () => {
    for (let at = 0; at < 12; at++) {
      const bench = await running(from);
      declare(bench, to);
      bench.killAfter = at;
      await assert.rejects(bench.converge(), Killed);
      bench.killAfter = undefined;
      bench.lxc.guestReboot(NAME);
      await bench.converge();
      await isAsStarted(bench);
    }
  });
});
