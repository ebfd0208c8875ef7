// Every route with its schema and its error cases, through fastify's inject.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Ajv } from 'ajv';
import type { TSchema } from 'typebox';
import type { PeerReader } from '../../src/api/ports.ts';
import {
  ApplyResultSchema,
  ConfirmationSchema,
  DaemonStatusSchema,
  HostShutdownSchema,
  EventListSchema,
  ObjectDescriptionSchema,
  ObjectListSchema,
  PlanReportSchema,
  ProblemDocument,
} from '../../src/api/schemas.ts';
import { AuditPageSchema, AuditVerdictSchema, HistorySchema, WhySchema } from '../../src/api/explain-schemas.ts';
import { type ApiServer, createApi } from '../../src/api/server.ts';
import { AppError } from '../../src/core/errors.ts';
import type { Refusal } from '../../src/reconciler/refusals.ts';
import { silentLog } from '../../src/core/log.ts';
import { FakeExplain, RUN } from './fake-explain.ts';
import { DB, FakeControl, FakeEvents, FAST, FULL_PLAN, problem, tombstone, WEB } from './fake-control.ts';

const ajv = new Ajv({ strict: true, allowUnionTypes: true });

function matches(schema: TSchema, value: unknown): void {
  const check = ajv.compile(schema);
  assert.ok(check(value), JSON.stringify(check.errors));
}

let control: FakeControl;
let explain: FakeExplain;
let events: FakeEvents;
let api: ApiServer;
let peer: PeerReader;
let refused: Refusal[];

beforeEach(async () => {
  control = new FakeControl();
  explain = new FakeExplain();
  events = new FakeEvents();
  peer = () => ({ pid: 1, uid: 1000, gid: 1000 });
  refused = [];
  api = await createApi({
    control,
    explain,
    operations: { exec: async () => Promise.reject(new AppError('LXC_NOT_RUNNING')) },
    hostShutdown: {
      start: async (actor) => {
        control.calls.push({ what: 'hostShutdown', args: [actor] });
        return { instances: [{ name: 'web', priority: 3, outcome: 'killed', durationMs: 30_000 }] };
      },
      cancel: async (actor) => void control.calls.push({ what: 'cancelHostShutdown', args: [actor] }),
    },
    events,
    metrics: async () => 'lockstep_objects 3\n',
    log: silentLog,
    version: '0.1.0',
    peer: (socket) => peer(socket),
    refused: (refusal) => void refused.push(refusal),
  });
});

afterEach(() => api.close());

async function get(url: string) {
  const reply = await api.inject({ method: 'GET', url });
  return { status: reply.statusCode, body: reply.json<Record<string, unknown>>(), type: reply.headers['content-type'] };
}

async function post(url: string, payload?: object) {
  const reply = await api.inject({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) });
  return { status: reply.statusCode, body: reply.json<Record<string, unknown>>(), type: reply.headers['content-type'] };
}

function isProblem(reply: { status: number; body: Record<string, unknown>; type: unknown }, status: number, code: string): void {
  assert.equal(reply.status, status);
  assert.match(String(reply.type), /^application\/problem\+json/);
  matches(ProblemDocument, reply.body);
  assert.equal(reply.body['code'], code);
  assert.equal(reply.body['status'], status);
}

describe('health', () => {
  it('answers that it is alive even while it is not ready', async () => {
    control.ready = false;
    assert.deepEqual(await get('/healthz').then((reply) => [reply.status, reply.body]), [200, { status: 'ok' }]);
  });

  it('is not ready, with the reason, until everything was looked at', async () => {
    control.ready = false;
    const reply = await get('/readyz');
    isProblem(reply, 503, 'UNAVAILABLE');
    assert.match(String(reply.body['detail']), /first look/);
    control.ready = true;
    assert.equal((await get('/readyz')).status, 200);
  });

  it('serves metrics as text for Prometheus', async () => {
    const reply = await api.inject({ url: '/metrics' });
    assert.equal(reply.body, 'lockstep_objects 3\n');
    assert.match(String(reply.headers['content-type']), /^text\/plain/);
  });
});

