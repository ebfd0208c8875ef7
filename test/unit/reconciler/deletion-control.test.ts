// What people ask about deletions, over the whole engine: sources that are no longer configured, protection, tombstones, a rebuilt ledger.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RefKey, refKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { Boundary } from '../../../src/reconciler/fault.ts';
import type { Ledger } from '../../../src/state/ledger.ts';
import { openLedger } from '../../../src/state/open.ts';
import { rebuildOwnership, restoreOwnership } from '../../../src/state/rebuild.ts';
import { Engine, FAST, IMAGE, instance, MemorySource, POOL, WEB } from '../../fakes/engine.ts';
import { FakeWorld } from '../../fakes/fake-kind.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

const BY = { actor: 'uid:0' };

interface Stage {
  readonly world: FakeWorld;
  readonly ledger: Ledger;
}

async function started(files: Record<string, string>, stage: Stage, source = 'dir'): Promise<Engine> {
  const engine = new Engine({ ...stage, source: new MemorySource(source) });
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  await engine.reconciler.start();
  await engine.idle();
  return engine;
}

/** A world whose source `old` declared everything and is not configured any more; `new` declares nothing. */
async function orphaned(files: Record<string, string> = { 'a.yaml': POOL + IMAGE + instance('web') + instance('db') }): Promise<Engine> {
  const stage = { world: new FakeWorld(), ledger: openLedger(':memory:') };
  const old = await started(files, stage, 'old');
  await old.until(() => stage.world.things.size === 3, 'everything');
  await old.reconciler.close();
  return await started({ 'i.yaml': IMAGE }, stage, 'new');
}

function sourceOf(engine: Engine, name: string) {
  return engine.control.status().sources.find((one) => one.name === name);
}

function rows(engine: Engine): Record<string, string> {
  return Object.fromEntries(engine.ledger.objects.all().map((row) => [refKey(row.ref), row.source]));
}

