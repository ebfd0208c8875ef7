// What counts as drift, what becomes of it, and what people are told, over the whole engine with things in memory.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { Condition, ConditionType } from '../../../src/core/object-status.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { Engine, type EngineOptions, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';
import { FakeWorld } from '../../fakes/fake-kind.ts';

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

function web(value = 'a', drift = ''): string {
  return drift === '' ? instance('web', value) : instance('web', value).replace('\n---', `\n  drift: ${drift}\n---`);
}

async function started(files: Readonly<Record<string, string>>, options: EngineOptions = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  await engine.reconciler.start();
  await engine.until(() => engine.ready(WEB), 'the instance is ready');
  await engine.idle();
  return engine;
}

async function spoil(engine: Engine, value: string): Promise<void> {
  engine.world.things.get(WEB)!.value = value;
  engine.reconciler.look(WEB, { event: 'CgroupChanged', about: 'web' });
}

function condition(engine: Engine, type: ConditionType): Condition | undefined {
  const status = engine.control.status().objects.find(({ ref }) => ref.name === 'web');
  return status?.conditions.find((one) => one.type === type);
}

function events(engine: Engine, reason: string): string[] {
  return engine.events.filter((event) => event.reason === reason).map(({ message }) => message);
}

const BASE = { 'p.yaml': POOL + IMAGE };

