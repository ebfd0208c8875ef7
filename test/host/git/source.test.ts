// Git sources against real repositories: what is read, what is refused, and what stays in force.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import { GitBench } from './remote.ts';

const NEVER = new AbortController().signal;

function texts(snapshot: { readonly files: readonly { path: string; text: string | undefined }[] }): Record<string, string | undefined> {
  return Object.fromEntries(snapshot.files.map((file) => [file.path, file.text]));
}

async function refusal(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  return assert.fail('it was not refused');
}

test('reads the manifests of the default branch, and of what is pushed to it', async (t) => {
  const bench = await GitBench.make(t, { 'a.yaml': 'kind: A\n', 'hosts/b.yml': 'kind: B\n', 'notes.md': 'no', '.hidden/c.yaml': 'no' });
  const source = bench.source(t, bench.options());
  const first = await source.read(NEVER);
  assert.deepEqual(texts(first), { 'main:a.yaml': 'kind: A\n', 'main:hosts/b.yml': 'kind: B\n' });
  assert.equal(first.revision, await bench.git('rev-parse', 'HEAD'));
  assert.equal(first.complete, true);
  assert.equal(first.outdated, undefined);

  let told = 0;
  await source.watch(() => void told++);
  const commit = await bench.commit({ 'a.yaml': 'kind: A2\n', 'hosts/b.yml': null });
  await source.refresh(NEVER);
  const second = await source.read(NEVER);
  assert.equal(second.revision, commit);
  assert.deepEqual(texts(second), { 'main:a.yaml': 'kind: A2\n' });
  assert.equal(told, 1);
  assert.ok(second.since >= first.since);
  await source.refresh(NEVER);
  assert.equal(told, 1, 'nothing moved, so nothing is told');
  assert.equal((await source.read(NEVER)).since, second.since);
});

test('looks at the remote by itself', async (t) => {
  const bench = await GitBench.make(t);
  const source = bench.source(t, bench.options(bench.url, { intervalMs: 100 }));
  await source.read(NEVER);
  const changed = Promise.withResolvers<void>();
  await source.watch(() => changed.resolve());
  const commit = await bench.commit({ 'a.yaml': 'kind: A2\n' });
  await changed.promise;
  assert.equal((await source.read(NEVER)).revision, commit);
});

test('reads only the directory it was given, and says when there is none', async (t) => {
  const bench = await GitBench.make(t, { 'a.yaml': 'kind: A\n', 'hosts/x/b.yaml': 'kind: B\n', 'hosts/xy/c.yaml': 'kind: C\n' });
  const source = bench.source(t, bench.options(`${bench.url}#main:hosts/x`));
  assert.deepEqual(texts(await source.read(NEVER)), { 'main:hosts/x/b.yaml': 'kind: B\n' });
  const missing = bench.source(t, bench.options(`${bench.url}:nowhere`));
  assert.match((await refusal(missing.read(NEVER))).message, /no directory "nowhere"/);
  const file = bench.source(t, bench.options(`${bench.url}:a.yaml`));
  assert.match((await refusal(file.read(NEVER))).message, /no directory "a.yaml"/);
});

test('honours .lockstepignore, and names what it cannot use', async (t) => {
  const bench = await GitBench.make(t, {
    '.lockstepignore': 'drafts/\n*.skip.yaml\n!keep.skip.yaml\n',
    'a.yaml': 'kind: A\n',
    'x.skip.yaml': 'no',
    'keep.skip.yaml': 'kind: K\n',
    'drafts/d.yaml': 'no',
    'sub/.lockstepignore': '/e.yaml\n',
    'sub/e.yaml': 'no',
    'sub/f.yaml': 'kind: F\n',
  });
  const source = bench.source(t, bench.options());
  const snapshot = await source.read(NEVER);
  assert.deepEqual(Object.keys(texts(snapshot)), ['main:a.yaml', 'main:keep.skip.yaml', 'main:sub/f.yaml']);

  symlinkSync('/etc/passwd', join(bench.work, 'link.yaml'));
  writeFileSync(join(bench.work, 'latin.yaml'), Buffer.from([0x61, 0xe9, 0x0a]));
  await bench.git('update-index', '--add', '--cacheinfo', `160000,${snapshot.revision},module`);
  await bench.commit({ 'big.yaml': `# ${'x'.repeat(5 * 1024 * 1024)}\n` });
  await source.refresh(NEVER);
  const worse = await source.read(NEVER);
  assert.equal(worse.complete, false);
  const errors = Object.fromEntries(worse.files.flatMap((file) => (file.error === undefined ? [] : [[file.path, file.error]])));
  assert.match(errors['main:link.yaml'] ?? '', /symbolic link/);
  assert.match(errors['main:latin.yaml'] ?? '', /UTF-8/);
  assert.match(errors['main:big.yaml'] ?? '', /larger than/);
  assert.ok(!JSON.stringify(worse).includes('root:x:0:0'), 'the link was not followed');
});

