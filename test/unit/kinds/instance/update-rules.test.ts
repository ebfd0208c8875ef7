// Recreate and restart as an instance's `update` rules allow them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OPTION_SCOPES, optionsOf } from '../../../../src/schemas/registry.ts';
import type { Consent } from '../../../../src/kinds/kind.ts';
import { Bench } from './fixture.ts';

async function running(spec = '  state: Running'): Promise<Bench> {
  const bench = new Bench().declare(spec);
  await bench.converge();
  bench.pools.set('slow', { active: true, driver: 'dir' });
  return bench;
}

const MOVED = '  devices: { root: { type: disk, path: /, pool: slow } }';

async function asked(bench: Bench): Promise<Consent | undefined> {
  return (await bench.plan()).find((step) => step.hold !== undefined)?.hold?.consent;
}

describe('a new root volume', () => {
  it('is the only thing that an option asks for with "recreate"', () => {
    const found = OPTION_SCOPES.flatMap((scope) => optionsOf(scope).map((option) => ({ ...option, scope })))
      .filter(({ verdict, status }) => verdict === 'recreate' && status === 'applied')
      .map(({ scope, key }) => `${scope} ${key}`);
    // Whoever adds one has to pin it in the record, as the pool is, and tell replacementOf of it.
    assert.deepEqual(found, ['device/disk pool']);
  });

  it('waits for a person; until then the live part is applied and it runs on', async () => {
    const bench = await running();
    bench.declare(`${MOVED}\n  config: { limits.memory: 64MiB }`);
    const done = await bench.converge();
    assert.ok(done.includes('setLimits') && !done.includes('shutdown'), done.join());
    assert.ok(bench.volumes.has('fast/web'));
    const { ready, usable, reason, message } = await bench.condition();
    assert.deepEqual([ready, usable, reason], [false, true, 'RecreateNeedsConfirm']);
    assert.match(message, /devices\.root\.pool: fast -> slow.*lockstep confirm web/);
  });

  it('is made once that is agreed to: the old root is buried, everything else stays', async () => {
    const bench = await running('  devices: { eth0: { type: nic, network: lan, ipv4.address: 10.0.0.9 } }');
    const before = new Map(bench.allocations);
    bench.declare(`  devices: { root: { type: disk, path: /, pool: slow }, eth0: { type: nic, network: lan, ipv4.address: 10.0.0.9 } }`);
    await bench.converge();
    bench.agreed = (await asked(bench))?.hash;
    const done = await bench.converge();
    assert.deepEqual(done, ['shutdown', 'buryRoot', 'create', 'start']);
    assert.deepEqual([...bench.volumes.keys()], ['slow/web']);
    assert.equal(bench.tombstones.size, 1);
    assert.deepEqual(bench.allocations, before);
    assert.deepEqual((await bench.condition()).ready, true);
    assert.deepEqual(await bench.plan(), []);
  });

  it('never takes the place of the root of what runs, whatever the plan was made from', async () => {
    const bench = await running();
    const tombstone = { pool: 'fast', name: 'uid.1' };
    await assert.rejects(bench.apply({ do: 'buryRoot', tombstone, fields: [] }), { code: 'LXC_FAILED' });
    await assert.rejects(bench.apply({ do: 'undo', pool: 'fast', volume: true, because: 'it was begun' }), { code: 'LXC_FAILED' });
    assert.deepEqual([[...bench.volumes.keys()], bench.tombstones.size], [['fast/web'], 0]);
  });

  it('is agreed to for exactly what was shown', async () => {
    const bench = await running();
    bench.declare(MOVED);
    await bench.converge();
    bench.agreed = (await asked(bench))?.hash;
    bench.pools.set('third', { active: true, driver: 'dir' });
    bench.declare('  devices: { root: { type: disk, path: /, pool: third } }');
    assert.ok(!(await bench.converge()).includes('shutdown'));
    assert.notEqual((await asked(bench))?.hash, bench.agreed);
    assert.ok((await asked(bench)) !== undefined);
  });

  it('is made at once with Auto, and never with Never, which says so', async () => {
    const auto = await running();
    auto.declare(`${MOVED}\n  update: { recreate: Auto }`);
    assert.ok((await auto.converge()).includes('buryRoot'));
    const never = await running();
    never.declare(`${MOVED}\n  update: { recreate: Never }`);
    assert.ok(!(await never.converge()).includes('buryRoot'));
    assert.deepEqual(await never.names(), []);
    const { reason, usable, message } = await never.condition();
    assert.deepEqual([reason, usable], ['RecreateNever', true]);
    assert.match(message, /never recreated/);
  });

  it('is made from an image that was built anew only when that is followed', async () => {
    const bench = await running();
    bench.image = { fingerprint: 'a'.repeat(64), properties: {} };
    assert.deepEqual(await bench.names(), []);
    assert.equal((await bench.condition()).reason, 'ImageOutdated');
    bench.declare('  update: { image: Follow, recreate: Auto }');
    const [shutdown] = (await bench.plan()).filter((step) => step.change.do === 'shutdown');
    assert.deepEqual(shutdown?.change.do === 'shutdown' && shutdown.change.fields, [
      { field: 'image', from: 'busybox (ffffffffffff)', to: 'busybox (aaaaaaaaaaaa)' },
    ]);
    await bench.converge();
    assert.equal(bench.volumes.get('fast/web')?.image, 'a'.repeat(64));
  });

  it('waits for its image to be there before it is taken down', async () => {
    const bench = await running();
    const { image } = bench;
    bench.image = undefined;
    bench.desired = {
      ...bench.desired!,
      image: { ...bench.desired!.image, name: 'other' },
      update: { ...bench.desired!.update, recreate: 'Auto' },
    };
    const held = (await bench.plan()).find((step) => step.hold !== undefined);
    assert.equal(held?.hold?.waitsFor, 'Image "other"');
    assert.equal((await bench.condition()).reason, 'RecreateWaits');
    // The same image under another name: nothing is made anew, only its name is written down.
    bench.image = image;
    assert.deepEqual(await bench.converge(), ['configure']);
  });

  it('is not begun while its present root cannot be put away, nor without a device it must have', async () => {
    const bench = await running();
    bench.declare(`${MOVED}\n  update: { recreate: Auto }`);
    bench.pools.get('fast')!.active = false;
    const held = (await bench.plan()).find((step) => step.hold !== undefined);
    assert.match(held?.hold?.waitsFor ?? '', /StoragePool "fast"/);
    bench.pools.get('fast')!.active = true;
    bench.declare(
      '  devices: { root: { type: disk, path: /, pool: slow }, data: { type: disk, source: /srv/data, path: /data } }\n  update: { recreate: Auto }',
    );
    bench.hostPaths.set('/srv/data', { is: 'missing' });
    await assert.rejects(bench.converge(), /\/srv\/data/);
    assert.ok(bench.volumes.has('fast/web'), 'it still has its root');
  });

  for (const [what, change] of [
    ['Auto', `${MOVED}\n  update: { recreate: Auto }`],
    ['a frozen one', `${MOVED}\n  state: Frozen\n  update: { recreate: Auto }`],
    ['a stopped one', `${MOVED}\n  state: Stopped\n  update: { recreate: Auto }`],
  ] as const) {
    it(`ends there when it is interrupted at any step: ${what}`, async () => {
      for (let killAt = 0; ; killAt++) {
        const state = /state: \w+/.exec(change)?.[0] ?? 'state: Running';
        const bench = await running(`  ${state}`);
        bench.declare(change);
        bench.killAfter = killAt;
        const died = await bench.converge().then(
          () => false,
          () => true,
        );
        bench.killAfter = undefined;
        bench.waiting = undefined;
        await bench.converge();
        assert.deepEqual([...bench.volumes.keys()], ['slow/web'], `killed at ${killAt}`);
        assert.equal(bench.tombstones.size, 1, `killed at ${killAt}`);
        assert.deepEqual(await bench.plan(), []);
        if (!died) break;
      }
    });
  }
});

