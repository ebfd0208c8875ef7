// Unknown is never absent: every reading of every port in turn fails, hangs, and answers with nothing or with a part. Nothing that exists
// is made anew, deleted or formatted; other objects go on; and it is well again once the fault is gone.
//
// A listing that answers with nothing or with a part breaks the port's promise of completeness. Most such answers are not believed: what they
// lack is looked for in another way (src/host/second-look.ts). Where nothing is there to compare with, the row names the test that shows the
// real driver refusing such an answer, and what may at most be repaired (always steps that are safe to repeat on what is there).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { FilesPort } from '../../../src/host/ports/files.ts';
import type { ImagePort } from '../../../src/host/ports/images.ts';
import type { LxcPort } from '../../../src/host/ports/lxc.ts';
import type { NetworkPort } from '../../../src/host/ports/network.ts';
import { AppError } from '../../../src/core/errors.ts';
import type { StoragePort } from '../../../src/host/ports/storage.ts';
import type { Source } from '../../../src/sources/snapshot.ts';
import type { Ledger } from '../../../src/state/ledger.ts';
import { openLedger } from '../../../src/state/open.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { Engine } from '../../fakes/engine.ts';
import { FakeWorld } from '../../fakes/fake-kind.ts';
import { type Fault, type FaultyHost, faultyHost, type PortName } from '../../fakes/faulty-host.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Read {
  readonly is: 'read';
  /** What may be written when it answers with nothing or with a part: methods of the ports. */
  readonly repairs: readonly string[];
  /** Where the real driver is shown to refuse that: file, and the test's name. */
  readonly proof: readonly [file: string, title: string] | undefined;
  /** It is only asked for what this reading lacks. */
  readonly secondOf: string | undefined;
}

type Row = Read | 'write' | 'event' | 'constant' | 'not by the reconciler';

const read = (repairs: readonly string[] = [], proof?: Read['proof']): Read => ({ is: 'read', repairs, proof, secondOf: undefined });
const second = (secondOf: string): Read => ({ is: 'read', repairs: [], proof: undefined, secondOf });

const LXC: Record<keyof LxcPort, Row> = {
  list: read(),
  traces: second('list'),
  cgroupValues: read(),
  define: 'write',
  setDeviceNodes: 'write',
  undefine: 'write',
  rename: 'write',
  start: 'write',
  kill: 'write',
  shutdown: 'write',
  reboot: 'write',
  forgetExit: 'write',
  freeze: 'write',
  unfreeze: 'write',
  setCgroup: 'write',
  plug: 'write',
  unplug: 'write',
  markPlugged: 'write',
  exec: 'not by the reconciler',
  writeInRootfs: 'write',
  interfaces: 'not by the reconciler',
  onChange: 'event',
  onCgroupChange: 'event',
};

const NETWORK: Record<keyof NetworkPort, Row> = {
  presentLinks: read(),
  links: read(),
  someLinks: read(),
  onLinkChange: 'event',
  addBridge: 'write',
  setLink: 'write',
  setAddresses: 'write',
  deleteLink: 'write',
  firewall: read(),
  presentRules: second('firewall'),
  onFirewallChange: 'event',
  setFirewall: 'write',
  clearFirewall: 'write',
  forwarding: read(
    ['network.enableForwarding'],
    ['test/host/listings.test.ts', 'forwarding is not off because its setting reads as nothing'],
  ),
  enableForwarding: 'write',
  dhcp: read(),
  presentDhcp: second('dhcp'),
  onDhcpExit: 'event',
  startDhcp: 'write',
  stopDhcp: 'write',
  setDhcpHost: 'write',
  removeDhcpHost: 'write',
  rewriteDhcpHosts: 'write',
};

const STORAGE: Record<keyof StoragePort, Row> = {
  capabilities: 'constant',
  readPool: 'not by the reconciler',
  listPools: read(),
  presentPools: second('listPools'),
  createPool: 'write',
  activatePool: 'write',
  deactivatePool: 'write',
  growPool: 'write',
  deletePool: 'write',
  listVolumes: read(),
  presentVolumes: second('listVolumes'),
  listTombstones: read(),
  createContainerVolume: 'write',
  setVolumeSize: 'write',
  deleteVolume: 'write',
  renameVolume: 'write',
  buryVolume: 'write',
  unburyVolume: 'write',
  purgeTombstone: 'write',
};

const IMAGES: Record<keyof ImagePort, Row> = {
  list: read(),
  present: second('list'),
  create: 'write',
  release: 'write',
};

