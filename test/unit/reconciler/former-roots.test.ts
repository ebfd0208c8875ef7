// What becomes of a root volume that is replaced: it is written down before it is buried, and whatever comes in between, the ledger and
// the pools say the same in the end. And how it comes back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeRef, type RefKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { Ledger } from '../../../src/state/ledger.ts';
import { Engine } from '../../fakes/engine.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

const BY = { actor: 'uid:0' };
const WEB = makeRef('Instance', 'web');
const KEY = 'Instance/default/-/web' as RefKey;

const pool = (name: string): string =>
  `apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: { name: ${name} }\nspec: { driver: btrfs, config: { size: 4GiB } }\n---\n`;
const image = (name: string, build: string): string =>
  `apiVersion: lockstep/v1\nkind: Image\nmetadata: { name: ${name} }\nspec: { source: { build: ${build} } }\n---\n`;
const FOUNDATION =
  pool('fast') + pool('slow') + image('old', '{ type: busybox }') + image('new', '{ type: debian, release: bookworm, packages: [nginx] }');

function web(from: string, inPool = 'fast', { name = 'web', more = 'update: { recreate: Auto }' } = {}): string {
  return `
apiVersion: lockstep/v1
kind: Instance
metadata: { name: ${name} }
spec: { image: ${from}, ${more}, devices: { root: { type: disk, path: /, pool: ${inPool} } } }
---
`;
}

async function run(host: MemoryHost, text: string, ledger?: Ledger, boundary?: (where: string) => void): Promise<Engine> {
  const engine = new Engine({ host, kinds, ...(ledger === undefined ? {} : { ledger }), ...(boundary === undefined ? {} : { boundary }) });
  engine.source.files.set('a.yaml', text);
  host.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as RefKey));
  await engine.reconciler.start();
  return engine;
}

async function settled(engine: Engine, what: string): Promise<void> {
  await engine.until(() => engine.control.status().settled, what);
  await engine.idle();
}

async function gone(engine: Engine, key = KEY): Promise<void> {
  await engine.until(() => !engine.reconciler.tracker.objects.has(key), 'the deletion');
  await engine.idle();
}

/** An instance that was to get a new root when the daemon was killed at a boundary. */
async function killedAt(where: string, [before, after] = [web('old'), web('new')]): Promise<{ host: MemoryHost; ledger: Ledger }> {
  const host = new MemoryHost();
  let armed = false;
  let dead = false;
  const engine = await run(host, FOUNDATION + before, undefined, (at) => {
    dead ||= armed && at.endsWith(where);
    if (dead) throw new Error('killed');
  });
  await settled(engine, 'the start');
  armed = true;
  engine.write('a.yaml', FOUNDATION + after);
  await engine.until(() => dead, 'the kill');
  await engine.reconciler.close();
  return { host, ledger: engine.ledger };
}

const rowsOf = ({ ledger }: { readonly ledger: Ledger }): string[] =>
  ledger.tombstones.all().map(({ why, pool: at, name }) => `${why} ${at}/${name}`);

async function buriedIn(host: MemoryHost, ...pools: string[]): Promise<string[]> {
  const found = await Promise.all(pools.map(async (at) => (await host.storage.listTombstones(at)).map(({ name }) => `${at}/${name}`)));
  return found.flat();
}

/** Rows and volumes are the same, and all are as `why` says. */
async function agree(engine: Engine, host: MemoryHost, ...why: string[]): Promise<void> {
  const buried = await buriedIn(host, 'fast', 'slow');
  assert.deepEqual(new Set(rowsOf(engine).map((row) => row.split(' ')[1])), new Set(buried));
  assert.deepEqual(
    rowsOf(engine).map((row) => row.split(' ')[0]),
    why,
  );
}

const imageOf = (host: MemoryHost, at = 'fast'): string | undefined => host.storage.volumesOf(at).get('containers/web')?.image;