describe('a restart', () => {
  const MANUAL = '  update: { restart: Manual }\n';

  it('is held back with Manual: the live part is applied, and it says what waits', async () => {
    const bench = await running(MANUAL);
    bench.declare(`${MANUAL}  config: { security.nesting: "true", limits.memory: 64MiB, environment.TOKEN: hunter2 }`);
    const done = await bench.converge();
    assert.ok(done.includes('setLimits') && !done.includes('shutdown'), done.join());
    const { ready, usable, reason, message } = await bench.condition();
    assert.deepEqual([ready, usable, reason], [false, true, 'RestartNeeded']);
    assert.match(message, /config\.security\.nesting.*lockstep confirm web/);
    assert.doesNotMatch(message, /hunter2/);
    const consent = await asked(bench);
    assert.equal(consent?.action, 'restart');
    bench.declare(`${MANUAL}  config: { security.nesting: "true", limits.memory: 64MiB, environment.TOKEN: other }`);
    assert.notEqual((await asked(bench))?.hash, consent?.hash, 'another secret is another restart');
    bench.agreed = (await asked(bench))?.hash;
    assert.deepEqual(
      (await bench.converge()).filter((change) => change === 'shutdown' || change === 'start'),
      ['shutdown', 'start'],
    );
    assert.equal((await bench.condition()).ready, true);
  });

  it('waits no longer once it has happened for another reason', async () => {
    const bench = await running(MANUAL);
    bench.declare(`${MANUAL}  config: { security.nesting: "true" }`);
    await bench.converge();
    bench.lxc.poweroff('web');
    await bench.converge();
    assert.equal(await asked(bench), undefined);
    assert.equal((await bench.condition()).ready, true);
  });

  it('keeps a frozen instance frozen while it waits', async () => {
    const bench = await running(`${MANUAL}  state: Frozen`);
    bench.declare(`${MANUAL}  state: Frozen\n  config: { security.nesting: "true" }`);
    await bench.converge();
    assert.equal((await bench.actual()).power, 'Frozen');
    assert.equal((await bench.plan())[0]?.change.do, 'unfreeze');
  });
});
