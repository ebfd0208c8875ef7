// Rolling restarts: the pure rule, and the engine with the real kinds over a host in memory.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { makeRef, type RefKey, refKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { AnyKind } from '../../../src/kinds/kind.ts';
import type { ObjectPlan } from '../../../src/reconciler/plan.ts';
import { limitOf, type Member, NO_ROLLOUT, type RolloutState, takeTurns } from '../../../src/reconciler/rollout.ts';
import { Rollouts } from '../../../src/reconciler/rollouts.ts';
import type { Tracked, Tracker } from '../../../src/reconciler/tracker.ts';
import type { MaxUnavailable } from '../../../src/schemas/kinds/update.ts';
import type { Ledger } from '../../../src/state/ledger.ts';
import { Engine, REAL_FOUNDATION } from '../../fakes/engine.ts';
import { desiredOf, recordedOf } from '../../fakes/engine-input.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

function planned(name: string, max: MaxUnavailable = { percent: 10 }, verdicts = ['live', 'restart', 'power']): ObjectPlan {
  const ref = makeRef('Instance', name);
  const kind = {
    describe: (change: { do: string }) => ({ verdict: change.do, summary: '', fields: [] }),
    maxUnavailable: () => max,
  } as unknown as AnyKind;
  return {
    key: refKey(ref),
    ref,
    kind,
    recorded: recordedOf(ref),
    desired: desiredOf(ref, { value: '' }),
    steps: verdicts.map((verdict) => ({ change: { do: verdict } })),
    held: [],
    waitsFor: undefined,
    againAt: undefined,
    allocations: [],
    unknown: undefined,
    readiness: undefined,
    gone: false,
    drift: [],
    left: [],
    fights: new Map(),
  };
}

function member(name: string, state: Member['state'], batch = 'dir@r1'): [RefKey, Member] {
  const ref = makeRef('Instance', name);
  return [refKey(ref), { key: refKey(ref), ref, batch, state }];
}

function turns(plans: readonly ObjectPlan[], state: Partial<RolloutState> = {}): string[] {
  return takeTurns(plans, { ...NO_ROLLOUT, ...state }, (plan) => plan).map(
    ({ ref, steps, waitsFor }) =>
      `${ref.name}: ${steps.map(({ change }) => change.do).join(' ')}${waitsFor === undefined ? '' : ` (${waitsFor})`}`,
  );
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `c${String(index).padStart(2, '0')}`);

describe('whose turn it is', () => {
  it('one of ten, in order of name; the others get what is live at once', () => {
    assert.deepEqual(turns(names(3).map((name) => planned(name))), [
      'c00: live restart power',
      'c01: live (its turn: 1 of 3 at a time, c00 is first)',
      'c02: live (its turn: 1 of 3 at a time, c00 is first)',
    ]);
    assert.equal(turns(names(100).map((name) => planned(name))).filter((text) => !text.includes('(')).length, 10);
  });

  it('counts all that the batch touches, also those that are done or not looked at now', () => {
    const done = names(50).map((name) => member(name, 'up'));
    const waiting = new Map(
      names(90)
        .slice(60)
        .map((name) => [refKey(makeRef('Instance', name)), 'dir@r1'] as const),
    );
    const plans = ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9'].map((name) => planned(name));
    // 50 and 30 and 9 of them: 8 at a time.
    assert.equal(turns(plans, { members: new Map(done), waiting }).filter((text) => !text.includes('(')).length, 8);
  });

  it('comes when the one before is back, and never while one has failed', () => {
    const wait = turns([planned('b')], { members: new Map([member('a', 'down')]) });
    assert.deepEqual(wait, ['b: live (its turn: 1 of 2 at a time, a is being changed)']);
    assert.deepEqual(turns([planned('b')], { members: new Map([member('a', 'up')]) }), ['b: live restart power']);
    const failed = turns([planned('b', { count: 5 })], { members: new Map([member('a', 'failed')]) });
    assert.deepEqual(failed, ['b: live (its turn: a is not Ready after the same change)']);
  });

  it('is not held up by another source, nor by what failed before this revision', () => {
    const others = new Map([member('a', 'down', 'other@r1'), member('x', 'failed', 'dir@r0')]);
    assert.deepEqual(turns([planned('b')], { members: others }), ['b: live restart power']);
    const before = new Map([member('a', 'down', 'dir@r0')]);
    assert.match(turns([planned('b')], { members: before })[0]!, /a is being changed/);
    assert.deepEqual(turns([planned('a')], { members: before }), ['a: live restart power'], 'but not for itself');
  });

  it('is not needed by what is down already, starts, or changes live', () => {
    const down = new Map([member('a', 'down'), member('b', 'down')]);
    assert.deepEqual(turns([planned('a', undefined, ['recreate', 'recreate', 'power'])], { members: down }), [
      'a: recreate recreate power',
    ]);
    assert.deepEqual(turns([planned('c', undefined, ['live', 'power'])], { members: down }), ['c: live power']);
  });

  it('takes a number or a share, at least one', () => {
    assert.deepEqual([limitOf({ percent: 10 }, 9), limitOf({ percent: 10 }, 29), limitOf({ percent: 100 }, 7)], [1, 2, 7]);
    assert.equal(limitOf({ count: 3 }, 1), 3);
  });
});

