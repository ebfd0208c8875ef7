import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignoreFiles, manifestsIn, parseTree, type TreeManifest } from '../../../../src/sources/git/tree.ts';
import { DEFAULT_LIMITS, type WalkLimits } from '../../../../src/sources/manifest-file.ts';

const ID = 'a'.repeat(40);

function tree(...lines: (readonly [mode: string, type: string, size: string, path: string | Buffer])[]): Buffer {
  return Buffer.concat(
    lines.map(([mode, type, size, path]) =>
      Buffer.concat([Buffer.from(`${mode} ${type} ${ID} ${size.padStart(7)}\t`), Buffer.from(path), Buffer.of(0)]),
    ),
  );
}

function files(...paths: string[]): Buffer {
  return tree(...paths.map((path) => ['100644', 'blob', '10', path] as const));
}

function select(bytes: Buffer, ignore: Record<string, string | undefined> = {}, limits: Partial<WalkLimits> = {}): TreeManifest[] {
  return manifestsIn(parseTree(bytes), new Map(Object.entries(ignore)), { ...DEFAULT_LIMITS, ...limits });
}

function named(manifests: readonly TreeManifest[]): string[] {
  return manifests.map(({ path, error }) => (error === undefined ? path : `${path}: ${error}`));
}

test('chooses manifests as a directory does', () => {
  assert.deepEqual(named(select(files('b.yml', 'a.yaml', 'c.json', 'd.md', '.e.yaml', '.f/g.yaml', 'h/.i/j.yaml', 'k/l.yaml'))), [
    'a.yaml',
    'b.yml',
    'c.json',
    'k/l.yaml',
  ]);
});

test('paths may hold newlines, tabs and quotes', () => {
  assert.deepEqual(named(select(files('a\nb.yaml', 'c\td.yaml', 'e"f.yaml'))), ['a\nb.yaml', 'c\td.yaml', 'e"f.yaml']);
});

test('names what it cannot use instead of leaving it out', () => {
  const bytes = tree(
    ['120000', 'blob', '9', 'link.yaml'],
    ['120000', 'blob', '9', 'link'],
    ['160000', 'commit', '-', 'module'],
    ['100644', 'blob', '9', Buffer.from([0x62, 0xff, 0x2e, 0x79, 0x6d, 0x6c])],
    ['100644', 'blob', '99999999', 'large.yaml'],
  );
  const found = select(bytes);
  assert.equal(found.length, 4);
  assert.ok(found.every((one) => one.error !== undefined));
});

test('limits are told at the file that is beyond them', () => {
  const found = select(files('a.yaml', 'b.yaml', 'c.yaml', 'd/e/f.yaml'), {}, { files: 2, depth: 1 });
  assert.deepEqual(
    found.map((one) => one.error === undefined),
    [true, true, false, false],
  );
  assert.match(select(files('a.yaml', 'b.yaml'), {}, { totalBytes: 15 })[1]?.error ?? '', /15 bytes/);
});

test('ignore files count from their directory downwards, not where they are ignored themselves', () => {
  const bytes = files(
    '.lockstepignore',
    'x/.lockstepignore',
    'x/a.yaml',
    'x/y/b.yaml',
    'c.yaml',
    'z/.lockstepignore',
    'z/d.yaml',
    '.h/.lockstepignore',
  );
  assert.deepEqual(
    ignoreFiles(parseTree(bytes)).map((entry) => entry.path),
    ['.lockstepignore', 'x/.lockstepignore', 'z/.lockstepignore'],
  );
  const ignore = { '.lockstepignore': 'z/\n', 'x/.lockstepignore': '/a.yaml\n', 'z/.lockstepignore': '!d.yaml\n' };
  assert.deepEqual(named(select(bytes, ignore)), ['c.yaml', 'x/y/b.yaml']);
  assert.deepEqual(named(select(tree(['160000', 'commit', '-', 'vendor/lib']), { '.lockstepignore': 'vendor/\n' })), []);
});

test('an ignore file that cannot be read is a problem', () => {
  assert.match(named(select(files('.lockstepignore', 'a.yaml'), { '.lockstepignore': undefined }))[0] ?? '', /no text file/);
  assert.match(named(select(files('.lockstepignore', 'a.yaml'), { '.lockstepignore': 'x\n'.repeat(2000) }))[0] ?? '', /patterns/);
});

test('a listing that was cut off is no listing', () => {
  const bytes = files('a.yaml', 'b.yaml');
  assert.throws(() => parseTree(bytes.subarray(0, bytes.length - 3)));
});
