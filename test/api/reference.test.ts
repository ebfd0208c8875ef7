// The reference pages say what the program does. `UPDATE_REFERENCE=1 node --test test/api/reference.test.ts` writes openapi.json anew.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { OpenApiDocument } from '../../src/api/openapi.ts';
import { createApi } from '../../src/api/server.ts';
import { WebhookReceiver } from '../../src/api/webhooks/receiver.ts';
import { silentLog } from '../../src/core/log.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { FakeExplain } from './fake-explain.ts';
import { FakeControl, FakeEvents, FULL_PLAN, WEB } from './fake-control.ts';

const REFERENCE = join(import.meta.dirname, '..', '..', 'docs', 'reference');

async function served(): Promise<OpenApiDocument> {
  const api = await createApi({
    control: new FakeControl(),
    explain: new FakeExplain(),
    operations: { exec: () => assert.fail() },
    hostShutdown: { start: () => assert.fail(), cancel: () => assert.fail() },
    events: new FakeEvents(),
    metrics: async () => '',
    log: silentLog,
    version: '0.1.0',
    webhooks: new WebhookReceiver({ sources: [], moved: () => assert.fail(), log: silentLog }),
  });
  const reply = await api.inject({ url: '/openapi.json' });
  await api.close();
  return reply.json<OpenApiDocument>();
}

describe('the reference', () => {
  it('holds the API description that the daemon serves', async () => {
    const path = join(REFERENCE, 'openapi.json');
    const text = `${JSON.stringify(await served(), null, 2)}\n`;
    if (process.env['UPDATE_REFERENCE'] === '1') await writeFile(path, text);
    assert.equal(await readFile(path, 'utf8'), text);
  });

  it('names every route in api.md', async () => {
    const page = await readFile(join(REFERENCE, 'api.md'), 'utf8');
    const { paths } = await served();
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) assert.ok(page.includes(`\`${method.toUpperCase()} ${path}`), `${method} ${path}`);
    }
  });

  it('names every command in cli.md', async () => {
    const page = await readFile(join(REFERENCE, 'cli.md'), 'utf8');
    for (const { name } of COMMANDS) assert.match(page, new RegExp(`^### ${name}\\b`, 'm'));
  });

  it('has schemas that real answers match, with references resolved', async () => {
    const document = await served();
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema(document, 'openapi');
    const control = new FakeControl();
    const explain = new FakeExplain();
    const samples: Record<string, unknown> = {
      DaemonStatus: control.status(),
      ObjectDescription: control.describe(WEB),
      PlanReport: FULL_PLAN,
      ObjectStatus: control.objects[0],
      ApplyResult: control.applied,
      Why: explain.answer,
      HistoryRun: explain.runs[0],
      AuditPage: explain.page,
      AuditVerdict: explain.verdict,
    };
    for (const [name, value] of Object.entries(samples)) {
      const check = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
      assert.ok(check(JSON.parse(JSON.stringify(value))), `${name}: ${JSON.stringify(check.errors)}`);
      assert.ok(!check({ ...(value as object), unknown: 1 }), `${name} must be closed`);
    }
  });
});
