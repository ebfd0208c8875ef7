// Documents printed by LXD 5.0.2's own client (recorded by `npm run compare:lxd`), made into manifests and back.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kept, readOne, thereAndBack } from '../../../../../scripts/compare-lxd/convert-documents.ts';
import { parseManifests } from '../../../../../src/schemas/parse.ts';

const DIR = join(import.meta.dirname, '../../../../data/lxd-5.0.2/documents');

function recorded(name: string): string {
  return readFileSync(join(DIR, name), 'utf8');
}

const LEFT_OUT = new Set(['network-unmanaged.yaml', 'volume-container.yaml']);
const files = readdirSync(DIR).toSorted();
assert.equal(files.length, 11);

for (const file of files) {
  if (LEFT_OUT.has(file)) {
    test(`${file}: becomes no manifest`, () => {
      assert.deepEqual(thereAndBack(recorded(file)), { manifests: '', back: '' });
    });
    continue;
  }
  test(`${file}: comes back without loss`, () => {
    const { back } = thereAndBack(recorded(file));
    assert.deepEqual(kept(readOne(back) ?? ''), kept(readOne(recorded(file)) ?? ''));
  });

  test(`${file}: its manifests are refused for nothing but what is still to come`, () => {
    const { manifests } = thereAndBack(recorded(file), { pool: 'cmp0' });
    const { problems } = parseManifests([{ path: file, text: manifests, source: 'test' }]);
    // The volume of a pool as a disk's source is told as a source that is no path.
    const other = problems.filter(
      ({ rule, message }) => rule !== 'not-supported-yet' && !message.startsWith('The value of "source" is "data"'),
    );
    assert.deepEqual(
      other.map(({ message }) => message),
      [],
    );
  });
}

test('volatile.*, image.* and facts of the moment are in no manifest', () => {
  for (const file of files) {
    const text = thereAndBack(recorded(file))
      .manifests.split('\n')
      .filter((line) => !line.startsWith('#'))
      .join('\n');
    assert.doesNotMatch(text, /volatile\.|image\.(?:os|architecture|description)|used_by|created_at/, file);
  }
});

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