describe('a root volume that is being replaced', () => {
  for (const where of ['before bury the root', 'after bury the root', 'before define', 'after volume', 'after record']) {
    test(`killed ${where}: it is done again under the same name`, async () => {
      const { host, ledger } = await killedAt(where);
      const [before] = rowsOf({ ledger });
      const engine = await run(host, FOUNDATION + web('new'), ledger);
      await settled(engine, 'convergence');
      await agree(engine, host, 'replaced');
      assert.equal(rowsOf(engine)[0]!.split(' ')[1], before!.split(' ')[1]);
      assert.deepEqual((await engine.control.plan()).changes, []);
      await engine.reconciler.close();
    });
  }

  test('what is not there yet is not shown, and neither expires nor is purged', async () => {
    const { host, ledger } = await killedAt('before bury the root');
    const [row] = ledger.tombstones.all();
    assert.equal(row?.why, 'replacing');
    ledger.tombstones.put({ ...row, expiresAt: 1 });
    const engine = await run(host, FOUNDATION + web('new', 'fast', { more: 'update: { recreate: Confirm }' }), ledger);
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    await engine.idle();
    assert.deepEqual(engine.control.status().tombstones, []);
    await assert.rejects(engine.control.purge(WEB, 'uid:0'), { code: 'NOT_FOUND' });
    assert.deepEqual(await engine.control.purge('all', 'uid:0'), []);
    await engine.idle();
    const [asked] = engine.control.status().confirmations;
    await engine.control.confirm('dir', asked!.hash, BY);
    await settled(engine, 'the new root');
    await agree(engine, host, 'replaced');
    await engine.reconciler.close();
  });

  test('it fails and is tried again: one tombstone', async () => {
    const host = new MemoryHost();
    const engine = await run(host, FOUNDATION + web('old'));
    await settled(engine, 'the start');
    host.storage.faults.set('buryVolume', 'fail');
    engine.write('a.yaml', FOUNDATION + web('new'));
    for (let failures = 1; failures <= 3; failures++) {
      await engine.reconciler.sync();
      await engine.until(() => (engine.reconciler.tracker.objects.get(KEY)?.failures ?? 0) >= failures, 'a failure');
    }
    assert.equal(engine.ledger.tombstones.all().length, 1);
    host.storage.faults.delete('buryVolume');
    await engine.reconciler.sync();
    await settled(engine, 'the new root');
    await agree(engine, host, 'replaced');
    await engine.reconciler.close();
  });

  test('taken back before it was buried: nothing is left of it', async () => {
    const { host, ledger } = await killedAt('before bury the root');
    const engine = await run(host, FOUNDATION + web('old'), ledger);
    await settled(engine, 'convergence');
    await agree(engine, host);
    assert.equal(engine.reconciler.tracker.objects.get(KEY)?.recorded.replacing, undefined);
    await engine.reconciler.close();
  });

  test('a deletion that is taken back while its pool is out of use: its data comes back with the pool', async () => {
    const host = new MemoryHost();
    const stopped = web('old', 'fast', { more: 'state: Stopped' });
    const first = await run(host, FOUNDATION + stopped);
    await settled(first, 'the start');
    const root = host.storage.volumesOf('fast').get('containers/web');
    host.lxc.faults.set('undefine', 'fail');
    first.write('a.yaml', FOUNDATION);
    await first.until(() => host.storage.volumesOf('fast').get('containers/web') === undefined, 'the burial');
    await first.idle();
    await first.reconciler.close();
    host.lxc.faults.delete('undefine');
    const mounted = host.storage.facts.mounts.get('fast')!;
    host.storage.facts.mounts.delete('fast');
    host.storage.faults.set('activatePool', 'fail');
    const engine = await run(host, FOUNDATION + stopped, first.ledger);
    await engine.idle();
    assert.equal(engine.reconciler.tracker.objects.get(KEY)?.readiness?.reason, 'PoolInactive');
    assert.match(rowsOf(engine).join(), /^deleted fast\//);
    host.storage.faults.delete('activatePool');
    host.storage.facts.mounts.set('fast', mounted);
    await engine.reconciler.sync();
    await settled(engine, 'the return');
    await agree(engine, host);
    assert.equal(host.storage.volumesOf('fast').get('containers/web'), root);
    await engine.reconciler.close();
  });

  for (const [where, why] of [
    ['before bury the root', 'deleted'],
    ['after bury the root', 'replaced'],
  ] as const) {
    test(`killed ${where}, and its instance is deleted instead: one tombstone, ${why}`, async () => {
      const { host, ledger } = await killedAt(where);
      const engine = await run(host, FOUNDATION, ledger);
      await engine.until(() => engine.control.status().confirmations.length > 0 || ledger.objects.get(WEB) === undefined, 'a deletion');
      await gone(engine);
      await agree(engine, host, why);
      assert.equal(ledger.allocations.taken('idrange').size, 1, 'its ids are held by what is kept');
      await engine.reconciler.close();
    });
  }
});

describe('undelete and former roots', () => {
  /** Made through the API from `old` in the pool `fast`, then from `new` in another pool. */
  async function replaced(): Promise<{ host: MemoryHost; engine: Engine; apply: (text: string) => Promise<unknown> }> {
    const host = new MemoryHost();
    const engine = await run(host, FOUNDATION);
    const apply = async (text: string): Promise<unknown> => await engine.control.apply([{ path: 'x.yaml', text }], BY);
    await apply(web('old'));
    await settled(engine, 'the start');
    await apply(web('new', 'slow'));
    await engine.until(() => rowsOf(engine).some((row) => row.startsWith('replaced')), 'the new root');
    await settled(engine, 'the new root');
    return { host, engine, apply };
  }

  test('without a word which, only what the object was deleted with comes back', async () => {
    const { host, engine } = await replaced();
    const former = engine.ledger.tombstones.all()[0]!.name;
    await engine.control.delete(WEB, 'uid:0');
    await gone(engine);
    const deleted = engine.ledger.tombstones.all().find(({ why }) => why === 'deleted')!;
    engine.ledger.tombstones.put({ ...deleted, expiresAt: 1 });
    engine.reconciler.lookAtKind('StoragePool');
    await engine.until(() => engine.ledger.tombstones.all().length === 1, 'its end');
    await engine.idle();
    await assert.rejects(engine.control.undelete(WEB, BY), {
      code: 'NOT_FOUND',
      message: /only what it had before its root volume was replaced/,
      hint: `To bring that back: "lockstep undelete web --tombstone ${former}".`,
    });
    await agree(engine, host, 'replaced');
    await engine.reconciler.close();
  });

  test('a former root comes back under its own name, and stays; the other one stays kept', async () => {
    const { host, engine } = await replaced();
    const { uid, name } = engine.ledger.tombstones.all()[0]!;
    const ids = engine.ledger.allocations.of(uid).get('idrange');
    await assert.rejects(engine.control.undelete(WEB, { ...BY, name }), { code: 'CONFLICT', hint: /present data is kept/ });
    await engine.control.delete(WEB, 'uid:0');
    await gone(engine);
    await engine.control.undelete(WEB, { ...BY, name });
    await engine.until(() => engine.reconciler.tracker.objects.get(KEY)?.readiness?.reason === 'RecreateNever', 'the return');
    await engine.idle();
    const tracked = engine.reconciler.tracker.objects.get(KEY)!;
    assert.equal(tracked.row.uid, uid);
    assert.equal(engine.ledger.allocations.of(uid).get('idrange'), ids);
    assert.equal(host.lxc.facts.monitors.has('web'), true, 'it runs');
    assert.deepEqual(
      host.storage.volumesOf('slow').has('containers/web'),
      false,
      'its root is where it was, whatever pool is declared by now',
    );
    await agree(engine, host, 'replaced');
    const record = JSON.parse((await host.lxc.list()).get('web')!.record!) as { image: { fingerprint: string }; pool: string };
    assert.deepEqual([record.image.fingerprint, record.pool], [imageOf(host), 'fast'], 'from what it was made');

    // And again after a restart: what is kept of it is not what it is brought back from.
    await engine.reconciler.close();
    const next = await run(host, FOUNDATION, engine.ledger);
    await next.idle();
    await agree(next, host, 'replaced');
    assert.equal(next.reconciler.tracker.objects.get(KEY)!.recorded.tombstone, undefined);
    assert.equal(imageOf(host), record.image.fingerprint);

    // A document of its own again, and it is as declared.
    await next.control.apply([{ path: 'x.yaml', text: web('new', 'slow') }], BY);
    await settled(next, 'what is declared');
    assert.equal(host.storage.volumesOf('slow').has('containers/web'), true);
    await agree(next, host, 'replaced', 'replaced');
    await next.reconciler.close();
  });

  test('one of an object that has another name by now does not come back beside it', async () => {
    const { host, engine, apply } = await replaced();
    const [former] = engine.ledger.tombstones.all();
    await apply(web('new', 'slow', { name: 'site' }).replace('name: site', 'name: site, renamedFrom: web'));
    await engine.until(() => engine.reconciler.tracker.objects.has('Instance/default/-/site' as RefKey), 'the rename');
    await settled(engine, 'the rename');
    await assert.rejects(engine.control.undelete(WEB, { ...BY, name: former!.name }), {
      code: 'CONFLICT',
      message: /Instance\/site|"site"/,
    });
    assert.equal(engine.ledger.objects.all().filter(({ uid }) => uid === former!.uid).length, 1);
    await agree(engine, host, 'replaced');
    await engine.reconciler.close();
  });

  test('deleted while it was to get a new root: it comes back as it was, and gets it when that is agreed to', async () => {
    const host = new MemoryHost();
    const engine = await run(host, FOUNDATION);
    const confirm = { more: 'update: { recreate: Confirm }' };
    const apply = async (text: string): Promise<unknown> => await engine.control.apply([{ path: 'x.yaml', text }], BY);
    await apply(web('old', 'fast', confirm));
    await settled(engine, 'the start');
    const made = imageOf(host);
    await apply(web('new', 'slow', confirm));
    await engine.until(() => engine.control.status().confirmations.length === 1, 'the question');
    await engine.control.delete(WEB, 'uid:0');
    await gone(engine);
    await engine.control.undelete(WEB, BY);
    await engine.until(() => host.lxc.facts.monitors.has('web') && engine.control.status().confirmations.length === 1, 'the return');
    await engine.idle();
    assert.equal(imageOf(host), made);
    await agree(engine, host);
    const [asked] = engine.control.status().confirmations;
    await engine.control.confirm('api', asked!.hash, BY);
    await engine.until(() => host.storage.volumesOf('slow').has('containers/web'), 'the new root');
    await settled(engine, 'the new root');
    await agree(engine, host, 'replaced');
    await engine.reconciler.close();
  });

  test('agreed to before it is back: it comes back first, and then gets its new root', async () => {
    const host = new MemoryHost();
    const engine = await run(host, FOUNDATION);
    const apply = async (text: string): Promise<unknown> => await engine.control.apply([{ path: 'x.yaml', text }], BY);
    await apply(web('old'));
    await settled(engine, 'the start');
    await engine.control.delete(WEB, 'uid:0');
    await gone(engine);
    const [{ name } = { name: '' }] = engine.ledger.tombstones.all();
    host.storage.faults.set('unburyVolume', 'fail');
    await engine.control.undelete(WEB, BY);
    await apply(web('new', 'slow'));
    await engine.until(() => engine.reconciler.tracker.objects.get(KEY)?.error !== undefined, 'a failure');
    host.storage.faults.delete('unburyVolume');
    await engine.reconciler.sync();
    await settled(engine, 'the new root');
    await agree(engine, host, 'replaced');
    assert.notEqual(engine.ledger.tombstones.all()[0]?.name, name);
    assert.equal(host.storage.volumesOf('slow').has('containers/web'), true);
    await engine.reconciler.close();
  });

  test('made from an image that is another by now, it is known from which it was made', async () => {
    const host = new MemoryHost();
    const engine = await run(host, FOUNDATION);
    await engine.control.apply([{ path: 'x.yaml', text: web('old', 'fast', { more: 'update: {}' }) }], BY);
    await settled(engine, 'the start');
    const made = imageOf(host);
    await engine.control.delete(WEB, 'uid:0');
    await gone(engine);
    engine.write('a.yaml', FOUNDATION.replace('{ type: busybox }', '{ type: debian, release: trixie }'));
    await settled(engine, 'another image');
    await engine.control.undelete(WEB, BY);
    await settled(engine, 'the return');
    assert.equal(imageOf(host), made);
    assert.equal(engine.reconciler.tracker.objects.get(KEY)?.readiness?.reason, 'ImageOutdated');
    await engine.reconciler.close();
  });
});
