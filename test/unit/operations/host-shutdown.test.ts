import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { AppError } from '../../../src/core/errors.ts';
import type { NewEvent } from '../../../src/core/events.ts';
import { HostShutdown, type HostShutdownDeps } from '../../../src/operations/host-shutdown.ts';
import { MemoryLxc } from '../../fakes/memory-lxc.ts';

let lxc: MemoryLxc;
let events: NewEvent[];
let drained: boolean[];
let audited: string[];
let stops: Map<string, { priority: number; timeoutMs: number }>;

async function running(name: string, priority = 0, timeoutMs = 1000): Promise<void> {
  stops.set(name, { priority, timeoutMs });
  await lxc.define(name, { config: `lxc.uts.name = ${name}\n`, record: '{}\n' });
  await lxc.start(name, AbortSignal.timeout(1000));
}

function shutdown(more: Partial<HostShutdownDeps> = {}): HostShutdown {
  return new HostShutdown({
    lxc,
    clock: systemClock,
    events: { emit: (event) => void events.push(event) },
    stopOf: ({ name }) => stops.get(name)!,
    drain: async (on) => void drained.push(on),
    audit: ({ action, actor }) => void audited.push(`${action} by ${actor}`),
    ...more,
  });
}

function called(method: string): (string | undefined)[] {
  return lxc.calls.filter((call) => call.method === method).map((call) => call.name);
}

async function down(name: string): Promise<boolean> {
  return (await lxc.list()).get(name)?.power === 'Stopped';
}

describe('a shutdown of the host', () => {
  beforeEach(() => {
    lxc = new MemoryLxc();
    events = [];
    drained = [];
    audited = [];
    stops = new Map();
  });

  it('stops higher priorities first, and one priority only when the one before is down', async () => {
    await running('low', -5);
    await running('high', 7);
    await running('middle');
    lxc.stubborn.add('high');
    stops.set('high', { priority: 7, timeoutMs: 80 });
    const { instances } = await shutdown().start('uid:0');
    assert.deepEqual(
      instances.map(({ name, priority, outcome }) => ({ name, priority, outcome })),
      [
        { name: 'high', priority: 7, outcome: 'killed' },
        { name: 'middle', priority: 0, outcome: 'stopped' },
        { name: 'low', priority: -5, outcome: 'stopped' },
      ],
    );
    const order = lxc.calls
      .filter(({ method }) => method === 'shutdown' || method === 'kill')
      .map(({ method, name }) => `${method} ${name}`);
    assert.deepEqual(order, ['shutdown high', 'kill high', 'shutdown middle', 'shutdown low']);
    assert.ok(instances[0]!.durationMs >= 75, 'it was given its time');
  });

  it('stops those of one priority together', async () => {
    for (const name of ['a', 'b', 'c']) {
      await running(name, 0, 150);
      lxc.stubborn.add(name);
    }
    const began = performance.now();
    await shutdown().start('uid:0');
    assert.ok(performance.now() - began < 400);
    for (const name of ['a', 'b', 'c']) assert.ok(await down(name));
  });

  it('tells the reconciler first, and writes down who asked', async () => {
    await running('web');
    await shutdown({
      drain: async (on) => {
        assert.deepEqual(called('shutdown'), [], 'nothing is stopped before');
        drained.push(on);
      },
    }).start('uid:0');
    assert.deepEqual(drained, [true]);
    assert.deepEqual(audited, ['host-shutdown by uid:0']);
  });

  it('thaws what is frozen, for a frozen process gets no signal', async () => {
    await running('web');
    await lxc.freeze('web', AbortSignal.timeout(1000));
    await shutdown().start('uid:0');
    assert.deepEqual(called('unfreeze'), ['web']);
    assert.ok(await down('web'));
  });

  it('forgets the exit: the instance did not end by itself', async () => {
    await running('web');
    await shutdown().start('uid:0');
    assert.equal((await lxc.list()).get('web')?.exit, undefined);
  });

  it('kills at once what gets no time', async () => {
    await running('web', 0, 0);
    const { instances } = await shutdown().start('uid:0');
    assert.equal(instances[0]!.outcome, 'killed');
    assert.deepEqual(called('shutdown'), []);
  });

  it('kills what cannot be asked', async () => {
    await running('web', 0, 60);
    lxc.faults.set('shutdown', 'fail');
    const { instances } = await shutdown().start('uid:0');
    assert.equal(instances[0]!.outcome, 'killed');
  });

  it('goes on with the others when one cannot be stopped, and says so', async () => {
    await running('stuck', 1, 50);
    await running('web');
    lxc.stubborn.add('stuck');
    lxc.faults.set('kill', new AppError('LXC_FAILED', {}, { message: 'It hangs in the kernel.' }));
    const { instances } = await shutdown().start('uid:0');
    assert.deepEqual(
      instances.map(({ name, outcome }) => `${name} ${outcome}`),
      ['stuck failed', 'web stopped'],
    );
    assert.match(instances[0]!.error ?? '', /hangs in the kernel/);
    assert.ok(events.some(({ severity, message }) => severity === 'warning' && message.includes('"stuck"')));
  });

  it('stops what came up meanwhile, too', async () => {
    await running('web', 5);
    lxc.onChange((name) => {
      if (name === 'web' && !stops.has('late')) void running('late', 9);
    });
    const { instances } = await shutdown().start('uid:0');
    assert.deepEqual(
      instances.map(({ name }) => name),
      ['web', 'late'],
    );
    assert.ok(await down('late'));
  });

  it('is done once when it is asked for twice', async () => {
    await running('web');
    const host = shutdown();
    const [first, second] = await Promise.all([host.start('uid:0'), host.start('uid:1')]);
    assert.deepEqual(first, second);
    assert.deepEqual(called('shutdown'), ['web']);
    assert.deepEqual(await host.start('uid:0'), { instances: [] });
  });

  it('can be called off: the rest is left running and the reconciler goes back to work', async () => {
    await running('first', 1, 60_000);
    await running('second');
    lxc.stubborn.add('first');
    const host = shutdown();
    const refused = assert.rejects(host.start('uid:0'), { code: 'CANCELLED' });
    while (called('shutdown').length === 0) await systemClock.sleep(5);
    await host.cancel('uid:0');
    await refused;
    assert.deepEqual(drained, [true, false]);
    assert.deepEqual(called('kill'), []);
    assert.equal(await down('second'), false);
    assert.equal(events.at(-1)?.reason, 'HostStaysUp');
  });
});