describe('status and objects', () => {
  it('shows the whole status as its schema says', async () => {
    const reply = await get('/v1/status');
    assert.equal(reply.status, 200);
    matches(DaemonStatusSchema, reply.body);
    assert.equal((reply.body['objects'] as unknown[]).length, 3);
  });

  it('lists objects by kind, short form and project', async () => {
    const names = async (url: string) => {
      const reply = await get(url);
      matches(ObjectListSchema, reply.body);
      return (reply.body['objects'] as { ref: { name: string } }[]).map((one) => one.ref.name);
    };
    assert.deepEqual(await names('/v1/objects'), ['web', 'db', 'fast']);
    assert.deepEqual(await names('/v1/objects/Instance'), ['web', 'db']);
    assert.deepEqual(await names('/v1/objects?match=Instance/db'), ['db']);
    assert.deepEqual(await names('/v1/objects?project=other'), ['fast']);
  });

  it('refuses kinds and queries it does not know', async () => {
    isProblem(await get('/v1/objects/Pod'), 400, 'REQUEST_INVALID');
    isProblem(await get('/v1/objects?colour=red'), 400, 'REQUEST_INVALID');
  });

  it('describes one object by its four segments', async () => {
    const reply = await get('/v1/objects/StoragePool/-/-/fast');
    assert.equal(reply.status, 200);
    matches(ObjectDescriptionSchema, reply.body);
  });

  it('tells how an object is addressed when segments do not fit its kind', async () => {
    const reply = await get('/v1/objects/Instance/-/-/web');
    isProblem(reply, 400, 'NAME_INVALID');
    assert.match(String(reply.body['detail']), /Instance\/PROJECT\/-\/NAME/);
  });

  it('answers 404 with a hint for an object that is not there', async () => {
    const reply = await get('/v1/objects/Instance/default/-/nope');
    isProblem(reply, 404, 'NOT_FOUND');
    assert.equal(reply.body['hint'], 'See "lockstep status".');
  });

  it('deletes an API object in the name of the peer', async () => {
    const reply = await api.inject({ method: 'DELETE', url: '/v1/objects/StoragePool/-/-/fast' });
    assert.equal(reply.statusCode, 202);
    assert.deepEqual(control.calls, [{ what: 'delete', args: [FAST, 'uid:1000'] }]);
  });

  it('does nothing for a peer that cannot be named', async () => {
    peer = () => {
      throw new AppError('FORBIDDEN');
    };
    const reply = await api.inject({ method: 'DELETE', url: '/v1/objects/StoragePool/-/-/fast' });
    assert.equal(reply.statusCode, 403);
    assert.deepEqual(control.calls, []);
  });

  it('refuses to delete what a manifest declares, with its file and line', async () => {
    const reply = await api.inject({ method: 'DELETE', url: '/v1/objects/Instance/default/-/web' });
    assert.equal(reply.statusCode, 409);
    const body = reply.json<{ code: string; values: unknown; detail: string }>();
    assert.equal(body.code, 'OWNED_BY_OTHER_SOURCE');
    assert.deepEqual(body.values, { file: '/srv/manifests/web.yaml', line: 3 });
  });
});

