// The instance kind against a host in memory: what is planned in each state, that it converges, and that it does so after a crash anywhere.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bench, BRIDGE, Killed, NAME, UID } from './fixture.ts';

async function running(spec = ''): Promise<Bench> {
  const bench = new Bench().declare(spec);
  await bench.converge();
  return bench;
}

describe('a new instance', () => {
  it('is created, started, and then nothing is left to do', async () => {
    const bench = new Bench().declare('');
    assert.deepEqual(await bench.converge(), ['create', 'start']);
    assert.deepEqual(await bench.names(), []);
    assert.deepEqual(await bench.condition(), { ready: true, reason: 'Running', message: '', running: true });
  });

  it('gets its id range as owner of its volume, its size and a lease for its name', async () => {
    const bench = await running(
      '  devices: { root: { type: disk, path: /, pool: fast, size: 2GiB }, eth0: { type: nic, network: lan, ipv4.address: 10.0.0.7 } }',
    );
    const volume = bench.volumes.get('fast/web');
    assert.equal(volume?.ownerId, 1_000_934_464);
    assert.equal(volume?.sizeBytes, 2 * 1024 ** 3);
    const lease = bench.network.facts.hosts.get(BRIDGE)?.get(`${UID}.eth0`);
    assert.equal(lease?.hostname, 'web');
    assert.equal(lease?.address, '10.0.0.7');
    assert.match(lease?.hwaddr ?? '', /^00:16:3e:[0-9a-f:]{8}$/);
  });

  it('is defined before anything else of it is made', async () => {
    const bench = await running();
    assert.deepEqual(bench.steps, ['define', 'volume', 'device nodes', `lease ${UID}.eth0`, 'record', 'start']);
    assert.deepEqual(bench.progress, ['making the root file system from busybox']);
  });

  it('is planned while its image is missing, and fails with a code if it is tried', async () => {
    const bench = new Bench().declare('');
    bench.image = undefined;
    assert.deepEqual(await bench.names(), ['create', 'start']);
    await assert.rejects(bench.apply((await bench.plan())[0]!.change), { code: 'IMAGE_MISSING' });
    assert.equal(bench.steps.length, 0);
  });

  it('is not started when it is declared Stopped, and frozen after its start when Frozen', async () => {
    assert.deepEqual(await new Bench().declare('  state: Stopped').converge(), ['create']);
    const frozen = new Bench().declare('  state: Frozen');
    assert.deepEqual(await frozen.converge(), ['create', 'start', 'freeze']);
    assert.equal((await frozen.actual()).power, 'Frozen');
  });

  it('comes back from its tombstone when it is undeleted', async () => {
    const bench = new Bench().declare('');
    bench.tombstones.set(`${UID}.5`, { complete: true, image: 'f'.repeat(64), sizeBytes: undefined, ownerId: 77 });
    bench.tombstone = { pool: 'fast', name: `${UID}.5` };
    const [create] = await bench.plan();
    assert.equal(create?.change.do, 'create');
    await bench.apply(create.change);
    assert.equal(bench.volumes.get('fast/web')?.ownerId, 77);
    assert.equal(bench.tombstones.size, 0);
  });
});

