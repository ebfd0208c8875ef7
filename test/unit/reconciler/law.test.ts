// The law, with the real kinds over a host in memory: apply, observe, plan again, and it is empty; interrupted at any boundary, a new
// daemon on the same ledger and host still ends there, and leaves nothing behind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Explainer } from '../../../src/reconciler/explain.ts';
import type { Boundary } from '../../../src/reconciler/fault.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { Ledger } from '../../../src/state/ledger.ts';
import { Engine } from '../../fakes/engine.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

class Killed extends Error {}

const FOUNDATION = `
apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: fast }
spec: { driver: btrfs, config: { size: 4GiB } }
---
apiVersion: lockstep/v1
kind: Network
metadata: { name: lan }
spec: { type: bridge, config: { ipv4.address: 10.20.0.1/24, ipv4.nat: "true" } }
---
apiVersion: lockstep/v1
kind: Image
metadata: { name: busybox }
spec: { source: { build: { type: busybox } } }
---
apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec: { devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }
---
`;

function web(config = 'limits.memory: 64MiB', state = 'Running'): string {
  return `
apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec: { image: busybox, state: ${state}, config: { ${config} } }
---
`;
}

interface Stage {
  readonly host: MemoryHost;
  readonly ledger?: Ledger;
}

async function run(files: Record<string, string>, stage: Stage, boundary?: Boundary): Promise<Engine> {
  const engine = new Engine({
    host: stage.host,
    kinds,
    ...(stage.ledger ? { ledger: stage.ledger } : {}),
    ...(boundary ? { boundary } : {}),
  });
  for (const [path, text] of Object.entries(files)) engine.source.files.set(path, text);
  stage.host.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as never));
  // Killed amid its first round already.
  await engine.reconciler.start().catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  return engine;
}

async function settled(engine: Engine, what: string): Promise<void> {
  await engine.until(() => engine.control.status().settled, what);
}

/** From `before` to `after`, killed at each boundary in turn; returns how many boundaries there were. */
async function everyBoundary(
  before: Record<string, string> | undefined,
  after: Record<string, string>,
  check: (engine: Engine, host: MemoryHost) => void,
  begun: (engine: Engine) => void = () => undefined,
): Promise<number> {
  for (let killAt = 1; ; killAt++) {
    const stage: { host: MemoryHost; ledger?: Ledger } = { host: new MemoryHost() };
    if (before !== undefined) {
      const first = await run(before, stage);
      await settled(first, 'the start');
      begun(first);
      stage.ledger = first.ledger;
      await first.reconciler.close();
    }
    let count = 0;
    const killed = await run(after, stage, () => {
      if (++count >= killAt) throw new Killed();
    });
    await killed.until(() => count >= killAt || killed.control.status().settled, 'the kill');
    const died = count >= killAt;
    await killed.reconciler.close();
    if (!died) {
      check(killed, stage.host);
      return killAt - 1;
    }
    const next = await run(after, { host: stage.host, ledger: killed.ledger });
    await settled(next, `convergence after boundary ${killAt}`);
    assert.deepEqual((await next.control.plan()).changes, [], `plan after boundary ${killAt}`);
    check(next, stage.host);
    await next.reconciler.close();
  }
}