test('reports a submodule instead of leaving it out', async (t) => {
  const bench = await GitBench.make(t);
  const head = await bench.git('rev-parse', 'HEAD');
  await bench.git('update-index', '--add', '--cacheinfo', `160000,${head},module`);
  await bench.git('commit', '--quiet', '-m', 'submodule');
  await bench.git('push', '--quiet', 'origin', 'HEAD');
  const snapshot = await bench.source(t, bench.options()).read(NEVER);
  assert.equal(snapshot.complete, false);
  assert.match(snapshot.files.find((file) => file.path === 'main:module')?.error ?? '', /submodule/);
});

test('follows tags, ranges of versions and a commit', async (t) => {
  const bench = await GitBench.make(t, { 'a.yaml': 'one\n' });
  const one = await bench.git('rev-parse', 'HEAD');
  await bench.git('tag', 'v1.0.0');
  const two = await bench.commit({ 'a.yaml': 'two\n' });
  await bench.git('tag', '-a', '-m', 'two', 'v1.4.0');
  await bench.commit({ 'a.yaml': 'three\n' });
  await bench.git('tag', 'v2.0.0');
  await bench.git('tag', 'v1.5.0-rc.1');
  await bench.git('push', '--quiet', '--tags', 'origin');
  const revision = async (ref: string): Promise<string> => {
    const source = bench.source(t, bench.options(`${bench.url}#${ref}`));
    const { revision: found } = await source.read(NEVER);
    await source.close();
    return found;
  };
  assert.equal(await revision('v1.0.0'), one);
  assert.equal(await revision('refs/tags/v1.4.0'), two);
  assert.equal(await revision('^1.0'), two);
  assert.equal(await revision(one), one);

  const range = bench.source(t, bench.options(`${bench.url}#^1.0`));
  assert.equal((await range.read(NEVER)).revision, two);
  await bench.git('tag', 'v1.6.0');
  await bench.git('push', '--quiet', '--tags', 'origin');
  await range.refresh(NEVER);
  const six = (await range.read(NEVER)).revision;
  assert.equal(six, await bench.git('rev-parse', 'v1.6.0'));
  await bench.git('push', '--quiet', 'origin', ':refs/tags/v1.6.0');
  await range.refresh(NEVER);
  const after = await range.read(NEVER);
  assert.equal(after.revision, six, 'a version that went back changes nothing');
  assert.match(after.outdated ?? '', /went back from "v1\.6\.0" to "v1\.4\.0"/);
});

test('refuses a tag that was moved', async (t) => {
  const bench = await GitBench.make(t);
  await bench.git('tag', 'v1');
  await bench.git('push', '--quiet', '--tags', 'origin');
  const source = bench.source(t, bench.options(`${bench.url}#refs/tags/v1`));
  const first = (await source.read(NEVER)).revision;
  await bench.commit({ 'a.yaml': 'kind: B\n' });
  await bench.git('tag', '-f', 'v1');
  await bench.git('push', '--quiet', '--force', '--tags', 'origin');
  await source.refresh(NEVER);
  const after = await source.read(NEVER);
  assert.equal(after.revision, first);
  assert.match(after.outdated ?? '', /was moved/);
});

test('refuses a rewritten branch, also after a restart, until it is allowed', async (t) => {
  const bench = await GitBench.make(t);
  const good = await bench.commit({ 'a.yaml': 'kind: Good\n' });
  const source = bench.source(t, bench.options());
  assert.equal((await source.read(NEVER)).revision, good);
  await bench.git('reset', '--quiet', '--hard', 'HEAD~1');
  const rewritten = await bench.commit({ 'a.yaml': 'kind: Evil\n' }, { push: ['--force'] });
  await source.refresh(NEVER);
  const after = await source.read(NEVER);
  assert.equal(after.revision, good);
  assert.deepEqual(texts(after), { 'main:a.yaml': 'kind: Good\n' });
  assert.match(after.outdated ?? '', /rewritten or rolled back.*allowRewrite/);
  await source.close();

  const again = bench.source(t, bench.options());
  const restored = await again.read(NEVER);
  assert.equal(restored.revision, good);
  assert.match(restored.outdated ?? '', /rewritten/);
  await again.close();

  const allowed = bench.source(t, bench.options(bench.url, { allowRewrite: true }));
  const now = await allowed.read(NEVER);
  assert.equal(now.revision, rewritten);
  assert.equal(now.outdated, undefined);
});

