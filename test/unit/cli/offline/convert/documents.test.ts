// Documents printed by the own clients of LXD 5.0.2 and Incus 6.0.4 (recorded by `npm run compare:lxd`), made into manifests and back.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kept, readOne, thereAndBack } from '../../../../../scripts/compare-lxd/convert-documents.ts';
import { parseManifests } from '../../../../../src/schemas/parse.ts';

const DATA = join(import.meta.dirname, '../../../../data');
const LEFT_OUT = new Set(['network-unmanaged.yaml', 'volume-container.yaml']);

interface Peer {
  readonly name: string;
  readonly documents: number;
  readonly read: (file: string) => string;
  readonly files: readonly string[];
}

function peer(name: string, documents: number): Peer {
  const dir = join(DATA, name, 'documents');
  return { name, documents, read: (file) => readFileSync(join(dir, file), 'utf8'), files: readdirSync(dir).toSorted() };
}

const LXD = peer('lxd-5.0.2', 11);
const INCUS = peer('incus-6.0.4', 12);
const recorded = LXD.read;

for (const { name, documents, files, read } of [LXD, INCUS]) {
  test(`${name}: all documents are there`, () => assert.equal(files.length, documents));

  for (const file of files) {
    if (LEFT_OUT.has(file)) {
      test(`${name} ${file}: becomes no manifest`, () => {
        assert.deepEqual(thereAndBack(read(file)), { manifests: '', back: '' });
      });
      continue;
    }
    test(`${name} ${file}: comes back without loss`, () => {
      const { back } = thereAndBack(read(file));
      assert.deepEqual(kept(readOne(back) ?? ''), kept(readOne(read(file)) ?? ''));
    });

    test(`${name} ${file}: its manifests are refused for nothing but what is still to come`, () => {
      const { manifests } = thereAndBack(read(file), { pool: 'cmp0' });
      const { problems } = parseManifests([{ path: file, text: manifests, source: 'test' }]);
      const other = problems.filter(({ message }) => !message.includes('not supported yet'));
      assert.deepEqual(
        other.map(({ message }) => message),
        [],
      );
    });
  }

  test(`${name}: volatile.*, image.* and facts of the moment are in no manifest`, () => {
    for (const file of files) {
      const text = thereAndBack(read(file))
        .manifests.split('\n')
        .filter((line) => !line.startsWith('#'))
        .join('\n');
      assert.doesNotMatch(text, /volatile\.|image\.(?:os|architecture|description)|used_by|created_at/, file);
    }
  });
}

test('what was left out, kept aside or is not supported yet is told above the manifest', () => {
  const { manifests } = thereAndBack(recorded('instance.yaml'), { name: 'web' });
  const comments = manifests.split('\n').filter((line) => line.startsWith('#'));
  assert.deepEqual(comments, [
    '# Instance "web"',
    '# left out image.* (6 keys)',
    '# left out volatile.* (8 keys)',
    '# kept, but not supported yet: raw.lxc',
    '# device "eth0": kept, but not supported yet: limits.max',
    '# LXD\'s document names no image: declare an Image "busybox", or give another with --image',
  ]);
});

test("a pool in LXD's own directory does not become one in a manifest", () => {
  const { manifests } = thereAndBack(recorded('storage.yaml'));
  const [document] = parseManifests([{ path: 'a', text: manifests.replace(/^ +rsync.*\n/m, ''), source: 'test' }]).documents;
  assert.deepEqual(document?.spec, { driver: 'dir', config: { 'user.a': 'b' } });
});

test('the empty project of a dump of Incus is the default one', () => {
  const { manifests } = thereAndBack(INCUS.read('init-dump.yaml'));
  assert.match(INCUS.read('init-dump.yaml'), /project: ""/);
  assert.doesNotMatch(manifests, /project:/);
});

test('keys that only Incus has are kept and noted, and those nobody here knows are kept aside', () => {
  const { manifests } = thereAndBack(INCUS.read('profile-fork.yaml'), { from: 'incus' });
  const comments = manifests.split('\n').filter((line) => line.startsWith('#'));
  assert.ok(comments.includes('# kept aside, because Lockstep does not know them: agent.nic_config'));
  assert.ok(comments.includes('# kept, but not supported yet: limits.cpu.nodes, security.guestapi, snapshots.schedule'));
});