describe('who waits for a turn', () => {
  const ready = { ready: true, reason: 'Running', message: '' } as const;
  /** Three objects of one source, the first of which a former revision has changed. */
  function begun(): { rollouts: Rollouts; tracked: (name: string) => Tracked } {
    const objects = new Map<RefKey, Tracked>();
    for (const name of ['a', 'b', 'c']) {
      const plan = planned(name, undefined, []);
      const { desired, recorded, ref, key } = plan;
      objects.set(key, { key, ref, desired, recorded, plan, running: false, failures: 0, readiness: ready } as unknown as Tracked);
    }
    const rollouts = new Rollouts({ objects } as unknown as Tracker, kinds);
    const tracked = (name: string): Tracked => objects.get(refKey(makeRef('Instance', name)))!;
    const changing = tracked('b');
    changing.plan = planned('b', undefined, ['restart']);
    changing.readiness = undefined;
    rollouts.settle(changing, 1);
    changing.plan = planned('b', undefined, []);
    return { rollouts, tracked };
  }
  function wait(one: Tracked): void {
    one.plan = { ...planned(one.ref.name, undefined, []), heldBy: 'WaitingForTurn' };
  }

  it('is looked at when one is back, whoever of them is settled first', () => {
    const { rollouts, tracked } = begun();
    const [a, b, c] = ['a', 'b', 'c'].map(tracked) as [Tracked, Tracked, Tracked];
    assert.equal(rollouts.state(2).members.get(b.key)?.state, 'down');
    for (const one of [a, c]) wait(one);
    assert.deepEqual(rollouts.settle(a, 2), []);
    b.readiness = ready;
    assert.deepEqual(rollouts.settle(b, 2), [a.key], 'that is known to wait');
    assert.deepEqual(rollouts.settle(c, 2), [c.key], 'that was planned with it and not heard of before');
    rollouts.state(3);
    assert.deepEqual(rollouts.settle(c, 3), [], 'once');
  });

  it('is looked at when one that was only changed live has come to its end', () => {
    const { rollouts, tracked } = begun();
    const [a, b] = ['a', 'b'].map(tracked) as [Tracked, Tracked];
    rollouts.state(2);
    b.readiness = ready;
    rollouts.settle(b, 2);
    b.running = true;
    assert.equal(rollouts.state(3).members.get(b.key)?.state, 'down');
    wait(a);
    assert.deepEqual(rollouts.settle(a, 3), []);
    b.running = false;
    assert.deepEqual(rollouts.settle(b, 4), [a.key]);
  });
});

function profile(config: string): string {
  return `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: default }\nspec: { config: { ${config} }, devices: { root: { type: disk, path: /, pool: fast } } }\n---\n`;
}

function instances(count: number, update = ''): string {
  return names(count)
    .map((name) => `apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: ${name} }\nspec: { image: busybox${update} }\n---\n`)
    .join('');
}

/** Of the running test, so that one that fails ends. */
const engines: Engine[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map(async (engine) => await engine.reconciler.close()));
});

/** `most`: how many were down at the same time at the worst. */
interface Watched {
  readonly engine: Engine;
  most: number;
  readonly started: string[];
}

