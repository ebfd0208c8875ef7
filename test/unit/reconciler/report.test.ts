// What a plan says besides its changes: what it is bound to when saved, expected downtimes, and that making it leaves no trace.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import { makeRef } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { PlanReport } from '../../../src/reconciler/control.ts';
import { downtimeOf } from '../../../src/reconciler/downtime.ts';
import { movedSince } from '../../../src/reconciler/saved-plan.ts';
import type { IntentRow, Ledger } from '../../../src/state/ledger.ts';
import { Engine, IMAGE, instance, POOL, WEB } from '../../fakes/engine.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.reconciler.close();
});

async function converged(text: string, options: ConstructorParameters<typeof Engine>[0] = {}): Promise<Engine> {
  const engine = new Engine(options);
  engines.push(engine);
  engine.source.files.set('a.yaml', text);
  await engine.reconciler.start();
  await engine.until(() => engine.control.status().settled, 'convergence');
  return engine;
}

function given(text: string): { path: string; text: string }[] {
  return [{ path: 'given.yaml', text }];
}

const isStale = (sentence: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === 'PLAN_STALE' && sentence.test(error.message);

describe('a saved plan', () => {
  test('holds while nothing moved, and is put into effect as it is', async () => {
    const engine = await converged(instance('web') + POOL + IMAGE);
    const files = given(instance('new'));
    const saved = await engine.control.plan(files);
    assert.deepEqual(saved.objects, (await engine.control.plan(files)).objects);
    engine.world.applied.length = 0;
    await engine.control.apply(files, { actor: 'test', plan: saved.objects });
    await engine.until(() => engine.ready('Instance/default/-/new'));
    assert.deepEqual(engine.world.applied, ['create Instance/default/-/new', 'start Instance/default/-/new']);
  });

  test('is refused when what is declared for one of its objects has moved, and nothing is stored', async () => {
    const engine = await converged(instance('web') + POOL + IMAGE);
    await engine.control.apply(given(instance('new')), { actor: 'test' });
    await engine.until(() => engine.ready('Instance/default/-/new'));
    const saved = await engine.control.plan(given(instance('new', 'b')));
    const documents = JSON.stringify(engine.ledger.documents.all());
    await assert.rejects(
      engine.control.apply(given(instance('new', 'c')), { actor: 'test', plan: saved.objects }),
      isStale(/What is declared for Instance "new" has changed\./),
    );
    assert.equal(JSON.stringify(engine.ledger.documents.all()), documents);
  });

  test('is refused when the host has moved, and names the object', async () => {
    const engine = await converged(instance('web') + POOL + IMAGE);
    await engine.control.apply(given(instance('new')), { actor: 'test' });
    await engine.until(() => engine.ready('Instance/default/-/new'));
    const files = given(instance('new', 'b'));
    const saved = await engine.control.plan(files);
    await engine.reconciler.close();
    engine.world.things.delete('Instance/default/-/new' as never);
    await assert.rejects(
      engine.control.apply(files, { actor: 'test', plan: saved.objects }),
      isStale(/The actual state of Instance "new" has changed\./),
    );
    engine.world.things.clear();
    await assert.rejects(engine.control.sync(undefined, 'test', saved.objects), isStale(/^The saved plan/));
  });

  test('is not bound to what changes with or without its files', async () => {
    const engine = await converged(instance('web') + POOL + IMAGE);
    await engine.reconciler.close();
    engine.world.things.get(WEB)!.value = 'drifted';
    const files = given(instance('new'));
    const saved = await engine.control.plan(files);
    assert.deepEqual(
      saved.changes.map((one) => [one.ref.name, one.pending]),
      [
        ['new', undefined],
        ['new', undefined],
        ['web', true],
      ],
    );
    assert.deepEqual(saved.counts, { create: 1, change: 0, restart: 0, recreate: 0, delete: 0, unchanged: 1 });
    engine.world.things.get(WEB)!.value = 'a';
    await engine.control.apply(files, { actor: 'test', plan: saved.objects });
  });

  test('says of each object what moved', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => makeRef('Instance', name));
    const saved = [
      { ref: a!, desired: '1', changes: 'x' },
      { ref: b!, desired: '1', changes: 'x' },
      { ref: c!, desired: '1', changes: 'x' },
    ];
    const now = [
      { ref: a!, desired: '2', changes: 'x' },
      { ref: b!, desired: '1', changes: 'y' },
      { ref: d!, desired: '1', changes: 'x' },
    ];
    assert.deepEqual(movedSince(saved, now), [
      'What is declared for Instance "a" has changed.',
      'The actual state of Instance "b" has changed.',
      'Instance "c" has nothing left to change: it was changed meanwhile, or is as declared.',
      'Instance "d" would be changed too.',
    ]);
    assert.deepEqual(movedSince(saved, saved), []);
  });
});

