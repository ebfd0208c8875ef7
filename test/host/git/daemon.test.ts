// A real daemon on a git repository: from a push to what is declared, by webhook and by sync; and what it does while the remote is away.
import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { procFile } from '../guest.ts';
import { needsRoot, slowness, startHost } from '../harness.ts';
import { GitBench, serveHttp } from './remote.ts';

const PROFILE = (memory: string): string =>
  `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: small }\nspec: { config: { limits.memory: ${memory} }, devices: {} }\n`;

const OTHER = (name: string): string =>
  `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: ${name} }\nspec: { config: {}, devices: {} }\n`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a daemon follows a git repository, and keeps its word while that is away', { skip: needsRoot, timeout: 300_000 }, async (t) => {
  const bench = await GitBench.make(t, { 'hosts/a/profile.yaml': PROFILE('128MiB') });
  const port = await freePort();
  const secretFile = join(bench.root, 'secret');
  const secret = randomUUID();
  writeFileSync(secretFile, secret, { mode: 0o600 });
  const config = join(bench.root, 'lockstep.yaml');
  const source = {
    name: 'prod',
    url: bench.url,
    ref: { branch: 'main' },
    path: 'hosts/a',
    interval: '1h',
    webhook: { type: 'github', secretFile },
  };
  writeFileSync(config, JSON.stringify({ sources: [source], webhooks: { listen: `127.0.0.1:${port}` } }));
  await using host = await startHost(t, { start: false, flags: ['--config', config], ownSources: true });
  await host.start();

  const first = await host.waitReady();
  assert.equal(first.sources[0]?.name, 'prod');
  assert.equal(first.sources[0]?.revision, await bench.git('rev-parse', 'HEAD'));
  assert.deepEqual(first.objects.map((object) => `${object.ref.name} ${object.file}`).toSorted(), ['small prod:hosts/a/profile.yaml']);

  const pushed = await bench.commit({ 'hosts/a/profile.yaml': PROFILE('256MiB') });
  const body = JSON.stringify({ ref: 'refs/heads/main', after: pushed });
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const call = async (proof: string): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${port}/v1/webhooks/prod`, {
        method: 'POST',
        body,
        headers: { 'x-hub-signature-256': proof, 'x-github-delivery': randomUUID() },
      })
    ).status;
  assert.equal(await call(`sha256=${'0'.repeat(64)}`), 403);
  assert.equal(await call(signature), 202);
  await host.eventually('the push is taken up', async () => (await host.status()).sources[0]?.revision === pushed);

  const away = `${bench.bare}.away`;
  renameSync(bench.bare, away);
  await host.sync();
  const lost = await host.status();
  assert.equal(lost.sources[0]?.revision, pushed);
  assert.match(lost.sources[0]?.error ?? '', /no such repository/);
  assert.equal(lost.settled, false);
  await host.restart();
  await host.eventually('the last good revision is used', async () => {
    const { sources, objects } = await host.status();
    return sources[0]?.revision === pushed && objects.length === 1;
  });
  renameSync(away, bench.bare);
  await host.waitReady();
});

test('what two repositories declare belongs to the first, and says where', { skip: needsRoot, timeout: 120_000 * slowness }, async (t) => {
  const [one, two] = [await GitBench.make(t, { 'a.yaml': PROFILE('128MiB') }), await GitBench.make(t, { 'b.yaml': OTHER('large') })];
  const config = join(one.root, 'lockstep.yaml');
  const sources = [
    { name: 'one', url: one.url, interval: '1h' },
    { name: 'two', url: two.url, interval: '1h' },
  ];
  writeFileSync(config, JSON.stringify({ sources }));
  await using host = await startHost(t, { start: false, flags: ['--config', config], ownSources: true });
  await host.start();
  const owners = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await host.status()).objects.map((object) => [object.ref.name, `${object.source} ${object.file}`]));
  await host.waitReady();
  assert.deepEqual(await owners(), { small: 'one one:a.yaml', large: 'two two:b.yaml' });

  // Taken by the other: refused with the owner's file and line, and nothing else of that commit is held up.
  await two.commit({ 'c.yaml': PROFILE('512MiB'), 'd.yaml': OTHER('huge') });
  await host.sync();
  const problems = (await host.status()).sources.flatMap((source) =>
    source.problems.map((problem) => `${problem.file}: ${problem.message}`),
  );
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^two:c\.yaml: .*"one".*one:a\.yaml:/);
  assert.deepEqual(await owners(), { small: 'one one:a.yaml', large: 'two two:b.yaml', huge: 'two two:d.yaml' });

  // Given up by the first, it is the other's, as the same object.
  const uid = async (): Promise<string | undefined> => (await host.status()).objects.find((object) => object.ref.name === 'small')?.uid;
  const before = await uid();
  await one.commit({ 'a.yaml': null, 'e.yaml': OTHER('tiny') });
  await host.waitReady();
  assert.deepEqual(await owners(), { small: 'two two:c.yaml', large: 'two two:b.yaml', huge: 'two two:d.yaml', tiny: 'one one:e.yaml' });
  assert.equal(await uid(), before);
});

test(
  'killed amid a fetch: no git of it is left, the last good commit is used, the next fetch recovers',
  { skip: needsRoot, timeout: 120_000 * slowness },
  async (t) => {
    const bench = await GitBench.make(t, { 'a.yaml': PROFILE('128MiB') });
    const remote = await serveHttp(t, bench);
    await using host = await startHost(t, { start: false, flags: ['--source', `main=${remote.url}`], ownSources: true });
    await host.start();
    const good = (await host.waitReady()).sources[0]?.revision;
    const pushed = await bench.commit({ 'a.yaml': PROFILE('256MiB'), 'noise.bin': randomBytes(3_000_000).toString('base64') });

    // It gets a part of the pack, and then nothing more.
    remote.stallAfterBytes = 1_000_000;
    const asked = host.post('/v1/sync', {}).catch(() => undefined);
    const gits = (): string[] =>
      readdirSync('/proc').filter(
        (pid) => /^\d+$/.test(pid) && procFile(pid, 'environ').includes(`LOCKSTEP_TOOL_OF=${host.paths.stateDir}`),
      );
    const halves = (): string[] =>
      readdirSync(join(host.paths.stateDir, 'git'), { recursive: true, encoding: 'utf8' }).filter((name) =>
        /tmp_|incoming|\.lock$/.test(name),
      );
    await host.eventually('a part of it is sent', () => remote.stalled > 0);
    await host.kill9();
    await asked;
    remote.stallAfterBytes = undefined;
    remote.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    const before = new Set(gits());
    await host.start();
    assert.deepEqual(
      gits().filter((pid) => before.has(pid)),
      [],
      'what the killed one left is ended',
    );
    await host.eventually('the last good commit is used', async () => (await host.status()).sources[0]?.revision === good);
    remote.intercept = undefined;
    await host.eventually('the push is taken up', async () => {
      await host.sync();
      return (await host.status()).sources[0]?.revision === pushed;
    });
    assert.deepEqual(halves(), [], 'and nothing is left of it');
  },
);
