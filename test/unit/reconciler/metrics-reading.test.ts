// The reconciler's numbers for a scrape, over the whole engine with fake kinds.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { metricsReading } from '../../../src/reconciler/metrics-reading.ts';
import type { MetricsReading } from '../../../src/status/metrics.ts';
import { Engine, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';

const engines: Engine[] = [];

async function started(files: Record<string, string>, options: ConstructorParameters<typeof Engine>[0] = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  await engine.reconciler.start();
  return engine;
}

function reading({ reconciler, sources, ledger }: Engine): MetricsReading {
  return metricsReading({ reconciler, sources, ledger, queues: () => [{ name: 'work', running: 1, waiting: 2 }] });
}

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

test('counts objects by condition, and tells of each source what is the matter with it', async () => {
  const engine = await started({ 'a.yaml': IMAGE + POOL, 'b.yaml': instance('web') + instance('db') });
  await engine.until(() => engine.ready(WEB));
  await engine.idle();
  const now = reading(engine);
  const ready = now.objects.filter(({ kind, condition }) => kind === 'Instance' && condition === 'Ready');
  assert.deepEqual(ready, [{ kind: 'Instance', condition: 'Ready', status: 'True', count: 2 }]);
  const dir = now.sources.find(({ name }) => name === 'dir');
  assert.deepEqual([dir?.objects, dir?.problems, dir?.failing], [3, 0, false]);
  assert.ok(dir?.lastRead !== undefined && dir.since !== undefined && dir.since < dir.lastRead);
  assert.equal(now.auditEntries, engine.ledger.audit.head().seq);
  assert.deepEqual(
    now.queues.map(({ name, waiting }) => [name, waiting]),
    [
      ['work', 2],
      ['look', 0],
    ],
  );

  engine.write('b.yaml', `${instance('web')}${instance('db').replace('image:', 'imagee:')}`);
  await engine.until(() => (reading(engine).sources.find(({ name }) => name === 'dir')?.problems ?? 0) > 0);
  assert.equal(reading(engine).sources.find(({ name }) => name === 'api')?.problems, 0, 'problems are those of the files of a source');
  engine.source.down = true;
  engine.source.changed();
  await engine.until(() => reading(engine).sources.some(({ failing }) => failing));
});

test('measures the time from drift to repair, and of drift only', async () => {
  const repaired: [string, number][] = [];
  const metrics = {
    roundBegan: () => () => {},
    changeEnded: () => {},
    driftEnded: (kind: string, seconds: number) => void repaired.push([kind, seconds]),
  };
  const engine = await started({ 'a.yaml': IMAGE + POOL + instance('web') }, { metrics });
  await engine.until(() => engine.ready(WEB));
  await engine.idle();
  engine.write('a.yaml', IMAGE + POOL + instance('web', 'b'));
  await engine.until(() => engine.world.things.get(WEB)?.value === 'b' && engine.ready(WEB));
  await engine.idle();
  assert.ok(repaired.length < 1, 'a change of the manifest is no drift');
  engine.world.delay = () => new Promise((resolve) => setTimeout(resolve, 50));
  engine.world.things.get(WEB)!.value = 'changed behind our back';
  engine.reconciler.look(WEB);
  await engine.until(() => repaired.length > 0, 'the repair');
  const [kind, seconds] = repaired[0]!;
  assert.equal(kind, 'Instance');
  assert.ok(seconds >= 0 && seconds < 10, String(seconds));
  assert.equal(repaired.length, 1);
});
