// What the engine writes into the audit log, and into each object's history.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type AuditDetail, parseAuditDetail } from '../../../src/core/audit-detail.ts';
import { AppError } from '../../../src/core/errors.ts';
import { parseRefKey } from '../../../src/core/ref.ts';
import { FakeWorld } from '../../fakes/fake-kind.ts';
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

function entries(engine: Engine): { actor: string; action: string; ref: string; detail: AuditDetail }[] {
  return engine.ledger.audit
    .latest(100)
    .map(({ actor, action, ref, detail }) => ({ actor, action, ref, detail: parseAuditDetail(detail) }));
}

test('a change is in the log with who, what, why, and each field before and after', async () => {
  const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
  await engine.until(() => engine.ready(WEB));
  engine.write('a.yaml', instance('web', 'b') + POOL + IMAGE);
  await engine.until(() => engine.world.things.get(WEB)?.value === 'b');
  await engine.idle();
  await engine.reconciler.close();
  const all = entries(engine);
  const made = all.find((entry) => entry.ref === WEB && entry.action === 'create')!;
  assert.deepEqual(
    made.detail.fields?.find((field) => field.field === 'value'),
    { field: 'value', to: 'a' },
    'what is made is told field by field',
  );
  const changed = all.find((entry) => entry.action === 'setValue')!;
  const { revision } = engine.control.status().sources[0]!;
  assert.equal(changed.actor, `source:dir@${revision}`);
  assert.deepEqual(changed.detail.fields, [{ field: 'value', from: 'a', to: 'b' }]);
  assert.equal(changed.detail.outcome, 'done');
  assert.deepEqual([changed.detail.file, changed.detail.line], ['a.yaml', 1]);
  assert.match(changed.detail.causes?.join() ?? '', /source "dir" \(now at [0-9a-f]{12}\) changed/);
  assert.equal(engine.ledger.audit.verify().broken, undefined);
});

test('what fails again and again in the same way is in the log once; its error says file and line', async () => {
  const world = new FakeWorld();
  world.broken.set(FAST, new AppError('DISK_FULL', {}, { message: 'No space.', hint: 'Make some.' }));
  const engine = await started({ 'a.yaml': IMAGE + POOL }, { world });
  await engine.until(() => engine.ledger.objects.all().length > 0 && engine.reconciler.tracker.objects.get(FAST)?.error !== undefined);
  const { error } = engine.control.describe(parseRefKey(FAST)!).status;
  assert.deepEqual([error?.file, error?.line, error?.change], ['a.yaml', 7, 'create']);
  await engine.control.sync(undefined, 'uid:7');
  await engine.until(() => (engine.reconciler.tracker.objects.get(FAST)?.failures ?? 0) >= 2, 'the second failure');
  await engine.reconciler.close();
  const all = entries(engine);
  assert.equal(all.filter((entry) => entry.ref === FAST && entry.detail.outcome === 'DISK_FULL').length, 1);
  assert.deepEqual(
    all.filter((entry) => entry.action === 'sync').map((entry) => entry.actor),
    ['uid:7'],
  );
});

test('requests are in the log with the peer, and before and after of what is stored', async () => {
  const engine = await started({ 'a.yaml': POOL + IMAGE });
  const apply = (value: string) =>
    engine.control.apply([{ path: 'x.yaml', text: instance('web', value, ', environment.TOKEN: hush') }], { actor: 'uid:0' });
  await apply('a');
  await apply('b');
  await engine.until(() => engine.ready(WEB));
  await engine.control.delete(parseRefKey(WEB)!, 'uid:1000');
  const [put, changed, removed] = entries(engine).filter((entry) => entry.ref === WEB && entry.actor.startsWith('uid:'));
  assert.deepEqual([put?.action, put?.detail.summary], ['apply', 'put it into the source']);
  assert.deepEqual(changed?.detail.fields, [{ field: 'spec.config.user.value', from: 'a', to: 'b' }]);
  assert.deepEqual([removed?.action, removed?.actor, removed?.detail.source], ['delete', 'uid:1000', 'api']);
  assert.ok(
    removed?.detail.fields?.some((field) => field.field === 'spec.config.user.value' && field.from === 'b' && field.to === undefined),
  );
  assert.doesNotMatch(JSON.stringify(entries(engine)), /hush/);
});

test('what was begun before a crash is in the log as interrupted, once', async () => {
  const first = await started({ 'a.yaml': POOL + IMAGE });
  await first.until(() => first.ready(FAST));
  await first.reconciler.close();
  const { ledger } = first;
  const row = ledger.objects.all().find((one) => one.ref.name === 'fast')!;
  const change = JSON.stringify({
    do: 'setValue',
    verdict: 'live',
    summary: 'set the value',
    fields: [{ field: 'value', to: 'x' }],
    source: 'dir',
  });
  ledger.intents.open([{ uid: row.uid, ref: FAST, change, openedAt: 1, revision: 'r9' }]);
  for (let n = 0; n < 2; n++) await (await started({ 'a.yaml': POOL + IMAGE }, { ledger, world: first.world })).reconciler.close();
  const found = entries(first).filter((entry) => entry.detail.outcome === 'interrupted');
  assert.deepEqual(
    found.map(({ actor, action, ref, detail }) => [actor, action, ref, detail.fields]),
    [['source:dir@r9', 'setValue', FAST, [{ field: 'value', to: 'x' }]]],
  );
});

test('what cannot be written now (a full disk) is in the log later', async (t) => {
  const engine = await started({ 'a.yaml': instance('web') + POOL + IMAGE });
  await engine.until(() => engine.ready(WEB));
  const full = t.mock.method(engine.ledger, 'note', () => {
    throw new AppError('DISK_FULL', {}, { message: 'No space is left.' });
  });
  engine.reconciler.writeOutcomes();
  full.mock.restore();
  engine.reconciler.writeOutcomes();
  assert.ok(full.mock.callCount() > 0, 'there was something to be written');
  assert.ok(entries(engine).some((entry) => entry.ref === WEB && entry.action === 'create'));
});