describe('the daemon is killed', () => {
  for (const what of ['create', 'delete'] as const) {
    it(`at any step of ${what}, and the next daemon ends in the same state`, async () => {
      let visited = 0;
      for (let at = 0; ; at++) {
        const bench = new Bench().declare('  config: { cloud-init.user-data: "#cloud-config" }');
        if (what === 'delete') {
          await bench.converge();
          bench.desired = undefined;
        }
        bench.killAfter = at;
        const killed = await bench.converge().then(
          () => false,
          (error: unknown) => {
            assert.ok(error instanceof Killed, String(error));
            return true;
          },
        );
        bench.killAfter = undefined;
        await bench.converge();
        if (what === 'create') {
          assert.equal((await bench.actual()).power, 'Running');
          assert.equal(bench.volumes.size, 1);
          assert.ok(bench.lxc.facts.rootfs.get('/state/pools/fast/containers/web/rootfs')?.has('/var/lib/cloud/seed/nocloud/user-data'));
          assert.equal(bench.network.facts.hosts.get(BRIDGE)?.size, 1);
        } else {
          assert.equal((await bench.observe()).is, 'absent');
          assert.equal(bench.volumes.size, 0);
          assert.equal(bench.tombstones.size, 1);
          assert.equal(bench.network.facts.hosts.size, 0);
        }
        if (!killed) break;
        visited++;
      }
      assert.equal(visited, what === 'create' ? 7 : 4);
    });
  }

  it('in a half-made instance that is then declared with another image: it is removed and made anew', async () => {
    const bench = new Bench().declare('');
    bench.killAfter = 2;
    await assert.rejects(bench.converge(), Killed);
    bench.killAfter = undefined;
    bench.image = { fingerprint: 'e'.repeat(64), properties: {} };
    const [undo] = await bench.plan();
    await bench.apply(undo!.change);
    assert.deepEqual([bench.volumes.size, bench.lxc.facts.directories.size], [0, 0]);
    assert.deepEqual(await bench.converge(), ['create', 'start']);
    assert.equal(bench.volumes.get('fast/web')?.image, 'e'.repeat(64));
  });
});

describe('an instance that is not declared any more', () => {
  it('is killed, its root buried, its lease and directory removed', async () => {
    const bench = await running();
    bench.desired = undefined;
    assert.deepEqual(await bench.converge(), ['delete']);
    assert.deepEqual([...bench.tombstones.keys()], [`${UID}.${bench.now}`]);
    assert.equal(bench.lxc.facts.directories.size, 0);
    assert.equal(bench.lxc.facts.monitors.size, 0);
  });

  it('is left alone while its pool is not active, because its root could not be buried', async () => {
    const bench = await running('  state: Stopped');
    bench.pools.get('fast')!.active = false;
    bench.desired = undefined;
    const [step] = await bench.plan();
    await assert.rejects(bench.apply(step!.change), { code: 'POOL_MISSING' });
    assert.equal(bench.lxc.facts.directories.size, 1);
  });
});

describe('a foreign container of the same name', () => {
  it('is never touched', async () => {
    const bench = await running();
    const directory = bench.lxc.facts.directories.get(NAME)!;
    directory.record = directory.record!.replaceAll(UID, UID.replace(/1$/, '2'));
    assert.deepEqual(await bench.names(), []);
    assert.equal((await bench.condition()).reason, 'ForeignContainer');
    bench.desired = undefined;
    assert.deepEqual(await bench.names(), []);
  });
});

describe('limits of a running instance', () => {
  it('are applied without a restart, and kept in the configuration', async () => {
    const bench = await running();
    bench.declare('  config: { limits.memory: 64MiB, limits.processes: "50" }');
    assert.deepEqual(await bench.converge(), ['setLimits', 'configure']);
    const actual = await bench.actual();
    assert.equal(actual.knobs.get('memory.limit_in_bytes'), '67108864');
    assert.match(actual.config ?? '', /lxc\.cgroup\.pids\.max = 50/);
  });

  it('are put back when somebody changes a control file', async () => {
    const bench = await running('  config: { limits.memory: 64MiB }');
    bench.lxc.changeCgroup(NAME, 'memory.limit_in_bytes', '1073741824');
    const [step] = await bench.plan();
    assert.ok(step?.change.do === 'setLimits' && step.change.repair);
    await bench.converge();
    assert.equal((await bench.actual()).knobs.get('memory.limit_in_bytes'), '67108864');
  });

  it('are not written to one that ended while it was looked at', async () => {
    const bench = await running('  config: { limits.memory: 64MiB }');
    // Its control group is gone before its monitor has told of its end.
    bench.lxc.facts.monitors.get(NAME)!.cgroup.clear();
    assert.equal((await bench.actual()).power, 'Stopping');
    assert.deepEqual(await bench.plan(), []);
  });

  it('are lifted when they are not declared any more', async () => {
    const bench = await running('  config: { limits.memory: 64MiB }');
    bench.declare('');
    assert.deepEqual(await bench.converge(), ['setLimits', 'configure']);
    assert.equal(bench.lxc.facts.monitors.get(NAME)?.cgroup.get('memory.limit_in_bytes'), '-1');
  });
});