const FILES: Record<keyof FilesPort, Row> = { stat: read() };

const PORTS: Record<PortName, { readonly file: string; readonly type: string; readonly rows: Readonly<Record<string, Row>> }> = {
  lxc: { file: 'src/host/ports/lxc.ts', type: 'LxcPort', rows: LXC },
  network: { file: 'src/host/ports/network.ts', type: 'NetworkPort', rows: NETWORK },
  storage: { file: 'src/host/ports/storage.ts', type: 'StoragePort', rows: STORAGE },
  images: { file: 'src/host/ports/images.ts', type: 'ImagePort', rows: IMAGES },
  files: { file: 'src/host/ports/files.ts', type: 'FilesPort', rows: FILES },
};

function document(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;
}

const WORLD = [
  document('StoragePool', 'fast', '{ driver: btrfs, config: { size: 10GiB } }'),
  document('StoragePool', 'other', '{ driver: dir }'),
  document('Network', 'lan', '{ type: bridge, config: { ipv4.address: 10.20.0.1/24, ipv4.nat: "true" } }'),
  document('Image', 'busybox', '{ source: { build: { type: busybox } } }'),
  document('Profile', 'default', '{ devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }'),
  document('Instance', 'web', '{ image: busybox, config: { limits.memory: 64MiB } }'),
  document('Instance', 'still', '{ image: busybox, state: Stopped }'),
  document('Instance', 'db', '{ image: busybox, devices: { data: { type: disk, source: /srv/data, path: /data } } }'),
  document('Instance', 'far', '{ image: busybox, devices: { root: { type: disk, path: /, pool: other } } }'),
];

const TOOLS = (file: string): string =>
  document('Image', 'tools', `{ source: { file: ${file} } }`) + document('Instance', 'old', '{ image: tools }');

/** Something that does not need the port in question, declared while the fault is there. */
const LATE: Readonly<Record<PortName, { readonly text: string; readonly key: string }>> = {
  lxc: { text: document('StoragePool', 'late', '{ driver: dir }'), key: 'StoragePool/-/-/late' },
  network: { text: document('StoragePool', 'late', '{ driver: dir }'), key: 'StoragePool/-/-/late' },
  files: { text: document('StoragePool', 'late', '{ driver: dir }'), key: 'StoragePool/-/-/late' },
  storage: { text: document('Network', 'late', '{ type: bridge, config: { ipv4.address: none } }'), key: 'Network/default/-/late' },
  images: { text: document('Network', 'late', '{ type: bridge, config: { ipv4.address: none } }'), key: 'Network/default/-/late' },
};

/** What must be the same after all: identities, not settings. */
function identities({ memory }: FaultyHost): unknown {
  const { lxc, storage, network, images } = memory;
  return {
    inits: [...lxc.facts.monitors].map(([name, monitor]) => `${name} ${monitor.initPid} ${monitor.monitorPid}`).toSorted(),
    volumes: [...storage.facts.backings]
      .filter(([path]) => !path.includes('late'))
      .map(([path, backing]) => [
        path,
        [...backing.volumes.keys()].filter((key) => !key.startsWith('images/')).toSorted(),
        [...backing.tombstones.keys()],
      ]),
    mounts: [...storage.facts.mounts].filter(([pool]) => pool !== 'late'),
    links: [...network.facts.links.values()]
      .filter((link) => link.type !== 'veth' && !link.name.includes('late'))
      .map(({ name, index, hwaddr }) => [name, index, hwaddr]),
    images: [...images.facts.images.keys()],
  };
}

/** Machines that run tests may be busy. */
const PATIENCE_MS = 15_000;

async function world(ledger?: Ledger): Promise<{ faulty: FaultyHost; engine: Engine }> {
  const faulty = faultyHost((port, method) => typeof PORTS[port].rows[method] === 'object');
  faulty.memory.paths.set('/srv/data', { is: 'directory' });
  const engine = new Engine({ host: faulty.host, kinds, lookMs: 100, sourcePatienceMs: 100, ...(ledger === undefined ? {} : { ledger }) });
  faulty.memory.images.facts.files.add('/srv/old.tar');
  engine.source.files.set('tools.yaml', TOOLS('/srv/old.tar'));
  for (const [index, text] of WORLD.entries()) engine.source.files.set(`${index}.yaml`, text);
  faulty.memory.network.onLinkChange((link) => {
    engine.view.linkChanged(link);
    engine.reconciler.lookAtKind('Network');
  });
  engine.view.followLinks();
  faulty.memory.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as never));
  await engine.reconciler.start();
  await engine.until(() => engine.control.status().settled, 'convergence', PATIENCE_MS);
  // An instance goes on using its image's former content, which is held for it.
  faulty.memory.images.facts.files.add('/srv/new.tar');
  engine.write('tools.yaml', TOOLS('/srv/new.tar'));
  await engine.until(() => faulty.memory.images.facts.images.size === 3 && engine.control.status().settled, 'two images', PATIENCE_MS);
  faulty.written.length = 0;
  return { faulty, engine };
}