test('refuses a branch that was rolled back, and takes it when the record is deleted', async (t) => {
  const bench = await GitBench.make(t);
  const old = await bench.git('rev-parse', 'HEAD');
  const good = await bench.commit({ 'a.yaml': 'kind: Good\n' });
  const source = bench.source(t, bench.options());
  await source.read(NEVER);
  await bench.git('push', '--quiet', '--force', 'origin', `${old}:main`);
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, good);
  rmSync(join(bench.state, 'git/sources/main.json'));
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, old);
});

/** Commits in the mirror, of all that was fetched. */
function commitsKept(bench: GitBench): number {
  const mirrors = join(bench.state, 'git/mirrors');
  const directory = join(mirrors, readdirSync(mirrors)[0] ?? '');
  return Number(execFileSync('git', ['-C', directory, 'rev-list', '--all', '--count'], { encoding: 'utf8' }));
}

test('begins with one commit, keeps what follows, and asks for what lies before only when it has to know', async (t) => {
  const bench = await GitBench.make(t);
  for (let at = 0; at < 3; at++) await bench.commit({ 'a.yaml': `kind: N${at}\n` });
  const source = bench.source(t, bench.options());
  await source.read(NEVER);
  assert.equal(commitsKept(bench), 1);
  for (let at = 3; at < 5; at++) await bench.commit({ 'a.yaml': `kind: N${at}\n` });
  await source.refresh(NEVER);
  assert.deepEqual(texts(await source.read(NEVER)), { 'main:a.yaml': 'kind: N4\n' });
  assert.equal(commitsKept(bench), 3);

  // A branch that forked before the first one is taken with all of its history, once it is merged.
  await bench.git('checkout', '--quiet', '-b', 'side', 'HEAD~4');
  await bench.commit({ 'b.yaml': 'kind: Side\n' });
  await bench.git('checkout', '--quiet', 'main');
  await bench.git('merge', '--quiet', '--no-edit', 'side');
  await bench.git('push', '--quiet', 'origin', 'main');
  await source.refresh(NEVER);
  const merged = await source.read(NEVER);
  assert.equal(merged.outdated, undefined);
  assert.deepEqual(Object.keys(texts(merged)), ['main:a.yaml', 'main:b.yaml']);
});

test('refuses a rewrite behind its first commit without asking for older history', async (t) => {
  const bench = await GitBench.make(t);
  for (let at = 0; at < 3; at++) await bench.commit({ 'a.yaml': `kind: N${at}\n` });
  const source = bench.source(t, bench.options());
  await source.read(NEVER);
  await bench.commit({ 'a.yaml': 'kind: Good\n' });
  await source.refresh(NEVER);
  await bench.git('reset', '--quiet', '--hard', 'HEAD~1');
  await bench.commit({ 'a.yaml': 'kind: Evil\n' }, { push: ['--force'] });
  await source.refresh(NEVER);
  const after = await source.read(NEVER);
  assert.match(after.outdated ?? '', /rewritten or rolled back/);
  assert.deepEqual(texts(after), { 'main:a.yaml': 'kind: Good\n' });
  assert.equal(commitsKept(bench), 3, 'the first, the good one, the refused one');
});

test('a mirror that was lost is made anew, and the last good commit still counts', async (t) => {
  const bench = await GitBench.make(t);
  for (let at = 0; at < 2; at++) await bench.commit({ 'a.yaml': `kind: N${at}\n` });
  const source = bench.source(t, bench.options());
  await source.read(NEVER);
  await source.close();
  const lose = (): void => rmSync(join(bench.state, 'git/mirrors'), { recursive: true });

  lose();
  const good = await bench.commit({ 'a.yaml': 'kind: Good\n' });
  const again = bench.source(t, bench.options());
  const found = await again.read(NEVER);
  assert.deepEqual([found.revision, found.outdated], [good, undefined]);
  assert.equal(commitsKept(bench), 4, 'all history, to find the last good one in it');
  await again.close();

  lose();
  await bench.git('reset', '--quiet', '--hard', 'HEAD~2');
  await bench.commit({ 'a.yaml': 'kind: Evil\n' }, { push: ['--force'] });
  const refused = bench.source(t, bench.options());
  assert.match((await refusal(refused.read(NEVER))).message, /rewritten or rolled back/);
});