async function run(files: Record<string, string>, host: MemoryHost, count: number, ledger?: Ledger): Promise<Watched> {
  const engine = new Engine({ host, kinds, ...(ledger ? { ledger } : {}) });
  engines.push(engine);
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  const watched: Watched = { engine, most: 0, started: [] };
  host.lxc.onChange((name) => {
    watched.most = Math.max(watched.most, count - host.lxc.facts.monitors.size);
    if (host.lxc.facts.monitors.has(name)) watched.started.push(name);
    engine.reconciler.look(`Instance/default/-/${name}` as never);
  });
  await engine.reconciler.start();
  return watched;
}

async function settled({ engine }: Watched, what: string): Promise<void> {
  await engine.until(() => engine.control.status().settled, what);
}

const NESTING = 'security.nesting: "true"';

describe('a profile edit', () => {
  it('restarts one of ten at a time, each Ready before the next, in order', async () => {
    const host = new MemoryHost();
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(10) }, host, 10);
    await settled(watched, 'convergence');
    watched.most = 0;
    watched.started.length = 0;
    watched.engine.write('p.yaml', profile(`${NESTING}, limits.processes: "99"`));
    await watched.engine.until(() => watched.started.length === 10 && watched.engine.control.status().settled, 'the roll-out');
    assert.equal(watched.most, 1);
    assert.deepEqual(watched.started, names(10));
    await watched.engine.reconciler.close();
  });

  it('says whose turn it is, in the plan and in the status', async () => {
    const host = new MemoryHost();
    host.lxc.stubborn.add('c00');
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(3) }, host, 3);
    await settled(watched, 'convergence');
    watched.engine.write('p.yaml', profile(`${NESTING}, limits.processes: "99"`));
    const web = () => watched.engine.control.status().objects.find(({ ref }) => ref.name === 'c01')!;
    await watched.engine.until(() => /WaitingForTurn/.test(web().summary), 'the waiting');
    assert.match(web().summary, /It waits for its turn: 1 of 3 at a time, c00 is being changed\./);
    assert.equal(host.lxc.facts.monitors.get('c02')?.cgroup.get('pids.max'), '99', 'what is live is there at once');
    const { changes } = await watched.engine.control.plan();
    const waits = changes.filter(({ ref, change }) => ref.name === 'c01' && change === 'shutdown').map(({ waitsFor }) => waitsFor);
    assert.deepEqual(waits, ['its turn: 1 of 3 at a time, c00 is being changed']);
    await watched.engine.reconciler.close();
  });

  it('is not held up by those that were changed by a revision before, and are back', async () => {
    const host = new MemoryHost();
    // Their configuration says nothing of the image: what is done first takes them down already.
    const image = (name: string, build: string): string =>
      `apiVersion: lockstep/v1\nkind: Image\nmetadata: { name: ${name} }\nspec: { source: { build: ${build} } }\n---\n`;
    const foundation = REAL_FOUNDATION + image('other', '{ type: debian, release: bookworm }');
    const from = (name: string): string => instances(3, ', update: { recreate: Auto }').replaceAll('image: busybox', `image: ${name}`);
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': foundation, 'b.yaml': from('busybox') }, host, 3);
    await settled(watched, 'convergence');
    for (const name of ['other', 'busybox', 'other']) {
      watched.started.length = 0;
      watched.most = 0;
      watched.engine.write('b.yaml', from(name));
      await watched.engine.until(() => watched.started.length === 3 && watched.engine.control.status().settled, `a roll-out to ${name}`);
      assert.equal(watched.most, 1);
      assert.deepEqual(watched.started, names(3));
    }
    await watched.engine.reconciler.close();
  });

  it('is not held up by one that is not declared any more, and stays', async () => {
    const host = new MemoryHost();
    const slow = (name: string, more = ''): string =>
      `apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: ${name} }\nspec: { image: busybox, config: { boot.host_shutdown_timeout: "600"${more} } }\n---\n`;
    const rest = slow('c01') + slow('c02');
    const first = slow('c00', ', security.protection.delete: "true"');
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + rest, 'b.yaml': first }, host, 3);
    const { engine } = watched;
    await settled(watched, 'convergence');
    watched.started.length = 0;
    host.lxc.stubborn.add('c00');
    engine.write('p.yaml', profile(NESTING));
    await engine.until(() => host.lxc.calls.some(({ method }) => method === 'shutdown'), 'the first of three goes down');
    await engine.idle();
    engine.remove('b.yaml');
    await engine.until(() => watched.started.length === 2, 'the others');
    assert.deepEqual(watched.started, ['c01', 'c02']);
  });

  it('takes as many as it is told', async () => {
    const host = new MemoryHost();
    const update = ', update: { maxUnavailable: 50% }';
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(10, update) }, host, 10);
    await settled(watched, 'convergence');
    watched.most = 0;
    watched.started.length = 0;
    watched.engine.write('p.yaml', profile(NESTING));
    await watched.engine.until(() => watched.started.length === 10 && watched.engine.control.status().settled, 'the roll-out');
    assert.ok(watched.most > 1 && watched.most <= 5, String(watched.most));
    await watched.engine.reconciler.close();
  });

  it('stops at one that fails: the others run on as they are, other work goes on, and a better revision goes on', async () => {
    const host = new MemoryHost();
    const watched = await run({ 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(5) }, host, 5);
    await settled(watched, 'convergence');
    const { engine } = watched;
    const pids = new Map([...host.lxc.facts.monitors].map(([name, { initPid }]) => [name, initPid]));
    host.lxc.failingStarts.set('c01', 'no reason');
    engine.write('p.yaml', profile(NESTING));
    await engine.until(() => engine.events.some(({ message }) => /c01.*could not start/.test(message)), 'the failure');
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const name of ['c02', 'c03', 'c04']) assert.equal(host.lxc.facts.monitors.get(name)?.initPid, pids.get(name), name);
    const c04 = engine.control.status().objects.find(({ ref }) => ref.name === 'c04')!;
    assert.match(c04.summary, /c01 is not Ready after the same change/);
    // Other work is not held up: a new instance is made and started, by a new revision that still does not mend c01.
    engine.write('b.yaml', instances(6).split('---').at(5));
    await engine.until(() => host.lxc.facts.monitors.has('c05'), 'the new instance');
    host.lxc.failingStarts.clear();
    engine.write('p.yaml', profile(`${NESTING}, user.note: mended`));
    await settled(watched, 'the rest of the roll-out');
    for (const name of ['c02', 'c03', 'c04']) assert.notEqual(host.lxc.facts.monitors.get(name)?.initPid, pids.get(name), name);
    await engine.reconciler.close();
  });

  it('goes on where it was after the daemon was killed, still one at a time', async () => {
    const host = new MemoryHost();
    const before = { 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(6) };
    const after = { ...before, 'p.yaml': profile(NESTING) };
    let watched = await run(before, host, 6);
    await settled(watched, 'convergence');
    await watched.engine.reconciler.close();
    const restarted: string[] = [];
    for (let round = 0; restarted.length < 6; round++) {
      assert.ok(round < 20, 'it does not end');
      watched = await run(after, host, 6, watched.engine.ledger);
      const { engine, started } = watched;
      await engine.until(() => started.length >= 1 || engine.control.status().settled, 'the next one');
      await engine.reconciler.close();
      restarted.push(...started);
      assert.ok(watched.most <= 1, `${watched.most} down at the same time`);
    }
    assert.deepEqual(
      restarted.toSorted((a, b) => (a < b ? -1 : 1)),
      names(6),
    );
  });

  it('stops at one that was failing when the daemon was killed', async () => {
    const host = new MemoryHost();
    const before = { 'p.yaml': profile(''), 'a.yaml': REAL_FOUNDATION + instances(4) };
    const after = { ...before, 'p.yaml': profile(NESTING) };
    const first = await run(before, host, 4);
    await settled(first, 'convergence');
    host.lxc.failingStarts.set('c00', 'no reason');
    first.engine.write('p.yaml', profile(NESTING));
    await first.engine.until(() => first.engine.events.some(({ message }) => /c00.*could not start/.test(message)), 'the failure');
    await first.engine.reconciler.close();
    const second = await run(after, host, 4, first.engine.ledger);
    await second.engine.until(() => second.engine.events.some(({ message }) => /c00.*could not start/.test(message)), 'the failure again');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(second.started, []);
    assert.equal(host.lxc.facts.monitors.size, 3);
    await second.engine.reconciler.close();
  });
});
