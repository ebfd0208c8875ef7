// A real daemon on a git repository: from a push to what is declared, by webhook and by sync; and what it does while the remote is away.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { needsRoot, startHost } from '../harness.ts';
import { GitBench } from './remote.ts';

const PROFILE = (memory: string): string =>
  `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: small }\nspec: { config: { limits.memory: ${memory} }, devices: {} }\n`;

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