const method = (written: string): string => written.split(' ')[0]!;

describe('readings', () => {
  test('every method of every port has a row', () => {
    for (const { file, type, rows } of Object.values(PORTS)) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      const body = text.slice(text.indexOf(`export interface ${type} {`)).split('\n}')[0]!;
      const methods = [...body.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1]!);
      assert.ok(methods.length > 0, type);
      assert.deepEqual(Object.keys(rows).toSorted(), methods.toSorted(), type);
    }
  });

  for (const [port, { rows }] of Object.entries(PORTS) as [PortName, (typeof PORTS)[PortName]][]) {
    for (const [name, row] of Object.entries(rows)) {
      if (typeof row !== 'object') continue;
      for (const fault of ['fail', 'hang', 'empty', 'truncated'] as const satisfies readonly Fault[]) {
        test(`${port}.${name}: ${fault}`, async (t) => {
          const { faulty, engine } = await world();
          t.after(() => engine.reconciler.close());
          const before = identities(faulty);
          faulty.faults.set(`${port}.${name}`, fault);
          // Two that lie in the same way are believed: a second look that finds nothing only shows that it is not asked in vain.
          const asked = row.secondOf === undefined || fault === 'fail' || fault === 'hang';
          if (row.secondOf !== undefined && asked) faulty.faults.set(`${port}.${row.secondOf}`, 'empty');
          engine.write('late.yaml', LATE[port].text);
          await engine.until(() => engine.ready(LATE[port].key), 'that others go on', PATIENCE_MS);
          await engine.reconciler.sync();
          for (const link of faulty.memory.network.facts.links.keys()) faulty.memory.network.change(link, {});
          await engine.until(() => engine.reconciler.idle, 'the looks that events ask for', PATIENCE_MS);
          await engine.reconciler.sync();
          assert.equal(faulty.asked.has(`${port}.${name}`), asked, 'the fault was met');
          const written = faulty.written.filter((one) => !one.includes('late'));
          const allowed = fault === 'empty' || fault === 'truncated' ? row.repairs : [];
          const planned = new Set(written.map(method));
          assert.deepEqual(
            [...planned].filter((one) => !allowed.includes(one)),
            [],
          );
          if (fault === 'empty') assert.deepEqual(new Set(row.repairs).difference(planned), new Set(), 'the row says no more than that');
          faulty.faults.clear();
          engine.reconciler.sync().catch(() => {});
          await engine.until(() => engine.control.status().settled, 'recovery', PATIENCE_MS);
          assert.deepEqual(identities(faulty), before);
          assert.deepEqual(engine.ledger.tombstones.all(), []);
        });
      }
      if (row.repairs.length === 0) continue;
      test(`${port}.${name}: the real one is complete or fails`, () => {
        assert.ok(row.proof, 'names its proof');
        const [file, title] = row.proof;
        assert.ok(readFileSync(join(ROOT, file), 'utf8').includes(title), `${file} has the test "${title}"`);
      });
    }
  }
});

const SOURCE: Record<keyof Source, 'read' | 'hint' | 'constant' | 'end'> = {
  name: 'constant',
  location: 'constant',
  stored: 'constant',
  checkedAt: 'constant',
  read: 'read',
  watch: 'hint',
  refresh: 'hint',
  poke: 'hint',
  close: 'end',
};

