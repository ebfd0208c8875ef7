import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { Engine, FAST, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';

const engines: Engine[] = [];

async function started(files: Record<string, string>, options: ConstructorParameters<typeof Engine>[0] = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  await engine.reconciler.start();
  return engine;
}

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

function webs(count: number): string {
  return Array.from({ length: count }, (_, index) => instance(`w${index}`)).join('');
}

describe('the loop', () => {
  test('makes what is declared, needs first, and says Ready after a fresh look', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    assert.deepEqual(engine.world.applied, [`create ${FAST}`, `create ${WEB}`, `start ${WEB}`]);
    assert.equal(engine.world.things.get(FAST)?.address, '1', 'what was allocated while planning is what was applied');
    assert.equal(engine.ledger.objects.all().length, 2);
    await engine.reconciler.close();
    assert.deepEqual(engine.ledger.intents.openIntents(), []);
  });

  test('applies a changed file live, and only that', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    engine.world.applied.length = 0;
    engine.write('a.yaml', instance('web', 'b') + POOL + IMAGE);
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
    assert.deepEqual(engine.world.applied, [`set ${WEB}`]);
  });

  test('what cannot be written down is not worked on, and is taken up once it can', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE });
    await engine.until(() => engine.ready(FAST), 'the pool');
    await engine.idle();
    const { ledger } = engine;
    const transaction = ledger.transaction.bind(ledger);
    let refused = 0;
    ledger.transaction = () => {
      refused++;
      throw new AppError('DISK_FULL');
    };
    engine.write('b.yaml', instance('web'));
    await engine.until(() => refused > 0, 'the full disk');
    assert.deepEqual(engine.world.applied, [`create ${FAST}`]);
    ledger.transaction = transaction;
    let known = false;
    engine.world.delay = async () => {
      known = ledger.objects.all().some((row) => row.ref.name === 'web');
    };
    engine.reconciler.look(FAST);
    await engine.until(() => engine.ready(WEB), 'the instance');
    assert.ok(known, 'it was in the ledger before it was made');
  });

  test('what changes after the first reading and before watching begins is seen', async () => {
    const engine = new Engine();
    engines.push(engine);
    const { source } = engine;
    source.watch = async () => void source.files.set('a.yaml', POOL);
    await engine.reconciler.start();
    await engine.until(() => engine.ready(FAST), 'the pool');
  });

  test('a sync that is asked for before the start waits for it', async () => {
    const engine = new Engine();
    engines.push(engine);
    engine.source.files.set('a.yaml', instance('web') + POOL + IMAGE);
    // The API answers as soon as it can: before the ledger is read.
    const synced = engine.control.sync();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await engine.reconciler.start();
    await synced;
    await engine.until(() => engine.ready(WEB), 'the instance');
  });

  test('a sync that failed is tried again, like any round', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE + instance('web') });
    await engine.until(() => engine.ready(WEB));
    await engine.idle();
    const open = engine.ledger.intents.open.bind(engine.ledger.intents);
    engine.ledger.intents.open = () => {
      throw new AppError('DISK_FULL');
    };
    engine.world.things.get(WEB)!.value = 'drifted';
    await assert.rejects(engine.control.sync(), { code: 'DISK_FULL' });
    engine.ledger.intents.open = open;
    await engine.until(() => engine.world.things.get(WEB)!.value === 'a', 'the next try', 12_000);
  });

  test('what could not be resolved and is no longer declared is deleted', async () => {
    const both = (from: string): string => POOL + IMAGE + instance('site').replace('{ name: site }', `{ name: site${from} }`);
    const engine = await started({ 'a.yaml': both('') + instance('web') });
    await engine.until(() => engine.ready(WEB) && engine.ready('Instance/default/-/site'));
    // Both names exist: whose data is it?
    engine.write('a.yaml', both(', renamedFrom: web'));
    await engine.until(() => engine.reconciler.tracker.objects.get(WEB)!.unresolved !== undefined, 'what cannot be resolved');
    await engine.idle();
    engine.write('a.yaml', both(''));
    await engine.until(() => !engine.reconciler.tracker.objects.has(WEB), 'the deletion', 5000);
  });

  test('repairs drift when told to look', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    engine.world.things.get(WEB)!.value = 'changed behind our back';
    engine.reconciler.look(WEB);
    await engine.until(() => engine.world.things.get(WEB)?.value === 'a');
  });

  test('a broken file keeps what it declared, says where it is broken, and harms nobody else', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    engine.write('a.yaml', `${POOL + IMAGE}kind: [`);
    engine.write('b.yaml', instance('other'));
    await engine.until(() => engine.ready('Instance/default/-/other'));
    await engine.idle();
    assert.ok(engine.world.things.has(WEB));
    const status = engine.control.status();
    assert.equal(status.settled, false);
    assert.ok(status.sources[0]!.problems.some((problem) => problem.file === 'a.yaml'));
  });

  test('a file that is broken at the first start after a restart still keeps its objects', async () => {
    const first = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await first.until(() => first.ready(WEB));
    await first.reconciler.close();
    const second = await started({ 'a.yaml': 'kind: [' }, { world: first.world, ledger: first.ledger });
    await second.idle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(second.world.things.has(WEB));
    assert.ok(second.ready(WEB));
  });

  test('a source that cannot be read keeps everything, and recovers', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    engine.source.down = true;
    engine.source.changed();
    await engine.until(() => engine.control.status().sources[0]!.error !== undefined);
    await engine.idle();
    assert.ok(engine.ready(WEB));
    engine.source.down = false;
    engine.write('a.yaml', instance('web', 'b') + POOL + IMAGE);
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
  });

  test('removing a declaration removes the object, dependants before what they need', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE, 'b.yaml': instance('b') + instance('c') });
    await engine.until(() => engine.ready(WEB) && engine.ready('Instance/default/-/c'));
    engine.write('b.yaml', '');
    await engine.until(() => !engine.reconciler.tracker.objects.has('Instance/default/-/c' as RefKey));
    assert.ok(engine.world.things.has(WEB));
    assert.equal(engine.ledger.objects.get({ kind: 'Instance', project: 'default', parent: '-', name: 'c' }), undefined);
  });

  test('what was needed by what is deleted is looked at once, soon after it', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE, 'b.yaml': webs(3) });
    await engine.until(() => engine.ready('Instance/default/-/w2'));
    await engine.idle();
    engine.world.applied.length = 0;
    // Only a look tells that.
    engine.world.things.get(FAST)!.value = 'changed behind the daemon';
    engine.write('b.yaml', '');
    await engine.until(() => !engine.reconciler.tracker.objects.has('Instance/default/-/w2' as RefKey));
    assert.equal(engine.world.applied.includes(`set ${FAST}`), false, 'not in the middle of it');
    await engine.until(() => engine.world.applied.includes(`set ${FAST}`));
  });

  test('over the budget nothing is deleted until the list is confirmed', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE + webs(8) });
    await engine.until(() => engine.ready('Instance/default/-/w7'));
    engine.write('a.yaml', POOL + IMAGE + webs(2));
    await engine.until(() => engine.control.status().confirmations.length === 1);
    await engine.idle();
    assert.equal(engine.world.things.size, 9);
    const [asked] = engine.control.status().confirmations;
    await assert.rejects(engine.control.confirm('dir', 'other', { actor: 'uid:0' }), { code: 'CONFIRMATION_STALE' });
    await engine.control.confirm('dir', asked!.hash, { actor: 'uid:0' });
    await engine.until(() => engine.world.things.size === 3);
  });

  test('an empty source deletes nothing by itself', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    engine.remove('a.yaml');
    await engine.until(() => engine.control.status().confirmations.length === 1);
    await engine.idle();
    assert.equal(engine.world.things.size, 2);
  });

  test('an incomplete reading deletes nothing', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE, 'b.yaml': instance('b') });
    await engine.until(() => engine.ready('Instance/default/-/b'));
    engine.source.complete = false;
    engine.remove('b.yaml');
    await engine.idle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(engine.world.things.has('Instance/default/-/b' as RefKey));
  });

  test('a declaration that vanishes for less than a second is not deleted', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE, 'b.yaml': instance('b') });
    await engine.until(() => engine.ready('Instance/default/-/b'));
    engine.source.stillForMs = 0;
    engine.remove('b.yaml');
    await engine.idle();
    engine.write('b.yaml', instance('b'));
    await engine.until(() => engine.ready('Instance/default/-/b'));
    assert.ok(!engine.world.applied.some((what) => what.startsWith('delete')));
  });

  test('what is protected stays when it is no longer declared', async () => {
    const engine = await started({
      'a.yaml': POOL + IMAGE + instance('web'),
      'b.yaml': instance('b', 'a', ', security.protection.delete: "true"'),
    });
    await engine.until(() => engine.ready('Instance/default/-/b'));
    engine.remove('b.yaml');
    await engine.idle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(engine.world.things.has('Instance/default/-/b' as RefKey));
  });

  test('unknown neither creates nor deletes', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE + instance('web'), 'b.yaml': instance('b') });
    await engine.until(() => engine.ready('Instance/default/-/b'));
    engine.world.applied.length = 0;
    engine.world.hidden.add('Instance/default/-/b' as RefKey);
    engine.world.hidden.add('Instance/default/-/new' as RefKey);
    engine.remove('b.yaml');
    engine.write('c.yaml', instance('new'));
    await engine.idle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(engine.world.applied, []);
    const status = engine.control.status().objects.find((object) => object.ref.name === 'new');
    assert.equal(status?.conditions[0]?.status, 'Unknown');
  });

  test('a failing object backs off, tells why and where, and does not hold up others', async () => {
    const world = new (await import('../../fakes/fake-kind.ts')).FakeWorld();
    world.broken.set(WEB, new AppError('VOLUME_FAILED', {}, { message: 'The disk broke.', hint: 'Mend it.' }));
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE + instance('b') }, { world });
    await engine.until(() => engine.ready('Instance/default/-/b'));
    await engine.until(
      () => engine.control.describe({ kind: 'Instance', project: 'default', parent: '-', name: 'web' }).status.error !== undefined,
    );
    const { status } = engine.control.describe({ kind: 'Instance', project: 'default', parent: '-', name: 'web' });
    assert.deepEqual([status.error?.code, status.error?.message, status.error?.hint], ['VOLUME_FAILED', 'The disk broke.', 'Mend it.']);
    assert.ok(status.nextRetry! > Date.now());
    assert.equal(world.applied.filter((what) => what === `create ${WEB}`).length, 1);
    engine.reconciler.look(WEB);
    await engine.idle();
    assert.equal(world.applied.filter((what) => what === `create ${WEB}`).length, 1, 'an event does not cut a back-off short');
    world.broken.clear();
    engine.write('a.yaml', instance('web', 'b') + POOL + IMAGE + instance('b'));
    await engine.until(() => engine.ready(WEB), 'a new spec is tried at once');
  });

  test('an exit that nobody asked for is repaired at once, and later and later when it goes on', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    const thing = engine.world.things.get(WEB)!;
    for (const exits of [1, 2]) {
      thing.running = false;
      engine.reconciler.look(WEB);
      if (exits === 1) await engine.until(() => thing.running);
      await engine.idle();
    }
    assert.equal(engine.reconciler.tracker.objects.get(WEB)?.recorded.exits.length, 2);
  });

  test('objects made through the API live in the stored source, and are deleted by name', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE });
    const result = await engine.control.apply([{ path: 'x.yaml', text: instance('web') }], { actor: 'uid:0' });
    assert.deepEqual(
      result.objects.map((object) => object.result),
      ['created'],
    );
    await engine.until(() => engine.ready(WEB));
    const again = await engine.control.apply([{ path: 'x.yaml', text: instance('web') }], { actor: 'uid:0' });
    assert.deepEqual(
      again.objects.map((object) => object.result),
      ['unchanged'],
    );
    await assert.rejects(engine.control.delete({ kind: 'StoragePool', project: '-', parent: '-', name: 'fast' }, 'uid:0'), {
      code: 'OWNED_BY_OTHER_SOURCE',
    });
    await engine.control.delete({ kind: 'Instance', project: 'default', parent: '-', name: 'web' }, 'uid:0');
    await engine.until(() => !engine.world.things.has(WEB));
  });

  test('a manifest takes over an object made through the API, without rebuilding it', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE });
    await engine.control.apply([{ path: 'x.yaml', text: instance('web') }], { actor: 'uid:0' });
    await engine.until(() => engine.ready(WEB));
    const { uid } = engine.reconciler.tracker.objects.get(WEB)!.row;
    engine.world.applied.length = 0;
    engine.write('b.yaml', instance('web'));
    await engine.until(() => engine.reconciler.tracker.objects.get(WEB)?.row.source === 'dir');
    await engine.idle();
    assert.deepEqual(engine.world.applied, []);
    assert.equal(engine.reconciler.tracker.objects.get(WEB)?.row.uid, uid);
    assert.deepEqual(engine.ledger.documents.all(), []);
  });

  test('a plan of files that are not applied changes nothing', async () => {
    const engine = await started({ 'a.yaml': POOL + IMAGE });
    await engine.until(() => engine.ready(FAST));
    const before = engine.ledger.objects.all().length;
    const report = await engine.control.plan([{ path: 'x.yaml', text: instance('web') }]);
    assert.deepEqual(
      report.changes.map((change) => `${change.verdict} ${change.ref.name}`),
      ['create web', 'power web'],
    );
    const again = await engine.control.plan([{ path: 'x.yaml', text: instance('web') }]);
    assert.equal(again.hash, report.hash);
    assert.equal(engine.ledger.objects.all().length, before);
    assert.equal(engine.world.things.size, 1);
  });
});