describe('plan, apply and sync', () => {
  const files = [{ path: 'web.yaml', text: 'kind: Instance\n' }];

  it('plans what the daemon would do', async () => {
    control.report = FULL_PLAN;
    const reply = await get('/v1/plan');
    assert.equal(reply.status, 200);
    matches(PlanReportSchema, reply.body);
    assert.deepEqual(control.calls[0]?.args, [undefined, undefined]);
  });

  it('plans with files as if they were stored', async () => {
    const reply = await post('/v1/plan', { files, source: 'team', replace: true });
    assert.equal(reply.status, 200);
    assert.deepEqual(control.calls[0]?.args, [files, { source: 'team', replace: true }]);
  });

  it('refuses a plan without files, with unknown members, or with a control character in a path', async () => {
    isProblem(await post('/v1/plan', {}), 400, 'REQUEST_INVALID');
    isProblem(await post('/v1/plan', { files, dry: true }), 400, 'REQUEST_INVALID');
    isProblem(await post('/v1/plan', { files: [{ path: 'a\nb', text: '' }] }), 400, 'REQUEST_INVALID');
    isProblem(await post('/v1/plan', { files: [{ path: 'a', text: 7 }] }), 400, 'REQUEST_INVALID');
    assert.deepEqual(control.calls, []);
  });

  it('applies files in the name of the peer', async () => {
    const reply = await post('/v1/apply', { files });
    assert.equal(reply.status, 200);
    matches(ApplyResultSchema, reply.body);
    assert.deepEqual(control.calls, [{ what: 'apply', args: [files, { actor: 'uid:1000' }] }]);
  });

  it('answers refused manifests with the located problems', async () => {
    control.applied = {
      objects: [],
      problems: [problem('web.yaml', 'There is no key "confg".'), problem('web.yaml', 'Old key.', 'warning')],
    };
    const reply = await post('/v1/apply', { files });
    isProblem(reply, 400, 'MANIFEST_INVALID');
    assert.equal((reply.body['problems'] as unknown[]).length, 2);
    assert.match(String(reply.body['detail']), /1 error\./);
  });

  it('passes warnings on without refusing', async () => {
    control.applied = { objects: [], problems: [problem('web.yaml', 'Old key.', 'warning')] };
    assert.equal((await post('/v1/apply', { files })).status, 200);
  });

  it('prunes only a named source', async () => {
    isProblem(await post('/v1/apply', { files, prune: true }), 400, 'REQUEST_INVALID');
    assert.equal((await post('/v1/apply', { files, prune: true, source: 'team' })).status, 200);
    assert.deepEqual(control.calls, [{ what: 'apply', args: [files, { source: 'team', prune: true, actor: 'uid:1000' }] }]);
  });

  it('applies or syncs a saved plan only while it still holds', async () => {
    const stale = [{ ref: WEB, desired: 'hmac:1', changes: 'aa' }];
    isProblem(await post('/v1/apply', { files, plan: stale }), 409, 'PLAN_STALE');
    isProblem(await post('/v1/sync', { plan: stale }), 409, 'PLAN_STALE');
    assert.deepEqual(control.calls, []);
    assert.equal((await post('/v1/apply', { files, plan: [] })).status, 200);
    assert.equal((await post('/v1/sync', { plan: [] })).status, 200);
    isProblem(await post('/v1/apply', { files, plan: [{ ref: WEB }] }), 400, 'REQUEST_INVALID');
  });

  it('syncs everything without a body, or one source', async () => {
    assert.deepEqual((await post('/v1/sync')).body, { settled: true });
    await post('/v1/sync', { source: 'main' });
    assert.deepEqual(
      control.calls.map((call) => call.args),
      [[undefined], ['main']],
    );
  });

  it('looks at one object again', async () => {
    assert.deepEqual((await post('/v1/sync', { ref: WEB })).body, { settled: true });
    assert.deepEqual(control.calls, [{ what: 'tryAgain', args: [WEB, control.calls[0]?.args[1]] }]);
    isProblem(await post('/v1/sync', { ref: { ...WEB, kind: 'Nothing' } }), 400, 'REQUEST_INVALID');
  });

  it('refuses a body that is too large, not JSON, or of another type', async () => {
    const large = await post('/v1/sync', { source: 'x'.repeat(70_000) });
    isProblem(large, 413, 'REQUEST_INVALID');
    const headers = { 'content-type': 'application/json' };
    const broken = await api.inject({ method: 'POST', url: '/v1/sync', headers, payload: '{"source":' });
    assert.equal(broken.statusCode, 400);
    assert.equal(broken.json<{ code: string }>().code, 'REQUEST_INVALID');
    const form = await api.inject({ method: 'POST', url: '/v1/sync', headers: { 'content-type': 'text/yaml' }, payload: 'a: b' });
    assert.equal(form.statusCode, 415);
    assert.match(form.json<{ hint: string }>().hint, /application\/json/);
  });

  it('does not take __proto__ for a member', async () => {
    const reply = await api.inject({
      method: 'POST',
      url: '/v1/sync',
      headers: { 'content-type': 'application/json' },
      payload: '{"__proto__": {"source": "x"}}',
    });
    assert.equal(reply.statusCode, 400);
    assert.deepEqual(control.calls, []);
  });
});