describe('a source that is no longer configured', () => {
  test('deletes nothing, is listed, and its objects are still repaired', async () => {
    const engine = await orphaned();
    assert.equal(engine.world.things.size, 3);
    assert.deepEqual(
      [sourceOf(engine, 'old')?.state, sourceOf(engine, 'old')?.objects, sourceOf(engine, 'new')?.state],
      ['unconfigured', 3, 'read'],
    );
    engine.world.things.get(WEB)!.running = false;
    await engine.reconciler.sync();
    await engine.until(() => engine.world.things.get(WEB)?.running === true, 'the repair');
    await engine.reconciler.close();
  });

  test('forgotten with keep: its objects are made through the API, and nothing is rebuilt', async () => {
    const engine = await orphaned();
    const before = engine.world.applied.length;
    const { objects, left } = await engine.control.forgetSource('old', 'keep', 'uid:0');
    assert.deepEqual([objects.length, left], [3, []]);
    await engine.until(() => Object.values(rows(engine)).every((source) => source === 'api'), 'the new owner');
    await engine.idle();
    assert.equal(engine.world.applied.length, before);
    assert.equal(sourceOf(engine, 'old'), undefined);
    await engine.control.delete({ kind: 'Instance', project: 'default', parent: '-', name: 'web' }, 'uid:0');
    await engine.until(() => !engine.world.things.has(WEB), 'the deletion by name');
    await engine.reconciler.close();
  });

  test('forgotten with prune: nothing goes before the list is confirmed, then everything, and the source with it', async () => {
    const engine = await orphaned();
    const { objects } = await engine.control.forgetSource('old', 'prune', 'uid:0');
    assert.equal(objects.length, 3);
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    assert.equal(engine.world.things.size, 3);
    assert.equal(sourceOf(engine, 'old')?.state, 'forgotten');
    const [asked] = engine.control.status().confirmations;
    assert.deepEqual([asked?.source, asked?.objects.length], ['old', 3]);
    await engine.control.confirm('old', asked!.hash, BY);
    await engine.until(() => engine.world.things.size === 0, 'the deletions');
    await engine.until(() => sourceOf(engine, 'old') === undefined, 'the end of the source');
    assert.deepEqual(engine.ledger.forgotten.all(), []);
    await engine.reconciler.close();
  });

  test('that it was forgotten outlives a restart, and can be taken back by keeping', async () => {
    const engine = await orphaned();
    await engine.control.forgetSource('old', 'prune', 'uid:0');
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    await engine.reconciler.close();
    const again = await started({ 'i.yaml': IMAGE }, engine, 'new');
    assert.equal(sourceOf(again, 'old')?.state, 'forgotten');
    await again.until(() => again.control.status().confirmations.length === 1, 'the question, again');
    await again.control.forgetSource('old', 'keep', 'uid:0');
    await again.until(() => Object.values(rows(again)).every((source) => source === 'api'), 'the new owner');
    await again.idle();
    assert.deepEqual([again.world.things.size, again.control.status().confirmations, again.ledger.forgotten.all()], [3, [], []]);
    await again.reconciler.close();
    const third = await started({ 'i.yaml': IMAGE + POOL }, again, 'old');
    assert.equal(sourceOf(third, 'old')?.state, 'read');
    await third.reconciler.close();
  });

  test('what is protected of it stays when the rest is pruned', async () => {
    const engine = await orphaned({
      'a.yaml': POOL + IMAGE + instance('web', 'a', ', security.protection.delete: "true"') + instance('db'),
    });
    await engine.control.forgetSource('old', 'prune', 'uid:0');
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    const [asked] = engine.control.status().confirmations;
    assert.deepEqual(asked?.protected.map(refKey), [WEB]);
    await engine.control.confirm('old', asked.hash, BY);
    await engine.until(() => !engine.world.things.has('Instance/default/-/db' as RefKey), 'the deletion of the other');
    await engine.idle();
    assert.ok(engine.world.things.has(WEB) && engine.world.things.has(FAST), 'it stays, and what it needs');
    await engine.reconciler.close();
  });

  test('only such a source can be forgotten', async () => {
    const engine = await orphaned();
    await assert.rejects(engine.control.forgetSource('new', 'prune', 'uid:0'), { code: 'CONFLICT' });
    await assert.rejects(engine.control.forgetSource('api', 'prune', 'uid:0'), { code: 'CONFLICT' });
    await assert.rejects(engine.control.forgetSource('nobody', 'keep', 'uid:0'), { code: 'NOT_FOUND' });
    await engine.reconciler.close();
  });
});

describe('protection', () => {
  const PROTECTED = instance('web', 'a', ', security.protection.delete: "true"');

  test('outlives its manifest, asks, and ends by a word of its own', async () => {
    const stage = { world: new FakeWorld(), ledger: openLedger(':memory:') };
    const engine = await started({ 'a.yaml': POOL + IMAGE, 'b.yaml': PROTECTED }, stage);
    await engine.until(() => engine.ready(WEB), 'readiness');
    engine.remove('b.yaml');
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    const [asked] = engine.control.status().confirmations;
    assert.deepEqual([asked?.objects, asked?.protected.map(refKey)], [[], [WEB]]);
    await assert.rejects(engine.control.confirm('dir', asked!.hash, BY), { code: 'PROTECTED' });
    assert.ok(engine.world.things.has(WEB));
    await engine.control.confirm('dir', asked!.hash, { ...BY, unprotect: true });
    await engine.until(() => !engine.world.things.has(WEB), 'the deletion');
    await engine.until(() => engine.control.status().confirmations.length === 0, 'no question');
    await engine.reconciler.close();
  });

  test('a source that became empty asks although what is left is protected', async () => {
    const stage = { world: new FakeWorld(), ledger: openLedger(':memory:') };
    const engine = await started({ 'a.yaml': POOL + IMAGE + instance('db') + PROTECTED }, stage);
    await engine.until(() => engine.ready(WEB), 'readiness');
    engine.remove('a.yaml');
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    await engine.idle();
    assert.equal(engine.world.things.size, 3);
    await engine.reconciler.close();
  });
});

