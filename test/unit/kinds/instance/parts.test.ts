// The smaller pure parts: allocations, record, seed, signals, words, secrets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '../../../../src/kinds/kind.ts';
import { instanceKind } from '../../../../src/kinds/instance/kind.ts';
import { allocate } from '../../../../src/kinds/instance/allocate.ts';
import { cloudInitSeed } from '../../../../src/kinds/instance/cloud-init.ts';
import { compareExpanded, needingRestart } from '../../../../src/kinds/instance/compare.ts';
import { parseRecord } from '../../../../src/kinds/instance/record.ts';
import { seccompPolicy } from '../../../../src/kinds/instance/seccomp.ts';
import { signalFrom } from '../../../../src/kinds/instance/signals.ts';
import { Proposals } from '../../../../src/reconciler/proposals.ts';
import { rebuildOwnership } from '../../../../src/state/rebuild.ts';
import { Bench, manifest, NAME, specFrom, UID, WEB } from './fixture.ts';

describe('allocations', () => {
  const facts = (taken: Record<string, string[]>): Facts => {
    const proposals = new Proposals({ taken: (scope) => new Set(taken[scope]) });
    return {
      ...new Bench().facts,
      taken: (scope) => proposals.taken(scope),
      free: (scope, candidates) => proposals.free(scope, candidates),
    };
  };

  it('take ranges of ids from the top downwards, around those that are taken', () => {
    const spec = specFrom(manifest(''));
    const [range] = allocate(spec, new Bench().recorded, facts({}));
    assert.deepEqual(range, { what: 'idrange', value: '1000934464' });
    const [next] = allocate(spec, new Bench().recorded, facts({ idrange: ['1000934464', '1000868928'] }));
    assert.equal(next?.value, '1000803392');
  });

  it('say so when no range is left', () => {
    const small = { ...facts({ idrange: ['100000'] }), host: { ...new Bench().capabilities, ids: { first: 100_000, count: 65_536 } } };
    assert.throws(() => allocate(specFrom(manifest('')), new Bench().recorded, small), { code: 'IDS_EXHAUSTED' });
  });

  it('are the same when planned twice, and none when recorded', () => {
    const bench = new Bench();
    const spec = specFrom(manifest(''));
    const first = allocate(spec, bench.recorded, bench.facts);
    assert.deepEqual(first, allocate(spec, bench.recorded, bench.facts));
    for (const { what, value } of first) bench.allocations.set(what, value);
    assert.deepEqual(allocate(spec, bench.recorded, bench.facts), []);
  });

  it('avoid a MAC address that is taken, and leave out one that is given', () => {
    const spec = specFrom(manifest(''));
    const value = (taken: string[]): string | undefined =>
      allocate(spec, new Bench().recorded, facts({ hwaddr: taken })).find(({ what }) => what === 'hwaddr:eth0')?.value;
    const usual = value([]);
    assert.notEqual(value([usual!]), usual);
    const given = specFrom(manifest('  devices: { eth0: { type: nic, network: lan, hwaddr: "00:16:3e:00:00:09" } }'));
    assert.ok(!allocate(given, new Bench().recorded, facts({})).some(({ what }) => what.startsWith('hwaddr')));
  });

  it('give a privileged instance no ids', () => {
    const spec = specFrom(manifest('  config: { security.privileged: "true" }'));
    assert.ok(!allocate(spec, new Bench().recorded, facts({})).some(({ what }) => what === 'idrange'));
  });
});

describe('the record', () => {
  it('is read back as written, and is enough to tell who owns the instance', async () => {
    const bench = new Bench().declare('  config: { environment.PASSWORD: hunter2, cloud-init.user-data: "secret words" }');
    await bench.converge();
    const text = bench.lxc.facts.directories.get(NAME)!.record!;
    const record = parseRecord(text);
    assert.equal(record?.uid, UID);
    assert.equal(record?.stage, 'made');
    const { objects, problems } = rebuildOwnership([{ file: 'x', text }]);
    assert.deepEqual(problems, []);
    assert.deepEqual(objects[0]?.row.ref, WEB);
    assert.ok(objects[0].allocations.some(({ what }) => what === 'idrange'));
    assert.doesNotMatch(text, /hunter2|secret words/);
  });

  it('of anything else is none', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"version":1}',
      '{"version":2}',
      JSON.stringify({ version: 1, uid: UID, nics: [], hostPaths: [] }),
    ]) {
      assert.equal(parseRecord(text), undefined, text);
    }
  });
});