describe('the root disk', () => {
  it('is resized in place', async () => {
    const bench = await running();
    bench.declare('  devices: { root: { type: disk, path: /, pool: fast, size: 3GiB } }');
    const done = await bench.converge();
    assert.ok(done.includes('setSize') && !done.includes('shutdown'), done.join());
    assert.equal(bench.volumes.get('fast/web')?.sizeBytes, 3 * 1024 ** 3);
  });

  it('keeps what it has in a pool that cannot limit sizes, and says so', async () => {
    const bench = new Bench();
    bench.pools.get('fast')!.driver = 'dir';
    bench.declare('  devices: { root: { type: disk, path: /, pool: fast, size: 3GiB } }');
    await bench.converge();
    bench.volumes.get('fast/web')!.sizeBytes = undefined;
    assert.deepEqual(await bench.names(), []);
    assert.equal((await bench.condition()).reason, 'SizeNotEnforced');
  });

  it('is not replaced because of another image or pool: that needs a word of a person', async () => {
    const bench = await running();
    bench.pools.set('slow', { active: true, driver: 'dir' });
    bench.desired = { ...bench.desired!, root: { ...bench.desired!.root, pool: 'slow' } };
    const done = await bench.converge();
    assert.ok(!done.includes('create') && !done.includes('shutdown'), done.join());
    const { ready, reason, message } = await bench.condition();
    assert.deepEqual([ready, reason], [false, 'RecreateNeedsConfirm']);
    assert.match(message, /pool: fast -> slow/);
  });

  it('may get another device name without a restart', async () => {
    const bench = await running();
    bench.declare('  devices: { root: { type: none }, disk: { type: disk, path: /, pool: fast } }');
    assert.deepEqual(await bench.converge(), ['configure']);
  });

  it('made from an image that was rebuilt since is only told of', async () => {
    const bench = await running();
    bench.image = { fingerprint: 'a'.repeat(64), properties: {} };
    assert.deepEqual(await bench.names(), []);
    const { ready, reason } = await bench.condition();
    assert.deepEqual([ready, reason], [true, 'ImageOutdated']);
  });

  it('that is gone is made anew from the image as it is now', async () => {
    const bench = await running();
    bench.lxc.crash(NAME);
    bench.volumes.clear();
    bench.image = { fingerprint: 'a'.repeat(64), properties: {} };
    assert.deepEqual(await bench.converge(), ['create', 'start']);
    assert.equal(bench.volumes.get('fast/web')?.image, 'a'.repeat(64));
  });
});

describe('a change that needs a restart', () => {
  it('shuts down, configures and starts', async () => {
    const bench = await running();
    bench.declare('  config: { security.nesting: "true" }');
    assert.deepEqual(await bench.converge(), ['configure', 'shutdown', 'start']);
    assert.deepEqual(await bench.names(), []);
  });

  it('waits for the shutdown until its deadline, then kills', async () => {
    const bench = await running('  config: { boot.host_shutdown_timeout: "5" }');
    bench.lxc.stubborn.add(NAME);
    bench.declare('  config: { boot.host_shutdown_timeout: "5", security.nesting: "true" }');
    for (const { change } of await bench.plan()) if ((await bench.apply(change)) === 'waiting') break;
    assert.deepEqual(bench.waiting, { change: 'shutdown', sinceMs: bench.now, deadlineMs: 5000 });
    assert.equal((await bench.names())[0], 'shutdown', 'the engine holds it back until the deadline');
    bench.now += 5000;
    assert.deepEqual(await bench.names(), ['kill', 'start']);
    assert.deepEqual(await bench.converge(), ['kill', 'start']);
  });

  it('is finished by a daemon that finds the instance down, whatever its restart policy', async () => {
    const bench = await running('  restart: { policy: Never }');
    bench.declare('  restart: { policy: Never }\n  config: { security.nesting: "true" }');
    for (const { change } of await bench.plan()) if ((await bench.apply(change)) === 'waiting') break;
    bench.waiting = undefined;
    assert.deepEqual(await bench.names(), ['start']);
  });

  it('does not take a running instance down for a device that cannot be given', async () => {
    const bench = await running();
    bench.declare('  devices: { data: { type: disk, source: /srv/data, path: /data } }');
    await assert.rejects(bench.converge(), { code: 'DEVICE_MISSING' });
    assert.equal((await bench.actual()).power, 'Running');
    bench.hostPaths.set('/srv/data', { is: 'directory' });
    assert.deepEqual(await bench.converge(), ['configure', 'replug']);
  });

  it('writes a changed cloud-init seed while it is down', async () => {
    const bench = await running('  config: { cloud-init.user-data: "one" }');
    bench.declare('  config: { cloud-init.user-data: "two" }');
    assert.deepEqual(await bench.converge(), ['configure', 'shutdown', 'configure', 'start']);
    const seed = bench.lxc.facts.rootfs.get('/state/pools/fast/containers/web/rootfs');
    assert.equal(seed?.get('/var/lib/cloud/seed/nocloud/user-data')?.content, 'two');
    assert.deepEqual(await bench.names(), []);
  });
});