describe('sources and confirmations', () => {
  const waiting = {
    action: 'delete' as const,
    source: 'main',
    hash: 'abc',
    objects: [WEB, DB],
    protected: [],
    reason: 'The source became empty.',
    askedAt: 1,
  };

  it('lists sources', async () => {
    assert.deepEqual((await get('/v1/sources')).body, JSON.parse(JSON.stringify({ sources: control.sources })));
  });

  it('lists what waits and confirms exactly the list that was shown', async () => {
    control.confirmations = [waiting];
    assert.deepEqual((await get('/v1/confirmations')).body, { confirmations: [waiting] });
    isProblem(await post('/v1/confirmations', { source: 'main', hash: 'other' }), 409, 'CONFIRMATION_STALE');
    const reply = await post('/v1/confirmations', { source: 'main', hash: 'abc' });
    assert.equal(reply.status, 200);
    matches(ConfirmationSchema, reply.body);
    isProblem(await post('/v1/confirmations', { source: 'main', hash: 'abc' }), 404, 'NOT_FOUND');
  });

  it('refuses a confirmation without a hash', async () => {
    isProblem(await post('/v1/confirmations', { source: 'main' }), 400, 'REQUEST_INVALID');
  });

  it('undeletes by ref', async () => {
    const reply = await post('/v1/undelete', { ref: WEB });
    assert.equal(reply.status, 202);
    await post('/v1/undelete', { ref: WEB, name: 'u.1' });
    assert.deepEqual(control.calls, [
      { what: 'undelete', args: [WEB, { actor: 'uid:1000' }] },
      { what: 'undelete', args: [WEB, { name: 'u.1', actor: 'uid:1000' }] },
    ]);
    isProblem(await post('/v1/undelete', { ref: { ...WEB, kind: 'Pod' } }), 400, 'REQUEST_INVALID');
  });
});

describe('tombstones and forgotten sources', () => {
  it('lists what is kept, and ends that of one object or all', async () => {
    control.tombstones = [tombstone(WEB), tombstone(DB)];
    assert.deepEqual((await get('/v1/tombstones')).body, { tombstones: control.tombstones });
    const one = await post('/v1/purge', { ref: WEB });
    assert.deepEqual([one.status, one.body], [202, { tombstones: [tombstone(WEB)] }]);
    const all = await post('/v1/purge', { all: true });
    assert.deepEqual(all.body, { tombstones: control.tombstones });
    assert.deepEqual(
      control.calls.map((call) => call.args[0]),
      [WEB, 'all'],
    );
    for (const body of [{}, { all: false }, { ref: WEB, all: true }]) isProblem(await post('/v1/purge', body), 400, 'REQUEST_INVALID');
  });

  it('forgets a source either way, and no other', async () => {
    const reply = await post('/v1/sources/old/forget', { how: 'keep' });
    assert.deepEqual([reply.status, reply.body], [202, { source: 'old', objects: [WEB, DB], left: [] }]);
    assert.deepEqual(control.calls, [{ what: 'forget', args: ['old', 'keep', 'uid:1000'] }]);
    isProblem(await post('/v1/sources/old/forget', { how: 'both' }), 400, 'REQUEST_INVALID');
  });

  it('passes on that protection is to be taken off', async () => {
    control.confirmations = [
      { action: 'delete', source: 'main', hash: 'abc', objects: [], protected: [WEB], reason: 'It is protected.', askedAt: 1 },
    ];
    await post('/v1/confirmations', { source: 'main', hash: 'abc', unprotect: true });
    assert.deepEqual(control.calls, [{ what: 'confirm', args: ['main', 'abc', { unprotect: true, actor: 'uid:1000' }] }]);
  });
});

describe('the shutdown of the host', () => {
  it('is done in the name of the peer, and tells what became of each instance', async () => {
    const reply = await post('/v1/host-shutdown');
    assert.equal(reply.status, 200);
    matches(HostShutdownSchema, reply.body);
    assert.deepEqual(reply.body, { instances: [{ name: 'web', priority: 3, outcome: 'killed', durationMs: 30_000 }] });
    assert.deepEqual(control.calls, [{ what: 'hostShutdown', args: ['uid:1000'] }]);
  });

  it('can be called off', async () => {
    const reply = await api.inject({ method: 'DELETE', url: '/v1/host-shutdown' });
    assert.equal(reply.statusCode, 200);
    assert.deepEqual(control.calls, [{ what: 'cancelHostShutdown', args: ['uid:1000'] }]);
  });
});