const FOUNDATION = `apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: fast }
spec: { driver: btrfs, config: { size: 4GiB } }
---
apiVersion: lockstep/v1
kind: Network
metadata: { name: lan }
spec: { type: bridge }
---
${IMAGE}apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec: { devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }
---
`;

function web(name = 'web', config = ''): string {
  return `apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: ${name} }\nspec: { image: busybox, config: { ${config} } }\n---\n`;
}

/** Everything the ledger holds. */
function dump(ledger: Ledger): string {
  const { objects, allocations, documents, tombstones, confirmations, intents, audit } = ledger;
  const uids = objects.all().map(({ uid }) => uid);
  return JSON.stringify([
    objects.all(),
    allocations.all(),
    documents.all(),
    tombstones.all(),
    confirmations.all(),
    intents.openIntents(),
    uids.map((uid) => intents.history(uid, 1000)),
    audit.latest(1000),
  ]);
}

describe('planning manifests that are not applied', () => {
  test('leaves no trace in the ledger or on the host, also of a whole source with prune', async () => {
    const host = new MemoryHost();
    const engine = await converged(FOUNDATION + web(), { host, kinds });
    await engine.control.apply(given(web('stored')), { actor: 'test', source: 'team' });
    await engine.until(() => engine.ready('Instance/default/-/stored'));
    await engine.idle();
    // Closed: whatever is written from here on, planning has written.
    await engine.reconciler.close();
    let writes = 0;
    const transaction = engine.ledger.transaction.bind(engine.ledger);
    engine.ledger.transaction = (work) => {
      writes++;
      return transaction(work);
    };
    const facts = () => JSON.stringify([[...host.lxc.facts.monitors.keys()], [...host.storage.facts.mounts]]);
    const before = [dump(engine.ledger), facts(), engine.events.length] as const;
    const added = await engine.control.plan(given(web('new') + web('web2')));
    assert.equal(added.counts.create, 2);
    const pruned = await engine.control.plan(given(web('other')), { source: 'team', replace: true });
    assert.deepEqual(
      pruned.changes.filter(({ verdict }) => verdict === 'delete').map(({ ref }) => ref.name),
      ['stored'],
    );
    assert.deepEqual([dump(engine.ledger), facts(), engine.events.length], before);
    assert.equal(writes, 0);
  });

  test('twice gives the same hash, deletions included', async () => {
    const engine = await converged(FOUNDATION + web(), { host: new MemoryHost(), kinds });
    await engine.control.apply(given(web('stored')), { actor: 'test', source: 'team' });
    await engine.until(() => engine.ready('Instance/default/-/stored'));
    await engine.idle();
    const once = (): Promise<PlanReport> => engine.control.plan(given(web('other')), { source: 'team', replace: true });
    const first = await once();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await once()).hash, first.hash);
  });

  test('never shows a secret', async () => {
    const engine = await converged(FOUNDATION + web('web', 'environment.TOKEN: hunter2'), { host: new MemoryHost(), kinds });
    const report = await engine.control.plan(given(web('new', 'environment.TOKEN: hunter3, cloud-init.user-data: hunter4')));
    assert.ok(!JSON.stringify(report).includes('hunter'));
    assert.ok(report.changes.some(({ fields }) => fields.some(({ field, secret }) => field === 'config.environment.TOKEN' && secret)));
  });
});