describe('a device node', () => {
  it('is made with the instance, and made anew when it is declared otherwise', async () => {
    const bench = new Bench();
    const declare = (mode: string): Bench =>
      bench.declare(`  devices: { nul: { type: unix-char, path: /dev/nul, major: "1", minor: "3", mode: "${mode}" } }`);
    const modes = (): number[] => [...(bench.lxc.facts.directories.get(NAME)?.devices.values() ?? [])].map((node) => node.mode);
    await declare('0600').converge();
    assert.deepEqual(modes(), [0o600]);
    assert.deepEqual(await declare('0644').converge(), ['configure', 'replug']);
    assert.deepEqual(modes(), [0o644]);
  });
});

describe('a device that need not be there', () => {
  it('is left out while it is missing, and plugged in when it can be given', async () => {
    const bench = await running('  devices: { data: { type: disk, source: /srv/data, path: /data, required: "false" } }');
    assert.equal((await bench.condition()).reason, 'DeviceLeftOut');
    assert.deepEqual(await bench.names(), []);
    bench.hostPaths.set('/srv/data', { is: 'directory' });
    assert.deepEqual(await bench.converge(), ['configure', 'replug']);
    assert.equal(bench.lxc.facts.monitors.get(NAME)?.devices.inside.get('/data'), '/srv/data');
    assert.equal((await bench.condition()).reason, 'Running');
  });
});

describe('files of an instance changed from outside', () => {
  it('are written again', async () => {
    const bench = await running();
    const directory = bench.lxc.facts.directories.get(NAME)!;
    directory.config += 'lxc.cap.keep = sys_admin\n';
    const [step] = await bench.plan();
    assert.ok(step?.change.do === 'configure' && step.change.repair);
    await bench.converge();
    assert.doesNotMatch(directory.config ?? '', /cap\.keep/);
  });

  it('that are gone are written again while it runs', async () => {
    const bench = await running();
    const directory = bench.lxc.facts.directories.get(NAME)!;
    delete directory.config;
    delete directory.record;
    assert.deepEqual(await bench.converge(), ['configure']);
    assert.equal((await bench.actual()).record?.uid, UID);
  });
});

describe('leases', () => {
  it('come before a start, and hold up nothing else while their network is not there', async () => {
    const bench = await running();
    await bench.network.removeDhcpHost(BRIDGE, `${UID}.eth0`);
    bench.declare('  state: Stopped');
    assert.deepEqual(await bench.names(), ['configure', 'shutdown', 'setDhcpHosts']);
    bench.declare('  config: { limits.processes: "9" }');
    assert.deepEqual(await bench.names(), ['setLimits', 'configure', 'setDhcpHosts']);
    bench.lxc.crash(NAME);
    assert.deepEqual(await bench.names(), ['configure', 'setDhcpHosts', 'start']);
  });

  it('are set again when they are lost, and removed with their NIC', async () => {
    const bench = await running();
    await bench.network.removeDhcpHost(BRIDGE, `${UID}.eth0`);
    assert.deepEqual(await bench.converge(), ['setDhcpHosts']);
    bench.declare('  devices: { eth0: { type: none } }');
    assert.ok((await bench.converge()).includes('setDhcpHosts'));
    assert.equal(bench.network.facts.hosts.get(BRIDGE)?.size ?? 0, 0);
  });
});