describe('drift', () => {
  test('is told and put right; what was declared is not called so', async () => {
    const engine = await started({ ...BASE, 'a.yaml': web() });
    assert.deepEqual([condition(engine, 'Drifted')?.status, condition(engine, 'Drifted')?.reason], ['False', 'AsDeclared']);
    assert.deepEqual(events(engine, 'Drifted'), []);
    await spoil(engine, 'x');
    await engine.until(() => condition(engine, 'Drifted')?.reason === 'Repaired');
    assert.deepEqual(events(engine, 'Drifted'), ['Instance "web" is not as declared: value is x instead of a.']);
    const [told] = engine.events.filter(({ reason }) => reason === 'Drifted');
    assert.deepEqual(told?.data?.['fields'], [{ field: 'value', from: 'x', to: 'a' }]);
    assert.equal(events(engine, 'DriftRepaired').length, 1);
    assert.match(condition(engine, 'Drifted')!.message, /^Put right at .* after .* s: value is x instead of a\.$/);
    engine.write('a.yaml', web('b'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
    await engine.idle();
    assert.equal(events(engine, 'Drifted').length, 1, 'a change of the manifest is none');
  });

  test('is found after a restart of the daemon; a boot of the host and another version are none', async () => {
    const first = await started({ ...BASE, 'a.yaml': web() });
    await first.reconciler.close();
    first.world.things.get(WEB)!.value = 'x';
    const shared = { world: first.world, ledger: first.ledger };
    const second = await started({ ...BASE, 'a.yaml': web() }, shared);
    assert.equal(events(second, 'Drifted').length, 1);
    await second.reconciler.close();
    first.world.things.get(WEB)!.value = 'x';
    const third = await started({ ...BASE, 'a.yaml': web() }, { ...shared, bootId: 'boot-2' });
    assert.equal(third.world.things.get(WEB)?.value, 'a');
    assert.equal(events(third, 'Drifted').length, 0);
  });

  test('a change that failed half-way and is taken back is not taken for somebody else’s', async () => {
    const world = new FakeWorld();
    const engine = await started({ ...BASE, 'a.yaml': web('a', 'report') }, { world });
    let changed = 0;
    world.delay = async () => void changed++;
    // It takes effect, and what was declared is taken back before it could be seen to have done so.
    engine.write('a.yaml', web('b', 'report'));
    await engine.until(() => world.things.get(WEB)?.value === 'b');
    engine.write('a.yaml', web('a', 'report'));
    await engine.until(() => world.things.get(WEB)?.value === 'a', 'it is put back');
  });
});

describe('drift: report', () => {
  test('leaves what somebody changed and says so; the object is as ready as it works', async () => {
    const engine = await started({ ...BASE, 'a.yaml': web('a', 'report') });
    await spoil(engine, 'x');
    await engine.until(() => condition(engine, 'Drifted')?.status === 'True');
    await engine.idle();
    assert.equal(engine.world.things.get(WEB)?.value, 'x');
    assert.equal(condition(engine, 'Drifted')?.reason, 'ReportOnly');
    assert.equal(condition(engine, 'Drifted')?.message, 'Value is x instead of a. It is only reported.');
    assert.equal(condition(engine, 'Ready')?.status, 'True');
    assert.equal(condition(engine, 'Reconciling')?.status, 'False');
    assert.deepEqual((await engine.control.plan()).changes, [], 'a plan says what would be done');
    await engine.reconciler.sync();
    assert.equal(engine.world.things.get(WEB)?.value, 'x');
    assert.equal(events(engine, 'Drifted').length, 1, 'it is told once');
    await spoil(engine, 'y');
    await engine.until(() => events(engine, 'Drifted').length === 2, 'other drift is told again');
    engine.world.things.get(WEB)!.value = 'a';
    engine.reconciler.look(WEB);
    await engine.until(() => condition(engine, 'Drifted')?.status === 'False');
  });

  test('leaves a stopped and a vanished one as it is, too', async () => {
    const engine = await started({ ...BASE, 'a.yaml': web('a', 'report') });
    engine.world.things.get(WEB)!.running = false;
    engine.reconciler.look(WEB);
    await engine.until(() => condition(engine, 'Drifted')?.status === 'True');
    engine.world.things.delete(WEB);
    engine.reconciler.look(WEB);
    await engine.until(() => condition(engine, 'Ready')?.reason === 'Absent');
    await engine.idle();
    assert.equal(engine.world.things.has(WEB), false);
  });

  test('changes of the manifest are still applied, and so is its end', async () => {
    const engine = await started({ ...BASE, 'a.yaml': web('a', 'report') });
    await spoil(engine, 'x');
    await engine.until(() => condition(engine, 'Drifted')?.status === 'True');
    engine.write('a.yaml', web('b', 'report'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
    await engine.until(() => condition(engine, 'Drifted')?.status === 'False');
    await spoil(engine, 'x');
    await engine.until(() => condition(engine, 'Drifted')?.reason === 'ReportOnly', 'and drift of it is reported again');
    engine.write('a.yaml', web('b'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b', 'without it, it is repaired');
  });

  test('a source says it for all its objects, an object for itself', async () => {
    const files = { ...BASE, 'a.yaml': web(), 'b.yaml': instance('db').replace('\n---', '\n  drift: repair\n---') };
    const engine = await started(files, { driftOf: (source) => (source === 'dir' ? 'report' : 'repair') });
    const DB = 'Instance/default/-/db' as RefKey;
    await engine.until(() => engine.ready(DB));
    engine.world.things.get(DB)!.value = 'x';
    engine.reconciler.look(DB);
    await spoil(engine, 'x');
    await engine.until(() => engine.world.things.get(DB)?.value === 'a');
    await engine.until(() => condition(engine, 'Drifted')?.reason === 'ReportOnly');
    assert.equal(engine.world.things.get(WEB)?.value, 'x');
  });
});

describe('a fight', () => {
  async function fought(options: EngineOptions = {}): Promise<Engine> {
    const engine = await started({ ...BASE, 'a.yaml': web() }, options);
    for (let flip = 1; flip <= 3; flip++) {
      await spoil(engine, `x${flip}`);
      await engine.until(() => engine.world.things.get(WEB)?.value === 'a', `repair ${flip}`);
      await engine.idle();
    }
    await spoil(engine, 'x4');
    await engine.until(() => condition(engine, 'Stalled')?.reason === 'Fight', 'the fight is seen');
    await engine.idle();
    return engine;
  }

  test('after three repairs the field is left, both writers are named, and it is told once', async () => {
    const engine = await fought();
    assert.equal(engine.world.things.get(WEB)?.value, 'x4');
    assert.equal(condition(engine, 'Stalled')?.status, 'True');
    assert.equal(condition(engine, 'Ready')?.status, 'False');
    await spoil(engine, 'x5');
    await engine.idle();
    await engine.reconciler.sync();
    assert.equal(engine.world.things.get(WEB)?.value, 'x5');
    const alerts = events(engine, 'FightDetected');
    assert.equal(alerts.length, 1);
    assert.match(
      alerts[0]!,
      /something outside of Lockstep keeps changing what source "dir" \(a\.yaml:1\) declares: value is x4 instead of a/,
    );
    assert.match(alerts[0]!, /noticed last because a limit or the freezer of container web was written to/);
  });

  test('other fields of the object go on being repaired', async () => {
    const engine = await fought();
    engine.world.things.get(WEB)!.filled = false;
    engine.reconciler.look(WEB);
    await engine.until(() => engine.world.things.get(WEB)?.filled === true, 'it is filled again');
  });

  test('is forgotten with a change of the manifest', async () => {
    const engine = await fought();
    engine.write('a.yaml', web('b'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b' && engine.ready(WEB));
    await spoil(engine, 'x');
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b', 'repairs begin anew');
  });

  test('ends when somebody asks for another try, also after a restart', async () => {
    const engine = await fought();
    await engine.control.tryAgain({ kind: 'Instance', project: 'default', parent: '-', name: 'web' }, 'uid:0');
    await engine.until(() => engine.world.things.get(WEB)?.value === 'a' && engine.ready(WEB), 'it is repaired');
    await engine.reconciler.close();
    engine.world.things.get(WEB)!.value = 'x';
    const second = await started({ ...BASE, 'a.yaml': web() }, { world: engine.world, ledger: engine.ledger });
    assert.equal(second.world.things.get(WEB)?.value, 'a', 'and counted anew');
  });

  test('is over when the other side gives in, and not counted anew', async () => {
    const engine = await fought();
    engine.world.things.get(WEB)!.value = 'a';
    engine.reconciler.look(WEB);
    await engine.until(() => engine.ready(WEB));
    await spoil(engine, 'x');
    await engine.until(() => condition(engine, 'Stalled')?.reason === 'Fight');
    assert.equal(events(engine, 'FightDetected').length, 1);
  });

  test('is remembered across a restart of the daemon', async () => {
    const first = await fought();
    await first.reconciler.close();
    const second = new Engine({ world: first.world, ledger: first.ledger });
    engines.push(second);
    for (const [path, text] of Object.entries({ ...BASE, 'a.yaml': web() })) second.source.files.set(path, text);
    await second.reconciler.start();
    await second.idle();
    assert.equal(second.world.things.get(WEB)?.value, 'x4');
    assert.equal(condition(second, 'Stalled')?.reason, 'Fight');
  });

  test('an instance that ends again and again is none: it has its back-off', async () => {
    const engine = await started({ ...BASE, 'a.yaml': web() });
    for (let end = 1; end <= 5; end++) {
      engine.world.things.get(WEB)!.running = false;
      engine.reconciler.look(WEB);
      await engine.idle();
    }
    assert.deepEqual(events(engine, 'FightDetected'), []);
  });
});