describe('the cloud-init seed', () => {
  const seedOf = (config: string): ReturnType<typeof cloudInitSeed> =>
    cloudInitSeed(specFrom(manifest(`  config: { ${config} }`)), UID, 'web');
  const contentOf = (config: string, name: string): string =>
    seedOf(config)?.files.find(({ path }) => path === `/var/lib/cloud/seed/nocloud/${name}`)?.content ?? '';

  it('is not written when nothing asks for it', () => {
    assert.equal(seedOf('environment.A: b'), undefined);
  });

  it('has the data as given, the name, and DHCP on its NICs', () => {
    assert.equal(contentOf('cloud-init.user-data: "#!/bin/sh"', 'user-data'), '#!/bin/sh');
    assert.match(contentOf('cloud-init.user-data: x', 'meta-data'), /"local-hostname":"web"/);
    assert.match(contentOf('cloud-init.user-data: x', 'network-config'), /"eth0":\{"dhcp4":true\}/);
    assert.equal(contentOf('cloud-init.network-config: "version: 2"', 'network-config'), 'version: 2');
    assert.ok(seedOf('cloud-init.user-data: x')?.files.every((file) => file.mode === 0o600));
  });

  it('has another instance id when its content is another, and the same when it is not', () => {
    const id = (data: string): string => contentOf(`cloud-init.user-data: ${data}`, 'meta-data');
    assert.equal(id('a'), id('a'));
    assert.notEqual(id('a'), id('b'));
  });
});

describe('differences', () => {
  const empty = { config: {}, devices: {} };

  it('land as the registry says', () => {
    const differences = compareExpanded(
      {
        config: { 'limits.memory': '1', 'security.nesting': 'true', 'user.a': 'b' },
        devices: { root: { type: 'disk', path: '/', pool: 'p', size: '1' } },
      },
      { config: { 'limits.memory': '2' }, devices: { root: { type: 'disk', path: '/', pool: 'p', size: '2' }, x: { type: 'nic' } } },
    );
    const verdicts = Object.fromEntries(differences.map(({ field, verdict }) => [field.field, verdict]));
    assert.deepEqual(verdicts, {
      'config.limits.memory': 'live',
      'config.security.nesting': 'restart',
      'config.user.a': 'live',
      'devices.root.size': 'live',
      'devices.x': 'replug',
    });
    assert.deepEqual(
      needingRestart(differences, true).map(({ field }) => field),
      ['config.security.nesting'],
    );
    assert.deepEqual(
      needingRestart(differences, false).map(({ field }) => field),
      ['config.security.nesting', 'devices.x'],
    );
  });

  it('of a tmpfs size replug it, and secrets are not shown', () => {
    const tmpfs = (size: string): Record<string, Record<string, string>> => ({ t: { type: 'disk', source: 'tmpfs:', path: '/t', size } });
    const [size] = compareExpanded({ ...empty, devices: tmpfs('1') }, { ...empty, devices: tmpfs('2') });
    assert.deepEqual([size?.verdict, size?.device], ['replug', 't']);
    const [secret] = compareExpanded({ ...empty, config: { 'environment.A': 'x' } }, { ...empty, config: { 'environment.A': 'y' } });
    assert.deepEqual(secret?.field, { field: 'config.environment.A', from: '(secret)', to: '(secret)', secret: true });
  });
});

