// `validate --rev` and `--changed-since` on a real git repository.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runValidate } from '../../src/cli/offline/validate.ts';

const HEAD = 'apiVersion: lockstep/v1\n';
const GOOD = `${HEAD}kind: Profile\nmetadata: { name: good }\n`;
const TYPO = `${HEAD}kind: Profile\nmetadata: { name: typo }\nspec: { confg: {} }\n`;
const IMAGE = `${HEAD}kind: Image\nmetadata: { name: box }\nspec: { source: { build: { type: busybox } } }\n`;
const USES = `${HEAD}kind: Instance\nmetadata: { name: web }\nspec: { image: box, profiles: [good], devices: { root: { type: disk, path: /, pool: fast } } }\n`;
const POOL = `${HEAD}kind: StoragePool\nmetadata: { name: fast }\nspec: { driver: dir }\n`;

let dir: string;

function git(...argv: string[]): void {
  const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1' };
  execFileSync('git', ['-C', dir, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...argv], { env, stdio: 'pipe' });
}

function commit(tag: string): void {
  git('add', '-A');
  git('commit', '-q', '-m', tag);
  git('tag', tag);
}

before(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'lockstep-rev-')));
  git('init', '-q');
  await mkdir(join(dir, 'set'));
  await writeFile(join(dir, 'set/old.yaml'), TYPO);
  await writeFile(join(dir, 'set/good.yaml'), GOOD);
  await writeFile(join(dir, 'set/.lockstepignore'), 'skipped.yaml\n');
  await writeFile(join(dir, 'set/skipped.yaml'), 'a: [');
  await writeFile(join(dir, 'set/use.yaml'), [IMAGE, POOL, USES].join('---\n'));
  await symlink('old.yaml', join(dir, 'set/link.yaml'));
  commit('first');
  await rm(join(dir, 'set/good.yaml'));
  await rm(join(dir, 'set/link.yaml'));
  await writeFile(join(dir, 'set/new.yaml'), 'kind: Nope\n');
  commit('second');
  await writeFile(join(dir, 'set/new.yaml'), 'work tree only: [');
});

after(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; found: string[]; err: string }> {
  let out = '';
  let err = '';
  const code = await runValidate(['--format=json', ...argv], {
    stdin: (async function* () {})(),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  });
  const { problems } = JSON.parse(out === '' ? '{"problems":[]}' : out) as { problems: { file: string; line: number; rule: string }[] };
  return { code, found: problems.map(({ file, line, rule }) => `${file.replace(dir, 'DIR')}:${line} ${rule}`), err };
}

test('a revision is checked as it was, whatever the work tree holds now', async () => {
  assert.deepEqual((await run('--rev', 'first', join(dir, 'set'))).found, [
    'DIR/set/link.yaml:1 unreadable-file',
    'DIR/set/old.yaml:4 unknown-key',
  ]);
  const second = ['DIR/set/new.yaml:1 required', 'DIR/set/old.yaml:4 unknown-key', 'DIR/set/use.yaml:14 dangling-reference'];
  assert.deepEqual((await run('--rev', 'HEAD', join(dir, 'set'))).found, second);
});

test('a directory that is gone, and a single file, are found in the revision', async () => {
  assert.deepEqual(await run('--rev', 'first', join(dir, 'set/good.yaml')), { code: 0, found: [], err: '' });
  assert.deepEqual((await run('--rev', 'second', join(dir, 'set/good.yaml'))).found, ['DIR/set/good.yaml:1 unreadable-file']);
});

test('since a revision: what changed, and what the change broke elsewhere', async () => {
  const { code, found } = await run('--changed-since', 'first', '--rev', 'second', join(dir, 'set'));
  assert.equal(code, 1);
  assert.deepEqual(found, ['DIR/set/new.yaml:1 required', 'DIR/set/use.yaml:14 dangling-reference']);
  assert.deepEqual((await run('--changed-since', 'second', join(dir, 'set'))).found, ['DIR/set/new.yaml:1 yaml-syntax']);
  assert.deepEqual(await run('--changed-since', 'second', '--rev', 'second', join(dir, 'set')), { code: 0, found: [], err: '' });
});

for (const rev of ['--upload-pack=x', '-h', 'HEAD:set', 'a b', '', 'nope', 'first..second']) {
  test(`"${rev}" is refused as a revision`, async () => {
    const { code, found, err } = await run(`--rev=${rev}`, join(dir, 'set'));
    assert.equal(code, 1);
    assert.deepEqual(found, []);
    assert.match(err, /revision/);
  });
}

test('a path outside of any repository is refused', async () => {
  const { code, err } = await run('--rev', 'HEAD', '/proc');
  assert.equal(code, 1);
  assert.match(err, /"\/proc" is not in a git repository/);
});

test('standard input has no revision', async () => {
  assert.equal((await run('--rev', 'HEAD', '-')).code, 64);
});

test('a hook, a filter and a file system monitor of the repository do not run', async () => {
  const mark = join(dir, 'ran');
  git('config', 'core.fsmonitor', `touch ${mark}`);
  git('config', 'filter.x.smudge', `touch ${mark}`);
  await writeFile(join(dir, '.git/info/attributes'), '* filter=x\n');
  await run('--rev', 'first', join(dir, 'set'));
  await assert.rejects(realpath(mark));
});
