// Webhooks over a real TCP listener: who is believed, what is refused, and that nothing else is served there.
import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { listenForWebhooks, type WebhookServer } from '../../src/api/webhook-server.ts';
import { WebhookReceiver } from '../../src/api/webhooks/receiver.ts';
import { AppError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import type { Refusal } from '../../src/reconciler/refusals.ts';

let directory: string;
let secretFile: string;
let secret: string;
let moved: string[];
let server: WebhookServer;
let receiver: WebhookReceiver;
let refused: Refusal[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-webhooks-'));
  secretFile = join(directory, 'secret');
  secret = randomBytes(16).toString('hex');
  writeFileSync(secretFile, `${secret}\n`);
  moved = [];
  const sources = [
    { name: 'prod', type: 'github' as const, secretFile },
    { name: 'lost', type: 'github' as const, secretFile: join(directory, 'missing') },
    { name: 'weak', type: 'github' as const, secretFile: join(directory, 'weak') },
  ];
  writeFileSync(join(directory, 'weak'), 'short');
  receiver = new WebhookReceiver({ sources, moved: (source) => void moved.push(source), log: silentLog });
  refused = [];
  server = await listenForWebhooks(receiver, { host: '127.0.0.1', port: 0 }, silentLog, (refusal) => void refused.push(refusal));
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function post(source: string, body: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/v1/webhooks/${source}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: answer.status, text: await answer.text() };
}

function signed(body: string, key = secret): Record<string, string> {
  return { 'x-github-delivery': randomUUID(), 'x-hub-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}` };
}

test('a signed call has its source looked at', async () => {
  assert.deepEqual(await post('prod', '{"ref":"refs/heads/main"}', signed('{"ref":"refs/heads/main"}')), {
    status: 202,
    text: '{"accepted":true}',
  });
  assert.deepEqual(moved, ['prod']);
});

test('a body is taken as it is, whatever it calls itself', async () => {
  const body = 'payload=%7B%22ref%22%3A1%7D';
  assert.equal((await post('prod', body, { ...signed(body), 'content-type': 'application/x-www-form-urlencoded' })).status, 202);
  assert.equal((await post('prod', '{not json', { ...signed('{not json') })).status, 202);
});

test('a wrong signature, an unknown source and an unusable secret are answered alike', async () => {
  const answers = [
    await post('prod', '{}'),
    await post('prod', '{}', signed('{}', 'another secret, long enough')),
    await post('nothere', '{}', signed('{}')),
    await post('lost', '{}', signed('{}')),
    await post('weak', '{}', signed('{}', 'short')),
  ];
  const shapes = new Set(answers.map(({ status, text }) => `${status} ${text.replace(/webhooks\/\w+/, 'webhooks/X')}`));
  assert.equal(shapes.size, 1, [...shapes].join('\n'));
  assert.equal(answers[0]?.status, 403);
  assert.deepEqual(moved, []);
  assert.deepEqual(
    refused.map(({ ref }) => ref),
    ['source:prod', 'source:prod', 'source:nothere', 'source:lost', 'source:weak'],
  );
  for (const refusal of refused) {
    assert.deepEqual(refusal, { ...refusal, actor: 'address:127.0.0.1', request: 'POST /v1/webhooks', code: 'FORBIDDEN' });
  }
});

test('a call that was seen before is refused, also under another id', async () => {
  const headers = signed('{"n":1}');
  assert.equal((await post('prod', '{"n":1}', headers)).status, 202);
  assert.equal((await post('prod', '{"n":1}', headers)).status, 409);
  assert.equal((await post('prod', '{"n":1}', signed('{"n":1}'))).status, 409);
  assert.equal(
    (await post('prod', '{"n":2}', { ...signed('{"n":2}'), 'x-github-delivery': headers['x-github-delivery'] ?? '' })).status,
    409,
  );
  assert.deepEqual(moved, ['prod']);
});

test('a refused call does not use up its delivery', async () => {
  const headers = signed('{}');
  assert.equal((await post('prod', '{}', { ...headers, 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` })).status, 403);
  assert.equal((await post('prod', '{}', headers)).status, 202);
});

test('a changed secret counts at once', async () => {
  writeFileSync(secretFile, 'a new secret, long enough');
  assert.equal((await post('prod', '{}', signed('{}'))).status, 403);
  assert.equal((await post('prod', '{}', signed('{}', 'a new secret, long enough'))).status, 202);
});

test('a body of more than 1 MiB is refused', async () => {
  const body = 'x'.repeat(1024 * 1024 + 1);
  assert.equal((await post('prod', body, signed(body))).status, 413);
  const fits = 'x'.repeat(1024 * 1024);
  assert.equal((await post('prod', fits, signed(fits))).status, 202);
});

test('a flood is answered with 429, before anything is read', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => (await post('prod', `{"n":${n}}`, signed(`{"n":${n}}`))).status),
  );
  assert.ok(statuses.filter((status) => status === 429).length >= 50);
  assert.ok(moved.length >= 30 && moved.length <= 45);
});

test('nothing else of the API is served there', async () => {
  for (const path of ['/v1/status', '/v1/objects', '/metrics', '/healthz', '/openapi.json', '/v1/webhooks/../status', '/']) {
    assert.equal((await fetch(`http://127.0.0.1:${server.port}${path}`)).status, 404, path);
  }
});

test('a slow sender is cut off', { timeout: 60_000 }, async () => {
  const socket = connect(server.port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  socket.resume();
  socket.write('POST /v1/webhooks/prod HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx');
  await closed;
  assert.deepEqual(moved, []);
});

test('an address that is taken is told', async () => {
  await assert.rejects(
    listenForWebhooks(receiver, { host: '127.0.0.1', port: server.port }, silentLog),
    (error) => error instanceof AppError && error.code === 'CONFLICT',
  );
});