describe('events', () => {
  it('lists the newest, or those behind a number', async () => {
    for (const message of ['one', 'two', 'three']) events.emit(message);
    const messages = async (url: string) => {
      const reply = await get(url);
      matches(EventListSchema, reply.body);
      return (reply.body['events'] as { message: string }[]).map((event) => event.message);
    };
    assert.deepEqual(await messages('/v1/events?limit=2'), ['two', 'three']);
    assert.deepEqual(await messages('/v1/events?since=1'), ['two', 'three']);
    assert.deepEqual(await messages('/v1/events?since=0&limit=1'), ['one']);
  });

  it('refuses what is no number', async () => {
    isProblem(await get('/v1/events?since=-1'), 400, 'REQUEST_INVALID');
    isProblem(await get('/v1/events?limit=0'), 400, 'REQUEST_INVALID');
    isProblem(await get('/v1/events?follow=maybe'), 400, 'REQUEST_INVALID');
    const reply = await api.inject({ url: '/v1/events?follow', headers: { 'last-event-id': 'x' } });
    assert.equal(reply.statusCode, 400);
  });
});

describe('refused requests', () => {
  it('are told with who asked, for what, and why not', async () => {
    const WHO = 'uid:1000';
    await api.inject({ method: 'DELETE', url: '/v1/objects/Instance/default/-/web' });
    await post('/v1/confirmations', { source: 'main', hash: 'another' });
    await post('/v1/apply', { files: [{ path: 'a.yaml', text: 'password: hunter2' }], hunter2: true });
    await post('/v1/purge', { ref: { ...WEB, name: 'never' }, hunter2: true });
    await post('/v1/sources/prod/forget', { how: 'hunter2' });
    await post('/v1/nothing/hunter2');
    assert.deepEqual(refused, [
      {
        actor: WHO,
        request: 'DELETE /v1/objects',
        ref: 'Instance/default/-/web',
        code: 'OWNED_BY_OTHER_SOURCE',
      },
      { actor: WHO, request: 'POST /v1/confirmations', ref: 'source:main', code: 'NOT_FOUND' },
      { actor: WHO, request: 'POST /v1/apply', ref: '', code: 'REQUEST_INVALID' },
      { actor: WHO, request: 'POST /v1/purge', ref: 'Instance/default/-/never', code: 'REQUEST_INVALID' },
      { actor: WHO, request: 'POST /v1/sources/forget', ref: 'source:prod', code: 'REQUEST_INVALID' },
      { actor: WHO, request: 'POST of an address that is not there', ref: '', code: 'NOT_FOUND' },
    ]);
    peer = () => {
      throw new AppError('FORBIDDEN');
    };
    await api.inject({ method: 'DELETE', url: '/v1/objects/StoragePool/-/-/fast' });
    assert.deepEqual(refused.at(-1), { actor: 'unknown', request: 'DELETE /v1/objects', ref: 'StoragePool/-/-/fast', code: 'FORBIDDEN' });
  });

  it('that would have changed nothing are not told, nor what failed or was done', async () => {
    await get('/v1/objects/Instance/default/-/never');
    await get('/v1/nothing');
    await post('/v1/plan', { files: 'no' });
    await api.inject({ method: 'DELETE', url: '/v1/objects/StoragePool/-/-/fast' });
    control.sync = async () => {
      throw new Error('inside');
    };
    assert.equal((await post('/v1/sync')).status, 500);
    assert.deepEqual(refused, []);
  });

  it('name nothing that could be something else', async () => {
    for (const name of ['a%0ab', 'a%2fb', '%1b[31m', 'x'.repeat(250)])
      await api.inject({ method: 'DELETE', url: `/v1/objects/Instance/default/-/${name}` });
    await post('/v1/confirmations', { source: '../../x\n', hash: 'h' });
    assert.equal(refused.length, 5);
    for (const { ref } of refused) assert.equal(ref, '');
  });
});

