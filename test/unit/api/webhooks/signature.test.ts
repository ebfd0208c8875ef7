// Calls as the forges' documentation describes them: header names, forms of signatures, and what the bodies look like.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { GENERIC_WINDOW_SECONDS, prove, type WebhookHeaders, type WebhookType } from '../../../../src/api/webhooks/signature.ts';

const SECRET = "It's a Secret to Everybody";
const NOW = Date.UTC(2026, 10, 22, 3, 0, 0);

function hmac(body: string, secret = SECRET): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

const PUSH = {
  github: JSON.stringify({
    ref: 'refs/heads/main',
    before: '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
    after: '59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5',
    repository: { id: 17273051, full_name: 'ops/hosts', clone_url: 'https://github.com/ops/hosts.git', pushed_at: 1795316400 },
    pusher: { name: 'kim', email: 'kim@example.com' },
    forced: false,
    commits: [{ id: '59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5', message: 'web: more memory', modified: ['web.yaml'] }],
  }),
  gitlab: JSON.stringify({
    object_kind: 'push',
    event_name: 'push',
    ref: 'refs/heads/main',
    checkout_sha: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
    project: { id: 15, path_with_namespace: 'ops/hosts', git_http_url: 'https://gitlab.example.com/ops/hosts.git' },
    total_commits_count: 1,
  }),
  gitea: JSON.stringify({
    ref: 'refs/heads/main',
    after: 'bffeb74224043ba2feb48d137756c8a9331c449a',
    compare_url: 'https://git.example.com/ops/hosts/compare/28e1879d...bffeb742',
    repository: { id: 140, full_name: 'ops/hosts', clone_url: 'https://git.example.com/ops/hosts.git' },
    pusher: { login: 'kim' },
  }),
  bitbucket: JSON.stringify({
    push: {
      changes: [{ new: { type: 'branch', name: 'main', target: { hash: '709d658dc5b6d6afcd46049c2f332ee3f515a67d' } }, forced: false }],
    },
    repository: { full_name: 'ops/hosts', uuid: '{673a6070-3421-46c9-9d48-90745f7bfe8e}' },
    actor: { display_name: 'Kim' },
  }),
};

const STAMP = String(NOW / 1000);
const CALLS: Record<WebhookType, { readonly body: string; readonly headers: WebhookHeaders; readonly signature: string }> = {
  github: {
    body: PUSH.github,
    signature: 'x-hub-signature-256',
    headers: {
      'x-github-event': 'push',
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature': 'sha1=7d38cdd689735b008b3c702edd92eea23791c5f6',
      'x-hub-signature-256': `sha256=${hmac(PUSH.github)}`,
    },
  },
  gitlab: {
    body: PUSH.gitlab,
    signature: 'x-gitlab-token',
    headers: {
      'x-gitlab-event': 'Push Hook',
      'x-gitlab-token': SECRET,
      'x-gitlab-event-uuid': '13792a34-cac6-4fda-95a8-c58e00a3954e',
      'idempotency-key': 'f5e57f5d-6e3c-4b1e-8a80-6b6a6f1e4a60',
    },
  },
  gitea: {
    body: PUSH.gitea,
    signature: 'x-gitea-signature',
    headers: { 'x-gitea-event': 'push', 'x-gitea-delivery': 'f6266f16-1bf3-46a5-9ea4-602e06ead473', 'x-gitea-signature': hmac(PUSH.gitea) },
  },
  forgejo: {
    body: PUSH.gitea,
    signature: 'x-forgejo-signature',
    headers: {
      'x-forgejo-event': 'push',
      'x-forgejo-delivery': 'a7c2b1a0-43a5-4a6c-a7a4-15dd4f7dff33',
      'x-forgejo-signature': hmac(PUSH.gitea),
    },
  },
  bitbucket: {
    body: PUSH.bitbucket,
    signature: 'x-hub-signature',
    headers: {
      'x-event-key': 'repo:push',
      'x-request-uuid': '2b4f9c50-3a2f-4f2e-9ad8-4d1a1c5cf1f4',
      'x-attempt-number': '1',
      'x-hub-signature': `sha256=${hmac(PUSH.bitbucket)}`,
    },
  },
  generic: {
    body: 'anything',
    signature: 'x-lockstep-signature',
    headers: { 'x-lockstep-timestamp': STAMP, 'x-lockstep-signature': `sha256=${hmac(`${STAMP}.anything`)}` },
  },
};
const TYPES = Object.keys(CALLS) as WebhookType[];

function valid(type: WebhookType, change: { headers?: WebhookHeaders; body?: string; secret?: string; now?: number } = {}): boolean {
  const { headers, body } = CALLS[type];
  return prove(type, change.secret ?? SECRET, { ...headers, ...change.headers }, Buffer.from(change.body ?? body), change.now ?? NOW).valid;
}

test("agrees with GitHub's published example", () => {
  const headers = { 'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' };
  assert.ok(prove('github', SECRET, headers, Buffer.from('Hello, World!'), NOW).valid);
});

for (const type of TYPES) {
  test(`${type}: takes its own signature and no other`, () => {
    const { signature, headers } = CALLS[type];
    const good = String(headers[signature]);
    assert.ok(valid(type));
    assert.ok(!valid(type, { secret: 'another secret, just as long' }));
    assert.ok(!valid(type, { headers: { [signature]: undefined } }), 'missing');
    assert.ok(!valid(type, { headers: { [signature]: '' } }), 'empty');
    assert.ok(!valid(type, { headers: { [signature]: [good, good] } }), 'twice');
    assert.ok(!valid(type, { headers: { [signature]: good.slice(0, -1) } }), 'short');
    assert.ok(!valid(type, { headers: { [signature]: `${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}` } }), 'other');
    if (type !== 'gitlab') assert.ok(!valid(type, { body: `${CALLS[type].body} ` }), 'another body');
  });
}

test('an old sha1 signature of GitHub is none', () => {
  assert.ok(!valid('github', { headers: { 'x-hub-signature-256': undefined } }));
});

test('a generic call is good for five minutes, by a time that is signed', () => {
  const window = GENERIC_WINDOW_SECONDS * 1000;
  assert.ok(valid('generic', { now: NOW + window }));
  assert.ok(!valid('generic', { now: NOW + window + 1000 }));
  assert.ok(!valid('generic', { now: NOW - window - 1000 }));
  assert.ok(!valid('generic', { headers: { 'x-lockstep-timestamp': String(NOW / 1000 + 1) } }));
  assert.ok(!valid('generic', { headers: { 'x-lockstep-timestamp': undefined } }));
});

test('the same delivery is known again, also under another id', () => {
  for (const type of TYPES) {
    const { headers, body } = CALLS[type];
    const first = prove(type, SECRET, headers, Buffer.from(body), NOW).deliveries;
    assert.ok(first.length > 0, type);
    const again = prove(type, SECRET, { ...headers, 'x-github-delivery': 'x', 'x-request-uuid': 'y' }, Buffer.from(body), NOW).deliveries;
    assert.ok(
      again.some((delivery) => first.includes(delivery)),
      type,
    );
  }
});
