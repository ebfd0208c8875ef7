// Git sources over real transports: git's http backend (with passwords, tokens, TLS), a real sshd, connections that break, large histories.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../src/core/errors.ts';
import { mustRun } from '../../../src/host/run/run.ts';
import { GitBench, needsSshd, newCertificate, newKey, serveHttp, serveSsh } from './remote.ts';

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

/** Everything below the run and state directories, and what processes were started with. */
function stored(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

test('asks over http what moved, and fetches only then', async (t) => {
  const bench = await GitBench.make(t);
  const remote = await serveHttp(t, bench);
  const source = bench.source(t, bench.options(remote.url));
  await source.read(NEVER);
  remote.requests.length = 0;
  await source.refresh(NEVER);
  const posts = remote.requests.filter((request) => request.startsWith('POST'));
  assert.equal(posts.length, 1, 'one listing, no transfer');
  const commit = await bench.commit({ 'a.yaml': 'kind: B\n' });
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, commit);
});

test('gives a password and a token to the remote, and leaves neither anywhere', async (t) => {
  const bench = await GitBench.make(t);
  const remote = await serveHttp(t, bench);
  const canary = `canary-${randomBytes(8).toString('hex')}`;
  const secret = join(bench.root, 'secret');
  writeFileSync(secret, `${canary}\n`, { mode: 0o600 });
  remote.expect = `Basic ${Buffer.from(`bot:${canary}`).toString('base64')}`;
  let seen = '';
  remote.intercept = () => {
    seen += processes();
    return false;
  };
  const basic = bench.source(t, bench.options(remote.url, { auth: { username: 'bot', passwordFile: secret } }));
  assert.equal((await basic.read(NEVER)).outdated, undefined);

  remote.expect = `Bearer ${canary}`;
  const bearer = bench.source(t, bench.options(remote.url, { auth: { tokenFile: secret } }));
  assert.equal((await bearer.read(NEVER)).outdated, undefined);
  assert.ok(!seen.includes(canary), 'not in arguments or environments');
  assert.ok(!stored(bench.run).includes(canary), 'not in the run directory');
  assert.ok(!stored(bench.state).includes(canary), 'not in the state directory');

  remote.expect = 'Bearer other';
  await bearer.refresh(NEVER);
  const { outdated } = await bearer.read(NEVER);
  assert.match(outdated ?? '', /refused the credentials/);
  assert.ok(!(outdated ?? '').includes(canary));
});

/** Arguments and environments of all processes. */
function processes(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1');
      } catch {
        return '';
      }
    })
    .join('\n');
}

test('sends no credentials to where a server redirects', async (t) => {
  const bench = await GitBench.make(t);
  const elsewhere = await serveHttp(t, bench);
  const remote = await serveHttp(t, bench);
  const secret = join(bench.root, 'secret');
  writeFileSync(secret, 'hunter2\n', { mode: 0o600 });
  remote.intercept = (request, response) => {
    response.writeHead(302, { location: `${elsewhere.url}${(request.url ?? '').replace('/remote.git', '')}` }).end();
    return true;
  };
  const source = bench.source(t, bench.options(remote.url, { auth: { tokenFile: secret } }));
  assert.match((await refusal(source.read(NEVER))).message, /sends us elsewhere/);
  assert.equal(elsewhere.requests.length, 0);
});

test('trusts the pinned authority only', async (t) => {
  const bench = await GitBench.make(t);
  const tls = await newCertificate(bench.root);
  if (tls === undefined) return t.skip('needs openssl');
  const remote = await serveHttp(t, bench, tls);
  const pinned = bench.source(t, bench.options(remote.url, { auth: { caFile: tls.ca } }));
  assert.equal((await pinned.read(NEVER)).outdated, undefined);
  const plain = bench.source(t, bench.options(remote.url));
  assert.match((await refusal(plain.read(NEVER))).message, /certificate is not trusted/);
});

test('keeps the last good commit when a transfer breaks half-way, and leaves no rest of it', async (t) => {
  const bench = await GitBench.make(t);
  const remote = await serveHttp(t, bench);
  const source = bench.source(t, bench.options(remote.url));
  const good = (await source.read(NEVER)).revision;
  const big = await bench.commit({ 'a.yaml': 'kind: B\n', 'noise.bin': randomBytes(3_000_000).toString('base64') });
  remote.cutAfterBytes = 1_000_000;
  await source.refresh(NEVER);
  const broken = await source.read(NEVER);
  assert.equal(broken.revision, good);
  assert.equal(broken.files[0]?.text, 'kind: A\n');
  assert.match(broken.outdated ?? '', /connection broke|cannot be reached/);
  const left = readdirSync(join(bench.state, 'git/mirrors'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /tmp_|incoming/.test(name),
  );
  assert.deepEqual(left, []);
  remote.cutAfterBytes = undefined;
  await source.refresh(NEVER);
  const mended = await source.read(NEVER);
  assert.equal(mended.revision, big);
  assert.equal(mended.outdated, undefined);
});

test('gives a remote up that accepts and never answers, and ends what it started', async (t) => {
  const bench = await GitBench.make(t);
  const remote = await serveHttp(t, bench);
  const source = bench.source(t, bench.options(remote.url, { timeoutMs: 2000 }));
  const good = (await source.read(NEVER)).revision;
  remote.intercept = () => true;
  const began = performance.now();
  await source.refresh(NEVER);
  assert.ok(performance.now() - began < 15_000);
  const after = await source.read(NEVER);
  assert.equal(after.revision, good);
  assert.match(after.outdated ?? '', /did not answer in time/);
  await sleep(3000);
  assert.ok(!processes().includes(remote.url), 'no git is left');
});

test('reads over ssh with a key and a pinned host key, and nothing else', { skip: needsSshd }, async (t) => {
  const bench = await GitBench.make(t);
  const remote = await serveSsh(t, bench);
  const auth = { sshKeyFile: remote.keyFile, knownHostsFile: remote.knownHosts };
  const source = bench.source(t, bench.options(remote.url, { auth }));
  const first = await source.read(NEVER);
  assert.equal(first.files[0]?.text, 'kind: A\n');
  const commit = await bench.commit({ 'a.yaml': 'kind: B\n' });
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, commit);

  const port = /:(\d+)\//.exec(remote.url)?.[1] ?? '';
  const other = await newKey(join(bench.root, 'other'));
  const wrong = join(bench.root, 'wrong_hosts');
  writeFileSync(wrong, `[127.0.0.1]:${port} ${readFileSync(`${other}.pub`, 'utf8')}`);
  const impostor = bench.source(t, bench.options(remote.url, { auth: { ...auth, knownHostsFile: wrong } }));
  assert.match((await refusal(impostor.read(NEVER))).message, /host key is not the pinned one/);
  const stranger = bench.source(t, bench.options(remote.url, { auth: { ...auth, sshKeyFile: other } }));
  assert.match((await refusal(stranger.read(NEVER))).message, /refused the credentials/);

  await remote.close();
  await source.refresh(NEVER);
  const away = await source.read(NEVER);
  assert.equal(away.revision, commit);
  assert.match(away.outdated ?? '', /cannot be reached/);
});