describe('everything else', () => {
  it('answers unknown addresses with a problem document', async () => {
    isProblem(await get('/v2/status?secret=1'), 404, 'NOT_FOUND');
    isProblem(await post('/v1/status'), 404, 'NOT_FOUND');
  });

  it('says that exec needs a WebSocket', async () => {
    isProblem(await get('/v1/instances/default/web/exec'), 400, 'REQUEST_INVALID');
  });

  it('hides nothing but tells the chain of causes of an unexpected error', async () => {
    control.status = () => {
      throw new Error('outer', { cause: new AppError('DISK_FULL', {}, { message: 'No space.', hint: 'Make some.' }) });
    };
    const reply = await get('/v1/status');
    isProblem(reply, 500, 'INTERNAL');
    assert.deepEqual(reply.body['causes'], ['No space.']);
    assert.equal(reply.body['hint'], 'Make some.');
  });

  it('describes every route in OpenAPI 3.1', async () => {
    const { body } = await get('/openapi.json');
    assert.equal(body['openapi'], '3.1.0');
    const paths = body['paths'] as Record<string, Record<string, { parameters: { name: string }[] }>>;
    for (const path of ['/v1/status', '/v1/plan', '/v1/apply', '/v1/events', '/metrics', '/v1/instances/{project}/{name}/exec']) {
      assert.ok(paths[path], path);
    }
    assert.deepEqual(
      paths['/v1/objects/{kind}/{project}/{parent}/{name}']?.['delete']?.parameters.map((one) => one.name),
      ['kind', 'project', 'parent', 'name'],
    );
  });
});

describe('explanations', () => {
  const WEB_URL = '/v1/objects/Instance/default/-/web';

  it('say why an object is as it is, by its schema', async () => {
    const { status, body } = await get(`${WEB_URL}/why`);
    assert.equal(status, 200);
    matches(WhySchema, body);
    assert.deepEqual(body['chain'], JSON.parse(JSON.stringify(explain.answer.chain)));
    isProblem(await get('/v1/objects/Instance/default/-/nothing/why'), 404, 'NOT_FOUND');
    isProblem(await get('/v1/objects/Instance/-/-/web/why'), 400, 'NAME_INVALID');
  });

  it('tell what was done, newest first and bounded', async () => {
    const { body } = await get(`${WEB_URL}/history?limit=1`);
    matches(HistorySchema, body);
    assert.deepEqual(body, { runs: JSON.parse(JSON.stringify([RUN])) });
    isProblem(await get(`${WEB_URL}/history?limit=0`), 400, 'REQUEST_INVALID');
    isProblem(await get(`${WEB_URL}/history?limit=99999`), 400, 'REQUEST_INVALID');
  });

  it('give the audit log in pages, by object and time', async () => {
    const { body } = await get('/v1/audit?limit=2&before=9&since=1000&object=Instance/default/-/web');
    matches(AuditPageSchema, body);
    assert.equal(body['next'], 6);
    await get('/v1/audit');
    assert.deepEqual(explain.asked, [{ limit: 2, before: 9, since: 1000, ref: 'Instance/default/-/web' }, { limit: 100 }]);
    for (const query of ['limit=x', 'limit=1000', 'before=-1', 'object=', 'other=1'])
      isProblem(await get(`/v1/audit?${query}`), 400, 'REQUEST_INVALID');
  });

  it('tell whether the audit log is in order, also against a head noted earlier', async () => {
    const fine = await get('/v1/audit/verify');
    matches(AuditVerdictSchema, fine.body);
    explain.verdict = { entries: 3, head: undefined, broken: { seq: 1, problem: 'Entry 1 is missing.' } };
    const broken = await get(`/v1/audit/verify?expect=3:${'a'.repeat(64)}`);
    assert.equal(broken.status, 200);
    matches(AuditVerdictSchema, broken.body);
    assert.deepEqual(explain.asked, [undefined, { seq: 3, hash: 'a'.repeat(64) }]);
    isProblem(await get('/v1/audit/verify?expect=3'), 400, 'REQUEST_INVALID');
  });
});
