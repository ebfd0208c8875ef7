// `validate` as a person and a pipeline run it: real files, exit codes, every format.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runValidate } from '../../src/cli/offline/validate.ts';

const GOOD = 'apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: good }\n';
const TYPO = 'apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: typo }\nspec:\n  config:\n    limits.cpus: 2\n';

let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lockstep-validate-'));
  await mkdir(join(dir, 'set/deeper'), { recursive: true });
  await mkdir(join(dir, 'set/skipped'));
  await writeFile(join(dir, 'set/good.yaml'), GOOD);
  await writeFile(join(dir, 'set/deeper/typo.yml'), TYPO);
  await writeFile(join(dir, 'set/.hidden.yaml'), 'not: yaml: at: all');
  await writeFile(join(dir, 'set/notes.txt'), 'no manifest');
  await writeFile(join(dir, 'set/.lockstepignore'), 'skipped/\n');
  await writeFile(join(dir, 'set/skipped/bad.yaml'), 'a: [');
  await writeFile(join(dir, 'outside.yaml'), 'a: [');
});

after(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function run(argv: string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io = {
    stdin: bytes(stdin),
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    version: '1.2.3',
  };
  const code = await runValidate(argv, io);
  return { code, out: out.replaceAll(dir, 'DIR'), err };
}

test('shows the line, a mark below it and the right word', async () => {
  const { code, out } = await run([join(dir, 'set')]);
  assert.equal(code, 1);
  assert.equal(
    out,
    [
      'DIR/set/deeper/typo.yml:6:5: error: The key "limits.cpus" is not known in the config of an instance. [unknown-key]',
      ' 6 |     limits.cpus: 2',
      '   |     ^^^^^^^^^^^',
      '  hint: Did you mean "limits.cpu"?',
      '',
      '2 files, 1 valid document: 1 error in 1 file.',
      '',
    ].join('\n'),
  );
});

test('is content with what is right', async () => {
  assert.deepEqual(await run([join(dir, 'set/good.yaml')]), { code: 0, out: '1 file, 1 valid document: no problems.\n', err: '' });
});

test('reads standard input', async () => {
  assert.equal((await run(['-'], GOOD)).code, 0);
  const { code, out } = await run(['-'], TYPO);
  assert.equal(code, 1);
  assert.match(out, /^<stdin>:6:5: error:/);
});

test('a file that two paths lead to is no duplicate', async () => {
  const { code, out } = await run([join(dir, 'set/good.yaml'), join(dir, 'set'), join(dir, 'set/../set/good.yaml')]);
  assert.equal(code, 1);
  assert.doesNotMatch(out, /declared/);
});

test('a path that is not there is an error, and the others are still read', async () => {
  const { code, out } = await run([join(dir, 'nothing'), join(dir, 'set/good.yaml')]);
  assert.equal(code, 1);
  assert.match(out, /^DIR\/nothing:1:1: error: Cannot be read: there is no such file or directory\./);
  assert.match(out, /1 file, 1 valid document/);
});

test('does not follow a link out of the directory', async (t) => {
  const link = join(dir, 'set/link.yaml');
  await symlink(join(dir, 'outside.yaml'), link);
  t.after(() => rm(link));
  const { out } = await run([join(dir, 'set')]);
  assert.match(out, /link\.yaml:1:1: error: Cannot be read: .*link that leads out/);
  assert.doesNotMatch(out, /yaml-syntax/);
});

test('a file name cannot write to the terminal', async (t) => {
  const file = join(dir, 'set/\u001b[31mred\n.yaml');
  await writeFile(file, 'a: [');
  t.after(() => rm(file));
  // oxlint-disable-next-line no-control-regex -- what must not be there
  assert.doesNotMatch((await run([join(dir, 'set')])).out, /\u001b/);
});

test('JSON tells the same to programs', async () => {
  const { code, out } = await run([join(dir, 'set'), '--format', 'json']);
  assert.equal(code, 1);
  const report = JSON.parse(out) as { valid: boolean; files: number; documents: number; problems: Record<string, unknown>[] };
  assert.deepEqual({ ...report, problems: [] }, { valid: false, files: 2, documents: 1, problems: [] });
  assert.deepEqual(report.problems[0], {
    file: 'DIR/set/deeper/typo.yml',
    line: 6,
    column: 5,
    endLine: 6,
    endColumn: 16,
    severity: 'error',
    rule: 'unknown-key',
    field: 'spec.config.limits.cpus',
    message: 'The key "limits.cpus" is not known in the config of an instance.',
    hint: 'Did you mean "limits.cpu"?',
  });
});

test('SARIF has rule, place and sentence', async () => {
  const { out } = await run([join(dir, 'set'), '--format=sarif']);
  const sarif = JSON.parse(out) as { version: string; runs: { tool: { driver: object }; results: Record<string, unknown>[] }[] };
  assert.equal(sarif.version, '2.1.0');
  assert.deepEqual(sarif.runs[0]!.tool.driver, { name: 'lockstep', version: '1.2.3', rules: [{ id: 'unknown-key' }] });
  const [result] = sarif.runs[0]!.results;
  assert.equal(result!['ruleId'], 'unknown-key');
  assert.match(JSON.stringify(result!['locations']), /"startLine":6,"startColumn":5,"endLine":6,"endColumn":16/);
});

test('GitHub commands escape what would end them', async () => {
  const { out } = await run(['-', '--format=github'], 'apiVersion: lockstep/v1\nkind: "a,b:c%\\n::error::x"\n');
  assert.equal(out.split('\n').length, 2);
  assert.match(
    out,
    /^::error file=<stdin>,line=2,col=7,endLine=2,endColumn=27,title=value::The kind "a,b:c%25\\n::error::x" is not known\./,
  );
});

test('JUnit has a case per file and stays XML whatever is in it', async () => {
  const { out } = await run([join(dir, 'set'), '-', '--format=junit'], 'apiVersion: "<&>\\""\n');
  assert.match(out, /tests="3" failures="2"/);
  assert.match(out, /<testcase classname="lockstep validate" name="DIR\/set\/good\.yaml"><\/testcase>/);
  assert.match(out, /&lt;&amp;&gt;/);
});

test('a wrong command line is told apart from wrong manifests', async () => {
  for (const argv of [[], ['--format', 'xml', 'a'], ['--nonsense', 'a']]) {
    const { code, out, err } = await run(argv);
    assert.equal(code, 64);
    assert.equal(out, '');
    assert.match(err, /usage: lockstep validate/);
  }
  assert.equal((await run(['--help'])).code, 0);
});

test('says so when there is nothing to check', async () => {
  const { code, err } = await run([join(dir, 'set/skipped/..', 'skipped', '..', '..', 'set', 'deeper', '..', 'notes.txt')]);
  assert.equal(code, 1);
  assert.equal(err, '');
  await mkdir(join(dir, 'empty'), { recursive: true });
  const empty = await run([join(dir, 'empty')]);
  assert.equal(empty.code, 0);
  assert.match(empty.err, /no manifests/);
});