test('reads from a plain file server, which hands out whole histories only', async (t) => {
  const bench = await GitBench.make(t);
  await bench.commit({ 'a.yaml': 'kind: B\n' });
  const remote = await serveHttp(t, bench);
  remote.intercept = (request, response) => {
    const file = join(bench.bare, new URL(request.url ?? '/', remote.url).pathname.replace(/^\/[^/]+/, ''));
    const found = existsSync(file) && statSync(file).isFile();
    response.writeHead(found ? 200 : 404).end(found ? readFileSync(file) : '');
    return true;
  };
  await mustRun(['git', '-C', bench.bare, 'update-server-info']);
  const source = bench.source(t, bench.options(remote.url));
  assert.equal((await source.read(NEVER)).files[0]?.text, 'kind: B\n');
  const commit = await bench.commit({ 'a.yaml': 'kind: C\n' });
  await mustRun(['git', '-C', bench.bare, 'update-server-info']);
  await source.refresh(NEVER);
  assert.equal((await source.read(NEVER)).revision, commit);
});

/** Commits made by `git fast-import`, which takes seconds for 100,000. */
async function importHistory(t: TestContext, write: (line: (text: string) => void) => void): Promise<GitBench> {
  const bench = new GitBench(t);
  await mustRun(['git', 'init', '--quiet', '--bare', '--initial-branch=main', bench.bare]);
  const child = spawn('git', ['-C', bench.bare, 'fast-import', '--quiet'], { stdio: ['pipe', 'ignore', 'inherit'] });
  write((text) => void child.stdin.write(text));
  child.stdin.end();
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);
  return bench;
}

function commitLines(number: number, files: readonly (readonly [path: string, text: string])[]): string {
  const changes = files.map(([path, text]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`).join('');
  return `commit refs/heads/main\ncommitter T <t@example.com> ${1_700_000_000 + number} +0000\ndata 1\nx\n${changes}`;
}

test('reads 10,000 manifests, and after a change only what changed', { timeout: 300_000 }, async (t) => {
  const files = Array.from({ length: 10_000 }, (_, n) => [`d${n % 100}/m${n}.yaml`, `kind: M${n}\n`] as const);
  const bench = await importHistory(t, (line) => line(commitLines(0, files)));
  const source = bench.source(t, bench.options());
  const first = await source.read(NEVER);
  assert.equal(first.files.length, 10_000);
  assert.equal(first.complete, true);
  assert.equal(first.files.find((file) => file.path === 'main:d7/m107.yaml')?.text, 'kind: M107\n');
  await mustRun(['git', 'clone', '--quiet', bench.bare, bench.work]);
  await bench.commit({ 'd7/m107.yaml': 'kind: Changed\n' });
  const began = performance.now();
  await source.refresh(NEVER);
  const took = performance.now() - began;
  assert.equal((await source.read(NEVER)).files.find((file) => file.path === 'main:d7/m107.yaml')?.text, 'kind: Changed\n');
  t.diagnostic(`a change among 10,000 manifests: ${Math.round(took)} ms`);
  assert.ok(took < 20_000);
});

test('follows a branch with 100,000 commits', { timeout: 300_000 }, async (t) => {
  const bench = await importHistory(t, (line) => {
    for (let n = 0; n < 100_000; n++) line(commitLines(n, [['a.yaml', `kind: N${n}\n`]]));
  });
  const source = bench.source(t, bench.options());
  const began = performance.now();
  const first = await source.read(NEVER);
  t.diagnostic(`first fetch of 100,000 commits: ${Math.round(performance.now() - began)} ms`);
  assert.equal(first.files[0]?.text, 'kind: N99999\n');
  mkdirSync(bench.work);
  await mustRun(['git', 'clone', '--quiet', '--depth', '1', `file://${bench.bare}`, bench.work]);
  const commit = await bench.commit({ 'a.yaml': 'kind: New\n' });
  const again = performance.now();
  await source.refresh(NEVER);
  t.diagnostic(`one more commit: ${Math.round(performance.now() - again)} ms`);
  assert.equal((await source.read(NEVER)).revision, commit);
});