describe('the law: apply, observe, plan again is empty, wherever it was interrupted', () => {
  class Killed extends Error {}

  test('at every boundary', async () => {
    let visited = 0;
    for (let killAt = 1; ; killAt++) {
      let count = 0;
      const boundary = (): void => {
        if (++count === killAt) throw new Killed();
        if (count > killAt) throw new Killed();
      };
      await started({ 'a.yaml': instance('web') + POOL + IMAGE }, { boundary }).catch((error: unknown) => {
        // Amid its first round.
        if (!(error instanceof Killed)) throw error;
      });
      const first = engines.at(-1)!;
      await first.until(() => first.ready(WEB) || count >= killAt);
      const died = count >= killAt;
      await first.reconciler.close();
      if (!died) break;
      visited++;
      const second = await started({ 'a.yaml': instance('web') + POOL + IMAGE }, { world: first.world, ledger: first.ledger });
      await second.until(() => second.ready(WEB), `convergence after boundary ${killAt}`);
      assert.equal(second.world.things.size, 2);
      assert.deepEqual((await second.control.plan()).changes, []);
    }
    assert.ok(visited >= 14, `${visited}: two boundaries around each of the five steps, and around what each round writes first`);
  });

  test('a shutdown of the host: nothing is started any more, also after a restart, until the next boot', async () => {
    const files = { 'a.yaml': instance('web') + POOL + IMAGE };
    const first = await started(files);
    await first.until(() => first.ready(WEB));
    await first.reconciler.drain(true, 1000);
    first.world.things.get(WEB)!.running = false;
    first.write('b.yaml', instance('late'));
    first.reconciler.look(WEB);
    await first.until(() => first.reconciler.tracker.objects.get('Instance/default/-/late' as RefKey)?.plan?.waitsFor !== undefined);
    await first.idle();
    assert.match(first.reconciler.tracker.objects.get(WEB)?.plan?.waitsFor ?? '', /the host to boot again/);
    assert.equal(first.control.status().draining, true);
    assert.equal(first.control.status().settled, false);
    await first.reconciler.close();

    const second = await started(files, { world: first.world, ledger: first.ledger });
    await second.idle();
    assert.equal(second.world.things.get(WEB)!.running, false);
    assert.equal(second.control.status().draining, true);
    await second.reconciler.close();

    const third = await started(files, { world: first.world, ledger: first.ledger, bootId: 'boot-2' });
    await third.until(() => third.ready(WEB));
    assert.equal(third.world.things.get(WEB)!.running, true);
    assert.equal(third.control.status().draining, false);
  });

  test('a shutdown of the host that is called off: what was stopped is started again, and counts as no exit of its own', async () => {
    const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
    await engine.until(() => engine.ready(WEB));
    await engine.reconciler.drain(true, 1000);
    engine.world.things.get(WEB)!.running = false;
    engine.reconciler.look(WEB);
    await engine.idle();
    await engine.reconciler.drain(false, 1000);
    await engine.until(() => engine.ready(WEB));
    assert.equal(engine.world.things.get(WEB)!.running, true);
    assert.deepEqual(engine.reconciler.tracker.objects.get(WEB)?.recorded.exits, []);
  });
});