describe('sources', () => {
  test('every member of a source has a row', () => {
    const text = readFileSync(join(ROOT, 'src/sources/snapshot.ts'), 'utf8');
    const body = text.slice(text.indexOf('export interface Source {')).split('\n}')[0]!;
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?(:]/gm)].map((match) => match[1]!);
    assert.deepEqual(Object.keys(SOURCE).toSorted(), members.toSorted());
  });

  const faults: Readonly<Record<Fault, (source: Engine['source']) => () => void>> = {
    fail(source) {
      source.down = true;
      return () => (source.down = false);
    },
    hang(source) {
      const { promise, resolve } = Promise.withResolvers<void>();
      source.hangs = promise;
      return () => {
        source.hangs = undefined;
        resolve();
      };
    },
    // Complete and empty: an unmounted directory that holds nothing. It is asked for, and nothing is done.
    empty(source) {
      const files = [...source.files];
      source.files.clear();
      return () => files.forEach(([path, text]) => source.files.set(path, text));
    },
    truncated(source) {
      const files = [...source.files];
      for (const [path] of files.slice(files.length / 2)) source.files.delete(path);
      source.complete = false;
      return () => {
        files.forEach(([path, text]) => source.files.set(path, text));
        source.complete = true;
      };
    },
  };
  for (const [fault, begin] of Object.entries(faults)) {
    test(`read: ${fault}`, async (t) => {
      const { faulty, engine } = await world();
      t.after(() => engine.reconciler.close());
      const before = identities(faulty);
      const end = begin(engine.source);
      engine.source.changed();
      await engine.control.apply([{ path: 'x.yaml', text: LATE.lxc.text }], { actor: 'uid:0' });
      await engine.until(() => engine.ready(LATE.lxc.key), 'that other sources go on', PATIENCE_MS);
      await engine.reconciler.sync();
      assert.deepEqual(
        faulty.written.filter((one) => !one.includes('late')),
        [],
      );
      assert.equal(engine.control.status().settled, false, 'and it is told');
      end();
      engine.source.changed();
      await engine.until(() => engine.control.status().settled, 'recovery', PATIENCE_MS);
      assert.deepEqual(identities(faulty), before);
    });
  }
});

/** Reads of the ledger, by table; what is not named is a write. All are synchronous: they fail or answer. */
const LEDGER_READS: { readonly [Table in keyof Ledger]?: readonly (keyof Ledger[Table])[] } = {
  meta: ['get'],
  objects: ['all', 'get', 'byUid'],
  allocations: ['all', 'of', 'taken'],
  intents: ['openIntents', 'history'],
  documents: ['all'],
  tombstones: ['all', 'of'],
  confirmations: ['all'],
  consents: ['all'],
  forgotten: ['all'],
};

describe('the ledger', () => {
  for (const [table, methods] of Object.entries(LEDGER_READS)) {
    for (const method of methods) {
      test(`${table}.${method} fails: nothing is done, and it goes on afterwards`, async (t) => {
        const inner = openLedger(':memory:');
        let broken = false;
        const spoilt = new Proxy<object>(inner[table as keyof Ledger], {
          get: (target, name) => {
            const value = Reflect.get(target, name) as unknown;
            if (name !== method || !broken) return value;
            return () => {
              throw new AppError('LEDGER_WRITE_FAILED', {}, { message: 'The ledger cannot be read.' });
            };
          },
        });
        const { faulty, engine } = await world({ ...inner, [table]: spoilt });
        t.after(() => engine.reconciler.close());
        const before = identities(faulty);
        broken = true;
        engine.source.changed();
        await engine.reconciler.sync().catch(() => {});
        await engine.reconciler.sync().catch(() => {});
        assert.deepEqual(faulty.written, []);
        broken = false;
        await engine.reconciler.sync();
        await engine.until(() => engine.control.status().settled, 'recovery', PATIENCE_MS);
        assert.deepEqual(identities(faulty), before);
      });
    }
  }
});

describe('what is taken outside the ledger', () => {
  for (const [what, broken] of [
    ['fails', () => Promise.reject(new AppError('HOST_UNREADABLE'))],
    ['hangs', () => new Promise<never>(() => {})],
  ] as const) {
    test(`${what}: nothing new is given out, what needs nothing new goes on`, async (t) => {
      let taken: () => Promise<(scope: string) => ReadonlySet<string>> = broken;
      const world = new FakeWorld();
      const engine = new Engine({ world, takenElsewhere: () => taken() });
      t.after(() => engine.reconciler.close());
      engine.source.files.set(
        'a.yaml',
        document('StoragePool', 'fast', '{ driver: dir }') + document('Profile', 'plain', '{ config: {} }'),
      );
      await engine.reconciler.start();
      await engine.until(() => engine.ready('Profile/default/-/plain'), 'what needs nothing', PATIENCE_MS);
      assert.equal(world.things.has('StoragePool/-/-/fast' as RefKey), false);
      assert.match(engine.control.status().objects.find((one) => one.ref.name === 'fast')!.summary, /nothing new is given out/);
      taken = async () => (scope) => new Set(scope === 'address' ? ['1'] : []);
      await engine.reconciler.sync();
      await engine.until(() => world.things.get('StoragePool/-/-/fast' as RefKey)?.address === '2', 'the free one', PATIENCE_MS);
    });
  }
});