describe('the budget', () => {
  test('is not new after a restart', async () => {
    const stage = { world: new FakeWorld(), ledger: openLedger(':memory:') };
    const files: Record<string, string> = { 'a.yaml': POOL + IMAGE };
    for (let n = 0; n < 8; n++) files[`${n}.yaml`] = instance(`i${n}`);
    const first = await started(files, stage);
    await first.until(() => stage.world.things.size === 9, 'everything');
    for (const n of [0, 1, 2]) first.remove(`${n}.yaml`);
    await first.until(() => stage.world.things.size === 6, 'three deletions');
    await first.idle();
    await first.reconciler.close();
    const left = Object.fromEntries(Object.entries(files).filter(([path]) => !['0.yaml', '1.yaml', '2.yaml', '3.yaml'].includes(path)));
    const second = await started(left, stage);
    await second.until(() => second.control.status().confirmations.length === 1, 'the question');
    assert.equal(stage.world.things.size, 6);
    await second.reconciler.close();
  });
});

describe('a confirmation', () => {
  test('is used up for what went by it, although another of its list hangs', async () => {
    const webs = (count: number): string => Array.from({ length: count }, (_, at) => instance(`w${at}`)).join('');
    const engine = await started({ 'a.yaml': POOL + IMAGE + webs(8) }, { world: new FakeWorld(), ledger: openLedger(':memory:') });
    await engine.until(() => engine.ready('Instance/default/-/w7'), 'everything');
    engine.world.hidden.add('Instance/default/-/w7' as RefKey);
    engine.write('a.yaml', POOL + IMAGE + webs(2));
    const asked = () => engine.control.status().confirmations;
    await engine.until(() => asked().length === 1, 'the question');
    await engine.control.confirm('dir', asked()[0]!.hash, BY);
    await engine.until(() => engine.reconciler.tracker.objects.size === 4, 'the deletion of five');
    // Declared again: new objects with new data. Then removed by a slip.
    engine.write('a.yaml', POOL + IMAGE + webs(7));
    await engine.until(() => engine.ready('Instance/default/-/w6'), 'all are made again');
    await engine.idle();
    engine.write('a.yaml', POOL + IMAGE + webs(2));
    await engine.until(() => asked().some(({ objects }) => objects.length > 1), 'the second question');
    assert.equal(engine.world.things.has('Instance/default/-/w6' as RefKey), true);
    await engine.reconciler.close();
  });
});

describe('a ledger that was rebuilt', () => {
  test('deletes nothing, however little, until somebody confirms what was read back', async () => {
    const stage = { world: new FakeWorld(), ledger: openLedger(':memory:') };
    stage.world.things.set(WEB, { value: 'a', filled: true, running: true, address: undefined });
    const text = JSON.stringify({ uid: '01990000-0000-7000-8000-000000000001', ref: WEB, source: 'dir', document: {}, allocations: {} });
    restoreOwnership(stage.ledger, rebuildOwnership([{ file: 'web/instance.json', text }]), Date.now());
    const engine = await started({ 'a.yaml': POOL + IMAGE + instance('db') }, stage);
    await engine.until(() => engine.ready('Instance/default/-/db'), 'the other');
    await engine.reconciler.sync();
    await engine.idle();
    assert.ok(stage.world.things.has(WEB));
    const [asked] = engine.control.status().confirmations;
    assert.equal(asked?.source, '@ledger');
    await engine.control.confirm('@ledger', asked.hash, BY);
    await engine.until(() => !stage.world.things.has(WEB), 'the deletion');
    assert.equal(engine.control.status().confirmations.length, 0);
    await engine.reconciler.close();
  });
});

