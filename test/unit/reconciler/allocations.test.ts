// What an object is given (an id range, an address) is its own once that is written down, and not before: two objects never have the same.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import { Engine, FAST, IMAGE, instance, POOL, REAL_FOUNDATION, WEB } from '../../fakes/engine.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

const engines: Engine[] = [];

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

async function started(text: string, options: ConstructorParameters<typeof Engine>[0] = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  engine.source.files.set('a.yaml', text);
  await engine.reconciler.start();
  await engine.idle();
  return engine;
}

const key = (name: string): RefKey => `Instance/default/-/${name}` as RefKey;

function real(...names: string[]): string {
  const one = (name: string): string => `apiVersion: lockstep/v1
kind: Instance
metadata: { name: ${name} }
spec: { image: busybox, devices: { root: { type: disk, path: /, pool: fast } } }
---
`;
  return REAL_FOUNDATION + names.map(one).join('');
}

function rangeOf(host: MemoryHost, name: string): string {
  const record = JSON.parse(host.lxc.facts.directories.get(name)!.record!) as { allocations: { idrange: string } };
  return record.allocations.idrange;
}

/** The ledger cannot write down what is about to be done (its disk is full) until this is called. */
function fullDisk(engine: Engine): { readonly met: () => boolean; readonly end: () => void } {
  const open = engine.ledger.intents.open.bind(engine.ledger.intents);
  let met = false;
  engine.ledger.intents.open = () => {
    met = true;
    throw new AppError('DISK_FULL');
  };
  return { met: () => met, end: () => (engine.ledger.intents.open = open) };
}

test('what could not be written down is written by the next try, and given back meanwhile', async () => {
  const released: string[] = [];
  const engine = await started(POOL + IMAGE, { released: async (what, value) => void released.push(`${what} ${value}`) });
  const disk = fullDisk(engine);
  const second = POOL.replace('name: fast', 'name: slow');
  engine.write('b.yaml', second);
  await engine.until(disk.met, 'the full disk');
  await engine.until(() => released.length > 0, 'the claim is given back');
  disk.end();
  engine.reconciler.look(FAST);
  const slow = FAST.replace('fast', 'slow') as RefKey;
  await engine.until(() => engine.ready(slow), 'the second pool');
  const row = engine.ledger.objects.all().find(({ ref }) => ref.name === 'slow')!;
  assert.equal(engine.ledger.allocations.of(row.uid).get('address'), engine.world.things.get(slow)!.address);
  assert.equal(released[0], `address ${engine.world.things.get(slow)!.address}`);
});

test('two instances never share their ids, and keep them over a restart of the daemon', async () => {
  const host = new MemoryHost();
  const options = { host, kinds };
  const engine = await started(real(), options);
  host.lxc.onChange((name) => engine.reconciler.look(key(name)));
  await engine.until(() => engine.control.status().settled, 'pool and image');
  const disk = fullDisk(engine);
  engine.write('a.yaml', real('web'));
  await engine.until(disk.met, 'the full disk');
  disk.end();
  engine.reconciler.look(key('web'));
  await engine.until(() => engine.ready(key('web')), 'web');
  engine.write('a.yaml', real('web', 'other'));
  await engine.until(() => engine.ready(key('other')), 'other');
  const ranges = [rangeOf(host, 'web'), rangeOf(host, 'other')];
  assert.notEqual(ranges[0], ranges[1]);
  await engine.reconciler.close();
  const next = await started(real('web', 'other'), { ...options, ledger: engine.ledger });
  await next.until(() => next.control.status().settled, 'nothing to do');
  assert.deepEqual([rangeOf(host, 'web'), rangeOf(host, 'other')], ranges);
});

test('ids that another daemon was faster to claim are not used, and nobody waits for that', async () => {
  const host = new MemoryHost();
  let theirs: string | undefined;
  const engine = await started(real(), {
    host,
    kinds,
    takenElsewhere: async () => () => new Set(theirs === undefined ? [] : [theirs]),
    allocated: async (what, value) => {
      if (what !== 'idrange') return;
      theirs ??= value;
      if (value === theirs) throw new AppError('CONFLICT', {}, { message: 'The ids are held by another daemon.' });
    },
  });
  host.lxc.onChange((name) => engine.reconciler.look(key(name)));
  await engine.until(() => engine.control.status().settled, 'pool and image');
  engine.write('a.yaml', real('web'));
  await engine.until(() => engine.ready(key('web')), 'web');
  assert.notEqual(rangeOf(host, 'web'), theirs);
});

test('a claim that cannot be made, and what is taken that cannot be read, hold up only the one that asks', async () => {
  for (const fault of ['claim', 'taken'] as const) {
    let faulty = false;
    const engine = await started(POOL + IMAGE + instance('web'), {
      allocated: async () => {
        if (faulty && fault === 'claim') throw new AppError('FILE_FAILED');
      },
      takenElsewhere: async () => () => {
        if (faulty && fault === 'taken') throw Object.assign(new Error('ENOENT: no such directory'), { code: 'ENOENT' });
        return new Set();
      },
    });
    await engine.until(() => engine.ready(WEB), 'web');
    faulty = true;
    engine.write('b.yaml', POOL.replace('name: fast', 'name: slow'));
    const slow = FAST.replace('fast', 'slow') as RefKey;
    await engine.until(() => engine.reconciler.tracker.objects.get(slow)?.plan?.unknown !== undefined, 'what is wrong is told');
    engine.world.things.get(WEB)!.running = false;
    engine.reconciler.look(WEB);
    await engine.until(() => engine.world.things.get(WEB)!.running, 'the restart of what has ended', 3000);
    faulty = false;
    await engine.until(() => engine.ready(slow), `the one that could not be made (${fault})`);
  }
});
