// lockstep convert as a person runs it: files and pipes, notes on stderr, exit codes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockstep, PROJECT } from './run-lockstep.ts';

const DOCUMENTS = join(PROJECT, 'test/data/lxd-5.0.2/documents');

test('a profile LXD printed becomes a manifest that validates, and LXD gets its own text back', async () => {
  const file = join(DOCUMENTS, 'profile-default.yaml');
  const there = await lockstep(['convert', file]);
  assert.deepEqual([there.code, there.stderr], [0, '']);
  const valid = await lockstep(['validate', '-'], { stdin: there.stdout });
  // The pool and the network it names are declared elsewhere.
  assert.doesNotMatch(valid.stdout, /unknown-key|schema/);
  const back = await lockstep(['convert', '--to', 'lxd', '-'], { stdin: there.stdout });
  assert.equal(back.code, 0);
  const printed = readFileSync(file, 'utf8').replace(/used_by:[^]*/, '');
  assert.equal(back.stdout, `# Profile "default", as "lxc profile show" prints it\n${printed}`);
});

test('what is left out is told on stderr, and stdout holds nothing but documents', async () => {
  const { code, stdout, stderr } = await lockstep(['convert', '--name', 'web', join(DOCUMENTS, 'instance.yaml')]);
  assert.equal(code, 0);
  assert.match(stderr, /^note: Instance "web": left out volatile\.\* \(8 keys\)$/m);
  assert.match(stdout, /^kind: Instance$/m);
  assert.doesNotMatch(stdout, /^note/m);
});

test('--quiet keeps the notes to the comments', async () => {
  const { stderr, stdout } = await lockstep(['-q', 'convert', '--name', 'web', join(DOCUMENTS, 'instance.yaml')]);
  assert.equal(stderr, '');
  assert.match(stdout, /^# left out volatile/m);
});

test('what cannot be converted is told with its place, and the exit code is 1', async () => {
  const { code, stdout, stderr } = await lockstep(['convert', '-'], { stdin: '\nsome: thing\n' });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^<stdin>:2:1: error: This is no document of LXD that can be told by its shape\.$/m);
  const missing = await lockstep(['convert', '/nonexistent.yaml']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /there is no such file/);
  assert.equal((await lockstep(['convert', '--to', 'pdf', '-'])).code, 64);
});

test('-o json gives documents and notes for scripts', async () => {
  const { code, stdout } = await lockstep(['-o', 'json', 'convert', '--name', 'web', join(DOCUMENTS, 'instance.yaml')]);
  const [only, ...others] = JSON.parse(stdout) as { title: string; document: { kind: string }; notes: string[] }[];
  assert.deepEqual([code, others, only?.title, only?.document.kind], [0, [], 'Instance "web"', 'Instance']);
  assert.ok(only?.notes.includes('left out volatile.* (8 keys)'));
});
