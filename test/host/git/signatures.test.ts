// Commits and tags that must be signed by a pinned key, with real ssh-keygen and gpg.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../../src/core/errors.ts';
import { mustRun } from '../../../src/host/run/run.ts';
import type { GitVerify } from '../../../src/sources/git/options.ts';
import { GitBench, needsGpg, needsSshKeygen, newKey } from './remote.ts';

const NEVER = new AbortController().signal;

async function refusal(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  return assert.fail('it was not refused');
}

function sshSigning(key: string): string[] {
  return ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${key}.pub`];
}

async function pinnedSsh(bench: GitBench, name: string): Promise<{ key: string; verify: GitVerify }> {
  const key = await newKey(join(bench.root, name));
  const signers = join(bench.root, `${name}.signers`);
  writeFileSync(signers, `test@example.com namespaces="git" ${readFileSync(`${key}.pub`, 'utf8')}`);
  return { key, verify: { sshAllowedSigners: signers, require: 'commit' } };
}

test('takes commits signed with a pinned ssh key only', { skip: needsSshKeygen }, async (t) => {
  const bench = await GitBench.make(t);
  const { key, verify } = await pinnedSsh(bench, 'pinned');
  const source = bench.source(t, bench.options(bench.url, { verify }));
  const unsigned = await refusal(source.read(NEVER));
  assert.equal(unsigned.code, 'SOURCE_REFUSED');
  assert.match(unsigned.message, /not signed/);

  const good = await bench.commit({ 'a.yaml': 'kind: Signed\n' }, { config: sshSigning(key), commit: ['-S'] });
  await source.refresh(NEVER);
  const signed = await source.read(NEVER);
  assert.equal(signed.revision, good);
  assert.equal(signed.outdated, undefined);
  assert.match(signed.signer ?? '', /^test@example\.com \(SHA256:/);

  const stranger = await newKey(join(bench.root, 'stranger'));
  await bench.commit({ 'a.yaml': 'kind: Evil\n' }, { config: sshSigning(stranger), commit: ['-S'] });
  await source.refresh(NEVER);
  const after = await source.read(NEVER);
  assert.equal(after.revision, good);
  assert.match(after.outdated ?? '', /not one of a pinned key/);

  await bench.commit({ 'a.yaml': 'kind: Unsigned\n' });
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, good, 'an unsigned commit is refused, too');
  await source.close();

  const again = bench.source(t, bench.options(bench.url, { verify }));
  const restored = await again.read(NEVER);
  assert.equal(restored.revision, good);
  assert.equal(restored.signer, signed.signer, 'also after a restart');
  assert.match(restored.outdated ?? '', /not signed/);
});

test('no longer uses a last good commit whose key is not pinned any more', { skip: needsSshKeygen }, async (t) => {
  const bench = await GitBench.make(t);
  const { key, verify } = await pinnedSsh(bench, 'old');
  const other = await pinnedSsh(bench, 'new');
  await bench.commit({ 'a.yaml': 'kind: Signed\n' }, { config: sshSigning(key), commit: ['-S'] });
  const source = bench.source(t, bench.options(bench.url, { verify }));
  await source.read(NEVER);
  await source.close();
  const again = bench.source(t, bench.options(bench.url, { verify: other.verify }));
  assert.equal((await refusal(again.read(NEVER))).code, 'SOURCE_REFUSED');
});

test('takes signed tags of the right name only', { skip: needsSshKeygen }, async (t) => {
  const bench = await GitBench.make(t);
  const { key, verify } = await pinnedSsh(bench, 'pinned');
  const options = bench.options(`${bench.url}#^1`, { verify: { ...verify, require: 'tag' } });
  await bench.git(...sshSigning(key), 'tag', '-s', '-m', 'one', 'v1.0.0');
  await bench.git('push', '--quiet', '--tags', 'origin');
  const source = bench.source(t, options);
  const good = (await source.read(NEVER)).revision;
  assert.equal(good, await bench.git('rev-parse', 'HEAD'));

  await bench.commit({ 'a.yaml': 'kind: B\n' });
  await bench.git('tag', 'v1.1.0');
  await bench.git('push', '--quiet', '--tags', 'origin');
  await source.refresh(NEVER);
  const light = await source.read(NEVER);
  assert.equal(light.revision, good);
  assert.match(light.outdated ?? '', /lightweight tag/);

  // The signed tag of the old version under the name of a newer one.
  await bench.git('update-ref', 'refs/tags/v1.2.0', await bench.git('rev-parse', 'refs/tags/v1.0.0'));
  await bench.git('push', '--quiet', '--tags', 'origin');
  await source.refresh(NEVER);
  const renamed = await source.read(NEVER);
  assert.match(renamed.outdated ?? '', /another name/);

  await bench.git(...sshSigning(key), 'tag', '-s', '-m', 'three', 'v1.3.0');
  await bench.git('push', '--quiet', '--tags', 'origin');
  await source.refresh(NEVER);
  const newest = await source.read(NEVER);
  assert.equal(newest.revision, await bench.git('rev-parse', 'HEAD'));
  assert.equal(newest.outdated, undefined);
});

test('takes commits signed with a pinned OpenPGP key only', { skip: needsGpg }, async (t) => {
  const bench = await GitBench.make(t);
  const home = join(bench.root, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  const gpg = async (...argv: string[]): Promise<string> =>
    (await mustRun(['gpg', '--batch', ...argv], { env: { GNUPGHOME: home } })).stdout;
  t.after(() => mustRun(['gpgconf', '--kill', 'all'], { env: { GNUPGHOME: home } }).catch(() => {}));
  for (const who of ['pinned', 'stranger']) {
    await gpg(
      '--passphrase',
      '',
      '--pinentry-mode',
      'loopback',
      '--quick-generate-key',
      `${who} <${who}@example.com>`,
      'ed25519',
      'sign',
      '1d',
    );
  }
  const keys = join(bench.root, 'keys.asc');
  writeFileSync(keys, await gpg('--armor', '--export', 'pinned@example.com'));
  const verify: GitVerify = { openpgpKeys: [keys], require: 'commit' };
  const source = bench.source(t, bench.options(bench.url, { verify }));
  assert.equal((await refusal(source.read(NEVER))).code, 'SOURCE_REFUSED');

  const good = await bench.commit({ 'a.yaml': 'kind: Signed\n' }, { commit: ['-Spinned@example.com'] });
  await source.refresh(NEVER);
  const signed = await source.read(NEVER);
  assert.equal(signed.outdated, undefined);
  assert.equal(signed.revision, good);
  assert.match(signed.signer ?? '', /^pinned <pinned@example\.com> \([0-9A-F]{40}\)$/);

  await bench.commit({ 'a.yaml': 'kind: Evil\n' }, { commit: ['-Sstranger@example.com'] });
  await source.refresh(NEVER);
  const after = await source.read(NEVER);
  assert.equal(after.revision, good);
  assert.match(after.outdated ?? '', /not one of a pinned key/);
});