describe('the kind', () => {
  it('shows no secret in any change, nor in its redacted spec', async () => {
    const bench = new Bench().declare('  config: { environment.PASSWORD: hunter2, cloud-init.user-data: hunter2 }');
    const texts = (await bench.plan()).map(({ change }) => JSON.stringify(instanceKind.describe(change, undefined)));
    await bench.converge();
    bench.declare('  config: { environment.PASSWORD: hunter2x, cloud-init.user-data: hunter2x }');
    texts.push(...(await bench.plan()).map(({ change }) => JSON.stringify(instanceKind.describe(change, undefined))));
    texts.push(
      JSON.stringify(instanceKind.redact(bench.desired!, () => 'fp')),
      JSON.stringify(instanceKind.details(await bench.actual(), bench.recorded)),
    );
    assert.ok(texts.length > 4);
    for (const text of texts) assert.doesNotMatch(text, /hunter2/);
  });

  it('needs its image, pool, networks and dependencies, each with the field that asks', () => {
    const needs = instanceKind.needs(specFrom(manifest('  dependsOn: [ { kind: Instance, name: db } ]')), WEB);
    assert.deepEqual(
      needs.map(({ ref, condition, field }) => `${ref.kind} ${ref.name} ${condition} ${field}`),
      [
        'Image busybox Present image',
        'StoragePool fast Present devices.root.pool',
        'Network lan Present devices.eth0.network',
        'Instance db Running dependsOn[0]',
      ],
    );
  });

  it('lets live changes, asked stops and deletes go on without them', async () => {
    const bench = new Bench().declare('');
    const waits = async (): Promise<string[]> =>
      (await bench.plan()).filter(({ change }) => instanceKind.waitsForNeeds(change)).map(({ change }) => change.do);
    assert.deepEqual(await waits(), ['create', 'start']);
    await bench.converge();
    bench.declare('  config: { limits.memory: 64MiB, security.nesting: "true" }');
    assert.deepEqual(await waits(), ['shutdown', 'start'], 'a restart waits as a whole');
    bench.declare('  state: Stopped\n  config: { limits.memory: 64MiB }');
    assert.deepEqual(await waits(), []);
    bench.desired = undefined;
    assert.deepEqual(await waits(), []);
  });

  it('drops what makes no sense any more', async () => {
    const bench = new Bench().declare('');
    const [create, start] = await bench.plan();
    await bench.converge();
    const now = await bench.observe();
    assert.equal(instanceKind.holds(create!.change, now), false);
    assert.equal(instanceKind.holds(start!.change, now), false);
    bench.declare('  state: Stopped');
    const shutdown = (await bench.plan()).at(-1)!.change;
    assert.equal(instanceKind.holds(shutdown, now), true);
    bench.lxc.crash(NAME);
    assert.equal(instanceKind.holds(shutdown, await bench.observe()), false);
    assert.equal(instanceKind.holds({ do: 'start', because: '' }, { is: 'absent' }), false);
  });

  it('knows nothing while containers, volumes or leases cannot be listed', async () => {
    const bench = new Bench().declare('');
    await bench.converge();
    bench.lxc.faults.set('list', 'unreadable');
    assert.equal((await bench.observe()).is, 'unknown');
    bench.lxc.faults.clear();
    bench.network.faults.set('dhcp', 'fail');
    assert.equal((await bench.observe()).is, 'unknown');
  });

  it('waits for its pool instead of making anything while that is not active', async () => {
    const bench = new Bench().declare('');
    await bench.converge();
    bench.lxc.hostReboot();
    bench.pools.get('fast')!.active = false;
    bench.firstLookSinceBoot = true;
    assert.deepEqual(await bench.names(), ['start']);
  });
});

describe('images and policies', () => {
  it('may ask for signals an init could mean, nothing else', () => {
    for (const name of ['SIGUSR1', 'SIGTERM', 'SIGRTMIN+3', 'SIGRTMIN+14']) assert.equal(signalFrom(name), name);
    for (const name of ['SIGKILL', '9', 'SIGRTMIN+16', 'SIGUSR1\nlxc.hook.start = x', '', undefined])
      assert.equal(signalFrom(name), undefined);
  });

  it('the system call policy denies what LXD denies, with ENOSYS', () => {
    const lines = seccompPolicy().split('\n');
    assert.deepEqual(lines.slice(0, 4), ['2', 'denylist', 'reject_force_umount', '[all]']);
    for (const call of ['kexec_load', 'open_by_handle_at', 'init_module', 'finit_module', 'delete_module']) {
      assert.ok(lines.includes(`${call} errno 38`), call);
    }
  });
});