describe('the law, with real kinds', () => {
  test('one apply is enough: a plan of what was just applied is empty', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION + web() }, { host });
    await settled(engine, 'convergence');
    assert.deepEqual((await engine.control.plan()).changes, []);
    assert.deepEqual([...host.lxc.facts.monitors.keys()], ['web']);
    await engine.reconciler.close();
  });

  test('creating, interrupted at every boundary', { timeout: 60_000 }, async () => {
    const boundaries = await everyBoundary(undefined, { 'a.yaml': FOUNDATION + web() }, (engine) => {
      assert.ok(engine.ready('Instance/default/-/web'));
    });
    assert.ok(boundaries >= 20, `${boundaries} boundaries`);
  });

  test('a live change and a restart, interrupted at every boundary', { timeout: 60_000 }, async () => {
    const before = { 'a.yaml': FOUNDATION + web() };
    const live = await everyBoundary(before, { 'a.yaml': FOUNDATION + web('limits.memory: 96MiB') }, (engine) => {
      assert.ok(engine.ready('Instance/default/-/web'));
    });
    assert.ok(live >= 2, `${live} boundaries of a live change`);
    const restart = await everyBoundary(before, { 'a.yaml': FOUNDATION + web('security.nesting: "true"') }, (engine) => {
      assert.ok(engine.ready('Instance/default/-/web'));
    });
    assert.ok(restart >= 6, `${restart} boundaries of a restart`);
  });

  test('replug, interrupted at every boundary', { timeout: 60_000 }, async () => {
    const devices = (text: string): string => web().replace('image: busybox,', `image: busybox, devices: { ${text} },`);
    const zero = 'zero: { type: unix-char, source: /dev/zero, path: /dev/nought, major: "1", minor: "5" }';
    const before = devices(`${zero}, scratch: { type: disk, source: "tmpfs:", path: /scratch }`);
    const after = devices(
      `${zero.replace('nought', 'nil')}, cache: { type: disk, source: "tmpfs:", path: /cache }, eth0: { type: nic, network: lan, mtu: "1400" }`,
    );
    const places = (host: MemoryHost): string[] => {
      const { devices: has, monitorPid } = host.lxc.facts.monitors.get('web')!;
      assert.equal(monitorPid, 1000, 'it was not restarted');
      return [...has.inside].map(([place, text]) => `${place} ${text.replace(/^veth \S+/, 'veth')}`);
    };
    const boundaries = await everyBoundary({ 'a.yaml': FOUNDATION + before }, { 'a.yaml': FOUNDATION + after }, (engine, host) => {
      assert.ok(engine.ready('Instance/default/-/web'));
      const has = places(host).join('\n');
      for (const there of [/^\/cache tmpfs$/m, /^\/dev\/nil /m, /^eth0 veth \S+ \S+ 1400$/m]) assert.match(has, there);
      assert.doesNotMatch(has, /scratch|nought/);
      const { started, record } = host.lxc.facts.directories.get('web')!;
      assert.deepEqual(JSON.parse(started!), JSON.parse(record!), 'as if it had been started with it');
    });
    assert.ok(boundaries >= 16, `${boundaries} boundaries`);
  });

  test('a restart of ours is no exit that is backed off from', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION + web() }, { host });
    await settled(engine, 'convergence');
    const starts = (): number => engine.events.filter((event) => / start, because/.test(event.message)).length;
    engine.write('a.yaml', FOUNDATION + web('security.nesting: "true"'));
    await engine.until(() => starts() === 2 && engine.control.status().settled, 'the restart');
    assert.deepEqual(engine.reconciler.tracker.objects.get('Instance/default/-/web' as never)?.recorded.exits, []);
    await engine.reconciler.close();
  });

  test('deleting, interrupted at every boundary, leaves a tombstone and nothing else', { timeout: 60_000 }, async () => {
    const before = { 'a.yaml': FOUNDATION, 'b.yaml': web() };
    const boundaries = await everyBoundary(before, { 'a.yaml': FOUNDATION }, (engine) => {
      assert.equal(engine.reconciler.tracker.objects.has('Instance/default/-/web' as never), false);
      assert.equal(engine.ledger.tombstones.all().length, 1);
    });
    assert.ok(boundaries >= 6, `${boundaries} boundaries`);
  });

  test('a deletion that fails and is tried again has one tombstone; taken back half-way, its data comes back', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web() }, { host });
    await settled(engine, 'convergence');
    const volume = host.storage.volumesOf('fast').get('containers/web');
    host.lxc.faults.set('undefine', 'fail');
    engine.remove('b.yaml');
    const key = 'Instance/default/-/web' as never;
    await engine.until(() => (engine.reconciler.tracker.objects.get(key)?.failures ?? 0) >= 1, 'a failure');
    await engine.reconciler.sync();
    await engine.until(() => (engine.reconciler.tracker.objects.get(key)?.failures ?? 0) >= 2, 'another one');
    assert.equal(engine.ledger.tombstones.all().length, 1);
    host.lxc.faults.delete('undefine');
    engine.write('b.yaml', web());
    await settled(engine, 'the return');
    assert.equal(host.storage.volumesOf('fast').get('containers/web'), volume);
    assert.deepEqual(engine.ledger.tombstones.all(), []);
    assert.deepEqual(await host.storage.listTombstones('fast'), []);
    await engine.reconciler.close();
  });

  test('one that ends again and again is started at once when somebody asks for it', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION + web() }, { host });
    await settled(engine, 'convergence');
    const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'web' } as const;
    const summary = (): string => engine.control.status().objects.find((one) => one.ref.name === 'web')?.summary ?? '';
    for (let exits = 1; exits <= 4 && !summary().startsWith('RestartBackOff'); exits++) {
      host.lxc.crash('web');
      await engine.until(() => summary().startsWith('RestartBackOff') || host.lxc.facts.monitors.has('web'), `exit ${exits}`);
      await engine.idle();
    }
    assert.match(summary(), /^RestartBackOff/);
    await engine.control.tryAgain(ref, 'uid:0');
    await engine.until(() => host.lxc.facts.monitors.has('web'), 'the start', 500);
    await engine.reconciler.close();
  });

  test('a former root volume keeps the ids of its object, and is not what the object is brought back from', async () => {
    const host = new MemoryHost();
    const first = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web() }, { host });
    await settled(first, 'convergence');
    const { ledger } = first;
    const { uid, ref } = ledger.objects.all().find((row) => row.ref.kind === 'Instance')!;
    const former = { uid, ref, pool: 'fast', name: `${uid}.1`, why: 'replaced', object: 'null', buriedAt: 1, expiresAt: 1e15 } as const;
    ledger.tombstones.put(former);
    await first.reconciler.close();
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web() }, { host, ledger });
    await settled(engine, 'convergence');
    assert.deepEqual(ledger.tombstones.all(), [former]);
    assert.equal(engine.reconciler.tracker.objects.get('Instance/default/-/web' as never)?.recorded.tombstone, undefined);
    engine.remove('b.yaml');
    await engine.until(() => ledger.objects.get(ref) === undefined, 'the deletion');
    assert.equal(ledger.tombstones.of(uid).length, 2);
    const [, own] = ledger.tombstones.of(uid);
    ledger.tombstones.put({ ...own!, expiresAt: 1 });
    engine.reconciler.lookAtKind('StoragePool');
    await engine.until(() => ledger.tombstones.of(uid).length === 1, 'the purge');
    assert.equal(ledger.allocations.taken('idrange').size, 1, 'the other one still needs them');
    ledger.tombstones.put({ ...former, expiresAt: 1 });
    engine.reconciler.lookAtKind('StoragePool');
    await engine.until(() => ledger.tombstones.of(uid).length === 0, 'the purge of the last');
    assert.equal(ledger.allocations.taken('idrange').size, 0);
    await engine.reconciler.close();
  });

  test(
    'a recreate that was agreed to, interrupted at every boundary: same ids, old root buried, asked once',
    { timeout: 60_000 },
    async () => {
      const slow = FOUNDATION.replace(
        'kind: StoragePool',
        'kind: StoragePool\nmetadata: { name: slow }\nspec: { driver: dir }\n---\napiVersion: lockstep/v1\nkind: StoragePool',
      );
      const moved = web().replace('image: busybox,', 'image: busybox, devices: { root: { type: disk, path: /, pool: slow } },');
      const key = 'Instance/default/-/web' as never;
      for (let killAt = 1; ; killAt++) {
        const host = new MemoryHost();
        const first = await run({ 'a.yaml': slow + web() }, { host });
        await settled(first, 'the start');
        const { uid } = first.reconciler.tracker.objects.get(key)!.row;
        const allocations = new Map(first.ledger.allocations.of(uid));
        first.write('a.yaml', slow + moved);
        await first.until(() => first.control.status().confirmations.length === 1, 'the question');
        await first.idle();
        assert.match(first.control.status().objects.find(({ ref }) => ref.name === 'web')!.summary, /RecreateNeedsConfirm/);
        assert.deepEqual([...host.lxc.facts.monitors.keys()], ['web'], 'it runs on');
        await first.reconciler.close();

        let count = 0;
        let dying = false;
        const second = await run({ 'a.yaml': slow + moved }, { host, ledger: first.ledger }, () => {
          if (dying && ++count >= killAt) throw new Killed();
        });
        await second.idle();
        const [asked] = second.control.status().confirmations;
        assert.equal(asked?.action, 'recreate', 'it is asked across a restart');
        await assert.rejects(second.control.confirm('dir', '0'.repeat(64), { actor: 'uid:0' }), { code: 'CONFIRMATION_STALE' });
        dying = true;
        await second.control.confirm('dir', asked.hash, { actor: 'uid:0' });
        await second.until(() => count >= killAt || second.control.status().settled, 'the kill');
        const died = count >= killAt;
        await second.reconciler.close();
        const last = died ? await run({ 'a.yaml': slow + moved }, { host, ledger: first.ledger }) : second;
        if (died) await settled(last, `convergence after boundary ${killAt}`);
        assert.deepEqual(last.control.status().confirmations, []);
        assert.deepEqual(first.ledger.consents.all(), [], 'the word is used up');
        assert.equal(last.reconciler.tracker.objects.get(key)!.row.uid, uid);
        assert.deepEqual(new Map(first.ledger.allocations.of(uid)), allocations);
        assert.deepEqual(
          [...host.storage.volumesOf('slow').keys()].filter((name) => name.startsWith('containers/')),
          ['containers/web'],
        );
        assert.deepEqual((await host.storage.listTombstones('fast')).length, 1);
        const rows = first.ledger.tombstones.all();
        assert.deepEqual(
          rows.map(({ pool, name, why }) => ({ pool, name, why })),
          (await host.storage.listTombstones('fast')).map(({ name }) => ({ pool: 'fast', name, why: 'replaced' })),
        );
        assert.deepEqual(last.reconciler.tracker.objects.get(key)!.recorded.exits, []);
        if (!died) {
          assert.ok(killAt > 10, `${killAt - 1} boundaries`);
          break;
        }
        await last.reconciler.close();
      }
    },
  );

  test('a former root is not what a deleted instance comes back with, and one that exists is not undeleted', async () => {
    const host = new MemoryHost();
    const auto = (pool: string): string =>
      web().replace(
        'image: busybox,',
        `image: busybox, update: { recreate: Auto }, devices: { root: { type: disk, path: /, pool: ${pool} } },`,
      );
    const slow = 'apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: { name: slow }\nspec: { driver: dir }\n---\n';
    const engine = await run({ 'a.yaml': FOUNDATION + slow }, { host });
    const apply = (pool: string) => engine.control.apply([{ path: 'x.yaml', text: auto(pool) }], { actor: 'uid:0' });
    await apply('fast');
    await settled(engine, 'convergence');
    await apply('slow');
    await engine.until(() => engine.control.status().settled && engine.ledger.tombstones.all().length === 1, 'the new root');
    const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'web' } as const;
    await assert.rejects(engine.control.undelete(ref, { actor: 'uid:0' }), { code: 'CONFLICT' });
    await engine.control.delete(ref, 'uid:0');
    await engine.until(() => !engine.reconciler.tracker.objects.has('Instance/default/-/web' as never), 'the deletion');
    await engine.control.undelete(ref, { actor: 'uid:0' });
    await settled(engine, 'the return');
    assert.deepEqual(
      [...host.storage.volumesOf('slow').keys()].filter((name) => name.startsWith('containers/')),
      ['containers/web'],
    );
    assert.deepEqual(
      engine.ledger.tombstones.all().map(({ why, pool }) => [why, pool]),
      [['replaced', 'fast']],
    );
    await engine.reconciler.close();
  });

  test('a rename, interrupted at every boundary: the same instance under another name', { timeout: 120_000 }, async () => {
    const renamed = web().replace('name: web', 'name: site, renamedFrom: web');
    for (const [before, after] of [
      [web(), renamed],
      [web('limits.memory: 64MiB', 'Frozen'), renamed.replace('Running', 'Frozen')],
      [web('limits.memory: 64MiB', 'Stopped'), renamed.replace('Running', 'Stopped')],
      [web().replace('image:', 'restart: { policy: Never }, image:'), renamed.replace('image:', 'restart: { policy: Never }, image:')],
    ] as const) {
      let identity: unknown;
      const identityOf = (engine: Engine, name: string): unknown => {
        const { uid } = engine.reconciler.tracker.objects.get(`Instance/default/-/${name}` as never)!.row;
        return [uid, engine.ledger.allocations.of(uid)];
      };
      const boundaries = await everyBoundary(
        { 'a.yaml': FOUNDATION + before },
        { 'a.yaml': FOUNDATION + after },
        (engine, host) => {
          assert.equal(engine.reconciler.tracker.objects.has('Instance/default/-/web' as never), false);
          assert.deepEqual(identityOf(engine, 'site'), identity);
          assert.deepEqual([...host.lxc.facts.directories.keys()], ['site']);
          assert.deepEqual([...host.lxc.facts.monitors.keys()], /Stopped/.test(after) ? [] : ['site']);
          const volumes = [...host.storage.volumesOf('fast').keys()].filter((name) => name.startsWith('containers/'));
          assert.deepEqual(volumes, ['containers/site']);
          assert.deepEqual(engine.ledger.tombstones.all(), []);
          assert.match(host.lxc.facts.directories.get('site')!.config!, /lxc\.uts\.name = site/);
        },
        (engine) => (identity = identityOf(engine, 'web')),
      );
      assert.ok(boundaries >= 3, `${boundaries} boundaries`);
    }
  });

  test('a plan shows a rename, with what it takes', async () => {
    const engine = await run({ 'a.yaml': FOUNDATION }, { host: new MemoryHost() });
    await engine.control.apply([{ path: 'x.yaml', text: web() }], { actor: 'uid:0' });
    await settled(engine, 'convergence');
    const text = web().replace('name: web', 'name: site, renamedFrom: web');
    const { changes } = await engine.control.plan([{ path: 'x.yaml', text }]);
    assert.deepEqual(
      changes.map(({ ref, change, verdict }) => `${ref.name} ${change} ${verdict}`),
      ['site shutdown rename', 'site rename rename', 'site configure live', 'site setDhcpHosts live', 'site start power'],
    );
    assert.deepEqual(changes[0]!.fields, [{ field: 'metadata.name', from: 'web', to: 'site' }]);
    assert.match(changes[0]!.downtime ?? '', /start/);
    // Applied to a stored source, it takes the old document's place.
    const { problems } = await engine.control.apply([{ path: 'x.yaml', text }], { actor: 'uid:0' });
    assert.deepEqual(problems, []);
    await engine.until(() => engine.control.status().settled && engine.ready('Instance/default/-/site'), 'the rename');
    assert.equal(engine.reconciler.tracker.objects.has('Instance/default/-/web' as never), false);
    assert.deepEqual(
      engine.ledger.documents.all().map(({ ref }) => ref.name),
      ['site'],
    );
    // It means nothing any more: the old name may be used again once the field is gone.
    await engine.control.apply([{ path: 'x.yaml', text: web().replace('name: web', 'name: site') + web() }], { actor: 'uid:0' });
    await engine.until(() => engine.ready('Instance/default/-/web') && engine.ready('Instance/default/-/site'), 'both');
    await engine.reconciler.close();
  });

  test('renamed and removed at once: what is left of it becomes a tombstone, whatever it is called', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web() }, { host });
    await settled(engine, 'convergence');
    host.lxc.stubborn.add('web');
    engine.write('b.yaml', web().replace('name: web', 'name: site, renamedFrom: web'));
    await engine.until(() => host.lxc.calls.some(({ method, name }) => method === 'shutdown' && name === 'web'), 'the shutdown');
    await engine.reconciler.close();
    host.lxc.stubborn.clear();
    const second = await run({ 'a.yaml': FOUNDATION }, { host, ledger: engine.ledger });
    await second.until(() => second.ledger.tombstones.all().length === 1 && host.lxc.facts.directories.size === 0, 'the deletion');
    await second.idle();
    assert.deepEqual(
      [...host.storage.volumesOf('fast').keys()].filter((name) => name.startsWith('containers/')),
      [],
    );
    assert.equal(second.ledger.tombstones.all()[0]!.ref.name, 'site');
    await second.reconciler.close();
  });

  test('what exists already is not renamed to, and nothing is lost meanwhile', async () => {
    const host = new MemoryHost();
    const site = web().replace('name: web', 'name: site');
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web(), 'c.yaml': site }, { host });
    await settled(engine, 'convergence');
    engine.source.files.delete('b.yaml');
    engine.write('c.yaml', site.replace('name: site', 'name: site, renamedFrom: web'));
    await engine.until(() => engine.control.status().sources[0]!.problems.length > 0, 'the problem');
    await engine.idle();
    const [problem] = engine.control.status().sources[0]!.problems;
    assert.match(
      `${problem!.file} ${problem!.field}: ${problem!.message}`,
      /^c\.yaml metadata\.renamedFrom: Instance "site" exists already/,
    );
    assert.deepEqual(
      [...host.lxc.facts.monitors.keys()].toSorted((a, b) => (a < b ? -1 : 1)),
      ['site', 'web'],
    );
    await engine.reconciler.close();
  });

  test('a profile and an image are renamed by their record; what uses them is not touched', async () => {
    const host = new MemoryHost();
    const text =
      FOUNDATION.replace('name: default', 'name: common') + web().replace('image: busybox,', 'image: busybox, profiles: [common],');
    const engine = await run({ 'a.yaml': text }, { host });
    await settled(engine, 'convergence');
    const uids = new Set([...engine.reconciler.tracker.objects.values()].map(({ row }) => row.uid));
    const pid = host.lxc.facts.monitors.get('web')?.initPid;
    const renamed = text
      .replace('name: common', 'name: shared, renamedFrom: common')
      .replace('[common]', '[shared]')
      .replace('name: busybox', 'name: base, renamedFrom: busybox')
      .replace('image: busybox', 'image: base');
    engine.write('a.yaml', renamed);
    await engine.until(() => engine.ready('Image/default/-/base') && engine.control.status().settled, 'the renames');
    await engine.idle();
    assert.equal(host.lxc.facts.monitors.get('web')?.initPid, pid);
    assert.deepEqual(new Set([...engine.reconciler.tracker.objects.values()].map(({ row }) => row.uid)), uids);
    assert.deepEqual(engine.control.status().confirmations, []);
    assert.match(host.lxc.facts.directories.get('web')!.record!, /"name":"base"/);
    await engine.reconciler.close();
  });

  test('an expired tombstone is removed for good, and what it had allocated is free again', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': web() }, { host });
    await settled(engine, 'convergence');
    engine.remove('b.yaml');
    await engine.until(() => engine.ledger.tombstones.all().length === 1 && host.lxc.facts.directories.size === 0, 'the deletion');
    await engine.idle();
    assert.equal(engine.ledger.allocations.taken('idrange').size, 1, 'a tombstone keeps its ids');
    const [row] = engine.ledger.tombstones.all();
    engine.ledger.tombstones.put({ ...row!, expiresAt: Date.now() - 1 });
    engine.reconciler.lookAtKind('StoragePool');
    await engine.until(() => engine.ledger.tombstones.all().length === 0, 'the purge');
    assert.equal((await host.storage.listTombstones('fast')).length, 0);
    assert.equal(engine.ledger.allocations.taken('idrange').size, 0);
    await engine.reconciler.close();
  });

  test('a pool is kept, deactivated, until the last of its tombstones has ended', async () => {
    const host = new MemoryHost();
    const extra = `
apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: other }
spec: { driver: btrfs, config: { size: 4GiB } }
---
apiVersion: lockstep/v1
kind: Instance
metadata: { name: there }
spec: { image: busybox, devices: { root: { type: disk, path: /, pool: other } } }
`;
    const engine = await run({ 'a.yaml': FOUNDATION, 'b.yaml': extra }, { host });
    await settled(engine, 'convergence');
    engine.remove('b.yaml');
    const pool = async () => (await host.storage.listPools()).get('other');
    await engine.until(() => engine.ledger.tombstones.all().length === 1 && host.lxc.facts.directories.size === 0, 'the deletion');
    await settled(engine, 'rest while the tombstone is kept');
    assert.deepEqual([(await pool())?.backing, (await pool())?.active], [true, false]);
    const [row] = engine.ledger.tombstones.all();
    engine.ledger.tombstones.put({ ...row!, expiresAt: Date.now() - 1 });
    engine.reconciler.lookAtKind('StoragePool');
    await engine.until(() => !engine.reconciler.tracker.objects.has('StoragePool/-/-/other' as never), 'the end of the pool');
    assert.equal(await pool(), undefined);
    await engine.reconciler.close();
  });

  test('an instance whose profile is gone is left alone, across a restart too, and goes on when it is back', async () => {
    const host = new MemoryHost();
    const [profile = '', ...rest] = FOUNDATION.split('---')
      .toReversed()
      .filter((text) => text.trim() !== '');
    const others = rest.toReversed().join('---');
    const engine = await run({ 'a.yaml': others, 'p.yaml': profile, 'b.yaml': web() }, { host });
    await settled(engine, 'convergence');
    engine.remove('p.yaml');
    await engine.until(() => engine.control.status().sources[0]!.problems.length > 0, 'the problem');
    await engine.idle();
    assert.deepEqual([...host.lxc.facts.monitors.keys()], ['web']);
    assert.match(engine.control.status().objects.find((object) => object.ref.name === 'web')!.summary, /ManifestInvalid/);
    await engine.reconciler.close();

    const second = await run({ 'a.yaml': others, 'b.yaml': web() }, { host, ledger: engine.ledger });
    await second.idle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([...host.lxc.facts.monitors.keys()], ['web']);
    assert.equal(second.control.status().settled, false);
    second.write('p.yaml', profile);
    await settled(second, 'the return of the profile');
    await second.reconciler.close();
  });

  test('a dependency that is declared stopped does not count as running', async () => {
    const host = new MemoryHost();
    const needing = web().replace('image: busybox,', 'image: busybox, dependsOn: [{ kind: Instance, name: db, condition: Running }],');
    const engine = await run({ 'a.yaml': FOUNDATION + web('limits.memory: 64MiB', 'Stopped').replace('web', 'db') + needing }, { host });
    await engine.until(() => engine.ready('Instance/default/-/db'), 'the dependency');
    await engine.idle();
    assert.deepEqual([...host.lxc.facts.monitors.keys()], []);
    await engine.reconciler.close();
  });

  test('a secret is in no answer, event, intent, audit entry or applied spec', async () => {
    const canary = 'canary-7c1f';
    const host = new MemoryHost();
    const engine = await run(
      { 'a.yaml': FOUNDATION + web(`environment.TOKEN: "${canary}", cloud-init.user-data: "#cloud-config ${canary}"`) },
      { host },
    );
    await settled(engine, 'convergence');
    engine.write('a.yaml', FOUNDATION + web(`environment.TOKEN: "${canary}2", cloud-init.user-data: "#cloud-config ${canary}"`));
    await engine.until(
      () => engine.control.status().settled && engine.events.some((event) => /restart|configuration/i.test(event.message)),
      'the change',
    );
    await engine.reconciler.close();
    const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'web' } as const;
    const { uid, applied } = engine.ledger.objects.get(ref)!;
    const explain = new Explainer(engine);
    const told = [
      engine.control.status(),
      engine.control.describe(ref),
      await engine.control.plan([{ path: 'x.yaml', text: web(`environment.TOKEN: "${canary}3"`).replace('web', 'other') }]),
      engine.events,
      engine.ledger.intents.history(uid, 50),
      engine.ledger.audit.latest(50),
      explain.why(ref),
      explain.history(ref, 50),
      explain.audit({ limit: 50 }),
      applied,
      host.lxc.facts.directories.get('web')?.record,
    ];
    for (const [index, one] of told.entries()) assert.doesNotMatch(JSON.stringify(one), /canary/, `place ${index}`);
  });

  test('undelete brings back the same root volume, addresses and uid', async () => {
    const host = new MemoryHost();
    const engine = await run({ 'a.yaml': FOUNDATION }, { host });
    await engine.control.apply([{ path: 'x.yaml', text: web() }], { actor: 'uid:0' });
    await settled(engine, 'convergence');
    const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'web' } as const;
    const before = engine.control.describe(ref);
    await engine.control.delete(ref, 'uid:0');
    await engine.until(() => engine.reconciler.tracker.objects.get('Instance/default/-/web' as never) === undefined, 'the deletion');
    assert.equal(host.lxc.facts.directories.size, 0);
    await engine.control.undelete(ref, { actor: 'uid:0' });
    await settled(engine, 'the return');
    const after = engine.control.describe(ref);
    assert.equal(after.status.uid, before.status.uid);
    assert.deepEqual(after.allocations, before.allocations);
    assert.deepEqual(engine.ledger.tombstones.all(), []);
    assert.deepEqual((await host.storage.listTombstones('fast')).length, 0);
    await engine.reconciler.close();
  });
});