describe('the expected downtime', () => {
  const RESTART = { verdict: 'restart', summary: 'x', fields: [], shutdownLimitMs: 30_000 } as const;
  let id = 0;
  const row = (name: string, verdict: string, openedAt: number, closedAt: number | null, outcome: string | null): IntentRow => ({
    id: ++id,
    uid: 'u',
    ref: WEB,
    change: JSON.stringify({ do: name, verdict, summary: '', fields: [] }),
    openedAt,
    closedAt,
    outcome,
    revision: '',
  });
  const restart = (at: number, took: number): IntentRow[] => [
    row('configure', 'live', at, at + 50, 'done'),
    row('shutdown', 'restart', at, at + 60, 'waiting'),
    row('start', 'power', at, at + 61, 'not-started'),
    row('start', 'power', at + took - 300, at + 50 + took, 'done'),
  ];

  test('is what the last restarts took, from the shutdown to the end of the start', () => {
    const intents = [...restart(1000, 1200), ...restart(100_000, 1400), ...restart(200_000, 9000)];
    const found = downtimeOf(RESTART, intents.toReversed());
    assert.deepEqual([found?.expectedDowntimeMs, found?.downtimeFrom], [1400, 'restarts']);
    assert.equal(found?.downtime, 'about 1.4 s, as its last 3 restarts took; its shutdown may take 30 s at most');
  });

  test('is that of its start, and its shutdown timeout, when it was never restarted', () => {
    const found = downtimeOf(RESTART, [row('create', 'create', 0, 5000, 'done'), row('start', 'power', 0, 5800, 'done')]);
    assert.deepEqual([found?.expectedDowntimeMs, found?.downtimeFrom], [800, 'start']);
    assert.equal(found?.downtime, 'about 0.8 s for its start, as the last time, and its shutdown, 30 s at most');
  });

  test('of a replacement is what the last replacements took, not the restarts', () => {
    const replaced = [row('shutdown', 'recreate', 500_000, 500_010, 'waiting'), row('start', 'power', 505_000, 506_000, 'done')];
    const found = downtimeOf({ ...RESTART, verdict: 'recreate' }, [...restart(1000, 1200), ...replaced]);
    assert.deepEqual([found?.expectedDowntimeMs, found?.downtimeFrom], [6000, 'restarts']);
    assert.match(found?.downtime ?? '', /^about 6\.0 s, as its last replacement took;/);
  });

  test('does not take a stop that was asked for as a restart', () => {
    const stopped = [row('shutdown', 'power', 0, 10, 'waiting'), row('start', 'power', 3_600_000, 3_600_500, 'done')];
    assert.deepEqual(downtimeOf(RESTART, stopped)?.expectedDowntimeMs, 500);
  });

  test('has only the limit when nothing was timed, and is not there for what takes nothing down', () => {
    const found = downtimeOf(RESTART, [row('start', 'power', 0, null, null), row('start', 'power', 0, 9, 'LXC_FAILED')]);
    assert.deepEqual(found, { downtime: 'its start, and its shutdown, 30 s at most; it was never timed', downtimeFrom: 'limit' });
    assert.equal(downtimeOf({ verdict: 'live', summary: 'x', fields: [] }, []), undefined);
  });
});

describe('deletions in a plan', () => {
  const many = (count: number): string =>
    POOL + IMAGE + Array.from({ length: count }, (_, at) => instance(`web${at}`)).join('') + instance('kept');

  test('that will wait for a confirmation say so beforehand, and nothing is asked or remembered', async () => {
    const engine = await converged(many(5));
    const plan = async (): Promise<PlanReport> =>
      await engine.control.plan([{ path: 'a.yaml', text: POOL + IMAGE + instance('kept') }], { source: 'dir', replace: true });
    const report = await plan();
    assert.equal(report.counts.delete, 5);
    assert.deepEqual(
      report.confirmations.map(({ source, objects, protected: kept, command }) => [source, objects.map(({ name }) => name), kept, command]),
      [['dir', ['web0', 'web1', 'web2', 'web3', 'web4'], [], 'lockstep confirm dir']],
    );
    assert.match(report.confirmations[0]!.reason, /5 objects of the source "dir" would be deleted; the limit is 3\./);
    assert.ok(report.changes.every(({ waitsFor }) => waitsFor === 'a confirmation (lockstep confirm dir)'));
    assert.deepEqual(await plan(), report);
    assert.deepEqual(engine.ledger.confirmations.all(), []);
    assert.deepEqual(engine.control.status().confirmations, []);

    // What was foreseen is what is asked.
    engine.write('a.yaml', POOL + IMAGE + instance('kept'));
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    const [asked] = engine.control.status().confirmations;
    assert.deepEqual([asked!.objects, asked!.reason], [report.confirmations[0]!.objects, report.confirmations[0]!.reason]);
    assert.deepEqual((await engine.control.plan()).confirmations, report.confirmations, 'also in a plan of what is declared by then');
  });

  test('within the limit need none', async () => {
    const engine = await converged(many(3));
    const report = await engine.control.plan([{ path: 'a.yaml', text: POOL + IMAGE + instance('kept') }], { source: 'dir', replace: true });
    assert.deepEqual([report.counts.delete, report.confirmations], [3, []]);
    assert.ok(report.changes.every(({ waitsFor }) => waitsFor === undefined));
  });

  test('of a source that would declare nothing always need one, and a stored source is its own word', async () => {
    const engine = await converged(instance('web') + POOL + IMAGE);
    const [asked] = (await engine.control.plan([], { source: 'dir', replace: true })).confirmations;
    assert.match(asked!.reason, /no longer declares anything: all 2 of its objects/);
    // One right after the other: a new stored source takes objects before it is read for the first time.
    for (const name of ['a', 'b', 'c', 'd', 'e']) await engine.control.apply(given(instance(name)), { actor: 'test', source: 'team' });
    await engine.until(() => engine.ready('Instance/default/-/e'));
    const report = await engine.control.plan([], { source: 'team', replace: true });
    assert.deepEqual([report.counts.delete, report.confirmations], [5, []]);
  });
});