test('keeps the last good commit when the branch is deleted, and recovers when it is back', async (t) => {
  const bench = await GitBench.make(t);
  await bench.git('push', '--quiet', 'origin', 'HEAD:refs/heads/prod');
  const source = bench.source(t, bench.options(`${bench.url}#prod`));
  const { revision } = await source.read(NEVER);
  await bench.git('push', '--quiet', 'origin', ':prod');
  await source.refresh(NEVER);
  const gone = await source.read(NEVER);
  assert.equal(gone.revision, revision);
  assert.match(gone.outdated ?? '', /no branch or tag "prod"/);
  await bench.git('push', '--quiet', 'origin', 'HEAD:refs/heads/prod');
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).outdated, undefined);
});

test('starts with the last good commit while the remote is away', async (t) => {
  const bench = await GitBench.make(t);
  const source = bench.source(t, bench.options());
  const { revision, since } = await source.read(NEVER);
  await source.close();
  rmSync(bench.bare, { recursive: true });
  const again = bench.source(t, bench.options());
  const restored = await again.read(NEVER);
  assert.equal(restored.revision, revision);
  assert.equal(restored.since, since);
  assert.deepEqual(texts(restored), { 'main:a.yaml': 'kind: A\n' });
  assert.match(restored.outdated ?? '', /no such repository/);

  const stranger = bench.source(t, bench.options(`${bench.url}#other`));
  assert.equal((await refusal(stranger.read(NEVER))).code, 'SOURCE_UNREADABLE');
});

test('makes a truncated mirror anew', async (t) => {
  const bench = await GitBench.make(t);
  const source = bench.source(t, bench.options());
  const { revision } = await source.read(NEVER);
  await source.close();
  const mirrors = join(bench.state, 'git/mirrors');
  let cut = 0;
  for (const name of readdirSync(mirrors, { recursive: true, encoding: 'utf8' })) {
    if (!/objects\/(?:[0-9a-f]{2}\/|pack\/.*\.pack$)/.test(name)) continue;
    chmodSync(join(mirrors, name), 0o600);
    truncateSync(join(mirrors, name), 5);
    cut += 1;
  }
  assert.ok(cut > 0);
  const again = bench.source(t, bench.options());
  const mended = await again.read(NEVER);
  assert.equal(mended.revision, revision);
  assert.equal(mended.outdated, undefined);
  assert.deepEqual(texts(mended), { 'main:a.yaml': 'kind: A\n' });
});

test('runs no hook and reads no configuration of the host', async (t) => {
  const bench = await GitBench.make(t);
  const trace = join(bench.root, 'hook-ran');
  const hooks = join(bench.root, 'hooks');
  mkdirSync(hooks);
  for (const hook of ['reference-transaction', 'post-update', 'update', 'post-checkout']) {
    writeFileSync(join(hooks, hook), `#!/bin/sh\ntouch ${trace}\n`, { mode: 0o755 });
  }
  const source = bench.source(t, bench.options());
  await source.read(NEVER);
  const mirror = join(bench.state, 'git/mirrors', readdirSync(join(bench.state, 'git/mirrors'))[0] ?? '');
  writeFileSync(join(mirror, 'config'), `${readFileSync(join(mirror, 'config'), 'utf8')}[core]\n\thooksPath = ${hooks}\n`);
  await bench.commit({ 'a.yaml': 'kind: B\n' });
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).files[0]?.text, 'kind: B\n');
  assert.ok(!readdirSync(bench.root).includes('hook-ran'));
});

test('shares one mirror between sources of one remote', async (t) => {
  const bench = await GitBench.make(t, { 'x/a.yaml': 'kind: A\n', 'y/b.yaml': 'kind: B\n' });
  const mirrors = bench.mirrors();
  const x = bench.source(t, bench.options(`${bench.url}:x`), mirrors);
  const y = bench.source(t, bench.options(`${bench.url}:y`), mirrors);
  const [a, b] = await Promise.all([x.read(NEVER), y.read(NEVER)]);
  assert.deepEqual(Object.keys({ ...texts(a), ...texts(b) }), ['main:x/a.yaml', 'main:y/b.yaml']);
  assert.equal(readdirSync(join(bench.state, 'git/mirrors')).length, 1);
});
