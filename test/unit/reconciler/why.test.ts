// Why objects are as they are, over the whole engine with fake kinds.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import { makeRef, parseRefKey, refText } from '../../../src/core/ref.ts';
import { Explainer } from '../../../src/reconciler/explain.ts';
import type { Why } from '../../../src/reconciler/why.ts';
import { Engine, FAST, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';
import { FakeWorld } from '../../fakes/fake-kind.ts';

const engines: Engine[] = [];
const WEB_REF = parseRefKey(WEB)!;

async function started(files: Record<string, string>, options: ConstructorParameters<typeof Engine>[0] = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  await engine.reconciler.start();
  return engine;
}

function explainer(engine: Engine): Explainer {
  return new Explainer({ reconciler: engine.reconciler, ledger: engine.ledger, sources: engine.sources });
}

function why(engine: Engine, key: string = WEB): Why {
  return explainer(engine).why(parseRefKey(key)!);
}

function broken(key: typeof WEB, error: AppError): FakeWorld {
  const world = new FakeWorld();
  world.broken.set(key, error);
  return world;
}

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

describe('why', () => {
  test('an object as declared: nothing to do, since when, at which revision, and what was done last for which event', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL, 'b.yaml': instance('web') });
    await engine.until(() => engine.ready(WEB));
    await engine.idle();
    engine.write('b.yaml', instance('web', 'b'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
    await engine.until(() => engine.ready(WEB));
    await engine.idle();
    await engine.reconciler.close();
    const answer = why(engine);
    const { revision } = engine.control.status().sources[0]!;
    assert.deepEqual([answer.rule.reason, answer.rule.file, answer.rule.line], ['UpToDate', 'b.yaml', 1]);
    assert.ok(answer.rule.since !== undefined && answer.rule.since <= Date.now());
    assert.deepEqual([answer.declared?.source, answer.declared?.revision, answer.observedRevision], ['dir', revision, revision]);
    assert.deepEqual(answer.chain, []);
    assert.deepEqual(
      answer.lastRun?.changes.map(({ change, outcome, fields }) => [change, outcome, fields]),
      [['setValue', 'done', [{ field: 'value', from: 'a', to: 'b' }]]],
    );
    assert.match(answer.lastRun?.causes.join() ?? '', /source "dir" .* changed what it declares/);
    assert.deepEqual(
      answer.lastLook?.causes.map((cause) => cause.event),
      ['ChangeEnded'],
    );
  });

  test('a failing need: the chain ends at it, with its error, file and line, and what asks for it', async () => {
    const error = new AppError('DISK_FULL', {}, { message: 'No space is left on /dev/loop7.', hint: 'Make some.' });
    const engine = await started({ 'pool.yaml': `${IMAGE}${POOL}`, 'web.yaml': instance('web') }, { world: broken(FAST, error) });
    await engine.until(() => engine.reconciler.tracker.objects.get(FAST)?.error !== undefined);
    await engine.until(() => engine.control.describe(WEB_REF).status.conditions.some((one) => one.reason === 'WaitingForNeeds'));
    const answer = why(engine);
    assert.equal(answer.rule.reason, 'WaitingForNeeds');
    assert.match(answer.rule.message, /\(create\).*waits for StoragePool "fast"/);
    const [link] = answer.chain;
    assert.equal(answer.chain.length, 1);
    assert.equal(refText(link!.ref), 'StoragePool "fast"');
    assert.deepEqual(link?.from, WEB_REF);
    assert.equal(link?.asked?.file, 'web.yaml');
    assert.deepEqual([link?.root, link?.rule.reason, link?.rule.file, link?.rule.line], [true, 'DISK_FULL', 'pool.yaml', 7]);
    assert.match(link.rule.message, /could not create: No space is left .* Make some\./);
    const pool = why(engine, FAST);
    assert.equal(pool.rule.reason, 'DISK_FULL');
    assert.ok(pool.rule.until !== undefined, 'it says when it is tried again');
  });

  test('a chain of three: each stands behind the one that waits for it, only the last is the root', async () => {
    const world = broken(FAST, new AppError('DISK_FULL'));
    const engine = await started({ 'a.yaml': IMAGE + POOL + instance('db') + instance('web') }, { world });
    const db = makeRef('Instance', 'db');
    const tracked = engine.reconciler.tracker.objects.get(WEB)!;
    await engine.until(() => tracked.plan?.heldBy === 'WaitingForNeeds');
    // As `dependsOn` does: web needs db, and db needs the pool.
    tracked.desired = { ...tracked.desired!, needs: [{ ref: db, condition: 'Present', field: 'dependsOn' }] };
    const { chain } = why(engine);
    assert.deepEqual(
      chain.map(({ from, ref, root }) => [refText(from), refText(ref), root]),
      [
        ['Instance "web"', 'Instance "db"', false],
        ['Instance "db"', 'StoragePool "fast"', true],
      ],
    );
  });

  test('a ring of needs and a need that is declared nowhere end the chain', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL + instance('web') }, { world: broken(FAST, new AppError('DISK_FULL')) });
    const tracked = engine.reconciler.tracker.objects.get(WEB)!;
    await engine.until(() => tracked.plan?.heldBy === 'WaitingForNeeds');
    const needs = [WEB_REF, makeRef('Instance', 'nowhere')].map((ref) => ({ ref, condition: 'Present', field: 'dependsOn' }) as const);
    tracked.desired = { ...tracked.desired!, needs };
    const { chain } = why(engine);
    assert.deepEqual(
      chain.map(({ ref, rule, root }) => [ref.name, rule.reason, root]),
      [['nowhere', 'Absent', true]],
    );
  });

  test('a broken file: kept as last valid, with the place of the mistake', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL, 'b.yaml': instance('web') });
    await engine.until(() => engine.ready(WEB));
    engine.write('b.yaml', instance('web').replace('image:', 'imagee:'));
    await engine.until(() => why(engine).rule.reason === 'ManifestInvalid');
    const { rule } = why(engine);
    assert.deepEqual([rule.file, rule.line], ['b.yaml', 5]);
    assert.match(rule.message, /What was last valid stays in force/);
  });

  test('a host that cannot be read, a source that cannot be read', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL + instance('web') });
    await engine.until(() => engine.ready(WEB));
    engine.world.hidden.add(WEB);
    engine.reconciler.look(parseKey(WEB));
    await engine.until(() => why(engine).rule.reason === 'HostUnreadable');
    engine.source.down = true;
    engine.source.changed();
    await engine.until(() => why(engine).notes.length > 0);
    assert.match(why(engine).notes[0]!, /source "dir" cannot be read as it is now: .*stays in force/);
  });

  test('the shutdown of the host, and protection', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL, 'b.yaml': instance('web', 'a', ', security.protection.delete: "true"') });
    await engine.until(() => engine.ready(WEB));
    engine.source.files.delete('b.yaml');
    engine.source.changed();
    await engine.until(() => why(engine).rule.reason === 'Protected');
    assert.equal(why(engine).declared, undefined);
    engine.write('b.yaml', instance('web', 'b'));
    await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
    await engine.reconciler.drain(true, 100);
    engine.world.things.get(WEB)!.running = false;
    engine.reconciler.look(parseKey(WEB));
    await engine.until(() => why(engine).rule.reason === 'HostShutdown');
    await engine.reconciler.drain(false, 0);
  });

  test('an object that is gone is explained by its history; one that never was is not found', async () => {
    const engine = await started({ 'a.yaml': IMAGE + POOL });
    await engine.control.apply([{ path: 'x.yaml', text: instance('web') }], { actor: 'uid:0' });
    await engine.until(() => engine.ready(WEB));
    assert.deepEqual(why(engine).declared?.by, 'uid:0');
    await engine.control.delete(WEB_REF, 'uid:0');
    await engine.until(() => !engine.reconciler.tracker.objects.has(parseKey(WEB)));
    await engine.reconciler.close();
    const answer = why(engine);
    assert.deepEqual([answer.rule.reason, answer.ready, answer.lastRun?.changes.at(-1)?.change], ['Absent', undefined, 'delete']);
    assert.deepEqual(
      explainer(engine)
        .history(WEB_REF, 10)
        .map((run) => [run.outcome, run.changes.map((change) => change.change)]),
      [
        ['done', ['delete']],
        ['done', ['create', 'start']],
      ],
    );
    assert.throws(
      () => explainer(engine).why(makeRef('Instance', 'never')),
      (error) => (error as AppError).code === 'NOT_FOUND',
    );
  });

  test('history survives a restart, and the log can be checked in parts while it grows', async () => {
    const first = await started({ 'a.yaml': IMAGE + POOL });
    await first.until(() => first.ready(FAST));
    await first.reconciler.close();
    const second = await started({ 'a.yaml': IMAGE + POOL }, { ledger: first.ledger, world: first.world });
    assert.equal(explainer(second).history(parseRefKey(FAST)!, 10).length, 1);
    for (let n = 0; n < 1200; n++) first.ledger.audit.add({ at: n, actor: 'uid:0', action: 'sync', ref: '', detail: '{}' });
    const checking = explainer(second).verifyAudit();
    first.ledger.audit.add({ at: 1, actor: 'uid:0', action: 'sync', ref: '', detail: 'while it is checked' });
    const verdict = await checking;
    assert.equal(verdict.broken, undefined);
    assert.equal(verdict.entries, first.ledger.audit.head().seq);
    const page = explainer(second).audit({ limit: 3 });
    assert.equal(page.entries.length, 3);
    assert.equal(page.next, page.entries[2]!.seq);
    assert.equal(page.entries[0]!.detail.summary, 'while it is checked');
  });
});

function parseKey(key: string): typeof WEB {
  return key as typeof WEB;
}