describe('tombstones', () => {
  const FOUNDATION = `
apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: fast }
spec: { driver: btrfs, config: { size: 10GiB } }
---
apiVersion: lockstep/v1
kind: Image
metadata: { name: busybox }
spec: { source: { build: { type: busybox } } }
---
`;
  const real = (name: string): string =>
    `apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: ${name} }\nspec: { image: busybox, devices: { root: { type: disk, path: /, pool: fast } } }\n---\n`;
  const ref = (name: string) => ({ kind: 'Instance', project: 'default', parent: '-', name }) as const;

  async function deleted(names: readonly string[], boundary: Boundary = () => {}): Promise<{ engine: Engine; host: MemoryHost }> {
    const host = new MemoryHost();
    const engine = new Engine({ host, kinds, boundary });
    engine.source.files.set('a.yaml', FOUNDATION);
    for (const name of names) engine.source.files.set(`${name}.yaml`, real(name));
    await engine.reconciler.start();
    await engine.until(() => engine.control.status().settled, 'convergence');
    for (const name of names) {
      engine.remove(`${name}.yaml`);
      await engine.until(() => !engine.reconciler.tracker.objects.has(`Instance/default/-/${name}` as RefKey), `the deletion of ${name}`);
    }
    await engine.idle();
    return { engine, host };
  }

  const left = (engine: Engine): string[] => engine.control.status().tombstones.map((one) => one.ref.name);

  test('are listed with their size and end', async () => {
    const { engine, host } = await deleted(['web']);
    const [row] = engine.ledger.tombstones.all();
    host.storage.facts.tombstoneBytes.set(row!.name, 4096);
    await engine.reconciler.sync();
    const [told] = engine.control.status().tombstones;
    assert.deepEqual([told?.ref.name, told?.pool, told?.why, told?.bytes], ['web', 'fast', 'deleted', 4096]);
    assert.equal(told!.expiresAt - told!.buriedAt, 24 * 3600_000);
    await engine.reconciler.close();
  });

  test('the oldest go when together they take more than their share of the pool; the last one stays', async () => {
    const { engine, host } = await deleted(['one', 'two', 'three']);
    const gib = 1024 ** 3;
    for (const { name } of engine.ledger.tombstones.all()) host.storage.facts.tombstoneBytes.set(name, 0.4 * gib);
    await engine.reconciler.sync();
    await engine.until(() => left(engine).length === 2, 'the end of the oldest');
    await engine.idle();
    assert.deepEqual(left(engine), ['two', 'three'], '0.8 of 10 GiB are within a tenth');
    for (const { name } of engine.ledger.tombstones.all()) host.storage.facts.tombstoneBytes.set(name, 5 * gib);
    await engine.reconciler.sync();
    await engine.until(() => left(engine).length === 1, 'the end of the second');
    await engine.reconciler.sync();
    await engine.idle();
    assert.deepEqual(left(engine), ['three']);
    await engine.reconciler.close();
  });

  test('a purge ends them at once, and what they had allocated is free', async () => {
    const { engine, host } = await deleted(['one', 'two']);
    const ended = await engine.control.purge(ref('one'), 'uid:0');
    assert.deepEqual(
      ended.map((one) => one.ref.name),
      ['one'],
    );
    await engine.until(() => left(engine).length === 1, 'the purge');
    await engine.control.purge('all', 'uid:0');
    await engine.until(() => left(engine).length === 0, 'the purge of the rest');
    assert.deepEqual(await host.storage.listTombstones('fast'), []);
    assert.equal(engine.ledger.allocations.taken('idrange').size, 0);
    await assert.rejects(engine.control.purge(ref('one'), 'uid:0'), { code: 'NOT_FOUND' });
    await assert.rejects(engine.control.undelete(ref('one'), BY), { code: 'NOT_FOUND' });
    await engine.reconciler.close();
  });

  test('one that is being brought back does not expire before it is back', async () => {
    const { engine, host } = await deleted(['web']);
    host.storage.faults.set('unburyVolume', 'fail');
    await engine.control.undelete(ref('web'), BY);
    const [row] = engine.ledger.tombstones.all();
    engine.ledger.tombstones.put({ ...row!, expiresAt: 1 });
    assert.deepEqual(await engine.control.purge('all', 'uid:0'), []);
    await engine.reconciler.sync();
    await engine.until(() => engine.control.status().objects.some((one) => one.error !== undefined), 'a failure');
    assert.equal((await host.storage.listTombstones('fast')).length, 1);
    host.storage.faults.delete('unburyVolume');
    await engine.reconciler.sync();
    await engine.until(() => engine.control.status().settled, 'the return');
    assert.deepEqual([left(engine), host.lxc.facts.monitors.has('web')], [[], true]);
    await engine.reconciler.close();
  });

  test('one whose volume is not in it yet cannot be purged: what it had allocated is not free before it is', async () => {
    const host = new MemoryHost();
    const freed: string[] = [];
    const engine = new Engine({ host, kinds, released: async (what) => void freed.push(what) });
    engine.source.files.set('a.yaml', FOUNDATION + real('stays'));
    engine.source.files.set('web.yaml', real('web'));
    await engine.reconciler.start();
    await engine.until(() => engine.control.status().settled, 'convergence');
    const go = Promise.withResolvers<void>();
    const kill = host.lxc.kill.bind(host.lxc);
    let killing = false;
    host.lxc.kill = async (...args) => {
      killing = true;
      await go.promise;
      return kill(...args);
    };
    engine.remove('web.yaml');
    await engine.until(() => killing, 'the deletion');
    await engine.control.purge('all', 'uid:0');
    await engine.reconciler.sync();
    assert.deepEqual([left(engine), freed], [['web'], []]);
    go.resolve();
    await engine.until(() => !engine.reconciler.tracker.objects.has('Instance/default/-/web' as RefKey), 'the deletion');
    await engine.reconciler.sync();
    await engine.until(() => left(engine).length === 0, 'the purge');
    assert.deepEqual([await host.storage.listTombstones('fast'), freed], [[], ['idrange']]);
    await engine.reconciler.close();
  });

  test('one that is brought back just before it is removed for room stays', async () => {
    let intended = (): void => {};
    const { engine, host } = await deleted(['one', 'two'], (where) => where === 'ledger: after the intents' && intended());
    host.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as RefKey));
    let asked: Promise<unknown> | undefined;
    intended = () => {
      const steps = engine.reconciler.tracker.objects.get('StoragePool/-/-/fast' as RefKey)?.plan?.steps ?? [];
      if (steps.some(({ change }) => change.do === 'purge')) asked ??= engine.control.undelete(ref('one'), BY);
    };
    for (const { name } of engine.ledger.tombstones.all()) host.storage.facts.tombstoneBytes.set(name, 3 * 1024 ** 3);
    await engine.reconciler.sync();
    await engine.until(() => asked !== undefined, 'the purge that is about to be');
    await asked;
    await engine.until(() => engine.ready('Instance/default/-/one'), 'the return');
    await engine.idle();
    assert.deepEqual(left(engine), ['two']);
    await engine.reconciler.close();
  });

  test('those that the ledger does not know are written down once, and end', async () => {
    const { engine, host } = await deleted(['web']);
    const backing = [...host.storage.facts.backings.values()].find((one) => one.marked === 'fast')!;
    backing.tombstones.set('0199-lost.5', { complete: true, sizeBytes: undefined, image: undefined, ownerId: 0 });
    await engine.reconciler.sync();
    await engine.until(() => left(engine).length === 2, 'the record');
    const row = engine.ledger.tombstones.of('0199-lost')[0]!;
    assert.deepEqual([row.name, row.why, row.expiresAt - row.buriedAt], ['0199-lost.5', 'replaced', 24 * 3600_000]);
    await engine.reconciler.sync();
    await engine.idle();
    assert.deepEqual(engine.ledger.tombstones.of('0199-lost'), [row], 'once');
    await engine.control.purge('all', 'uid:0');
    await engine.until(() => left(engine).length === 0 && backing.tombstones.size === 0, 'the purge');
    await engine.reconciler.close();
  });

  test('purging one of two in a pool that is kept only for them opens the pool for it, and closes it again', async () => {
    const { engine, host } = await deleted(['one', 'two']);
    engine.source.files.delete('a.yaml');
    engine.source.changed();
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    await engine.control.confirm('dir', engine.control.status().confirmations[0]!.hash, BY);
    const pool = async () => (await host.storage.listPools()).get('fast');
    await engine.until(() => host.storage.facts.mounts.size === 0, 'the closing');
    await engine.idle();
    await engine.control.purge(ref('one'), 'uid:0');
    await engine.until(() => left(engine).length === 1, 'the purge');
    await engine.idle();
    assert.deepEqual([(await pool())?.backing, (await pool())?.active], [true, false]);
    await engine.control.purge('all', 'uid:0');
    await engine.until(() => host.storage.facts.records.size === 0, 'the end of the pool');
    await engine.reconciler.close();
  });
});
