// validate, plan and apply against a real server on a unix socket: what they print, where, and their exit codes.
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parse } from 'yaml';
import { DB, EMPTY_PLAN, FULL_PLAN, notReady, objectStatus, problem, WEB } from '../api/fake-control.ts';
import { LiveServer } from '../api/live-server.ts';
import { lockstep, type Ran, type RunOptions } from './run-lockstep.ts';

let server: LiveServer;

function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return lockstep(args, { socket: server.socketPath, ...options });
}

beforeEach(async () => {
  server = await LiveServer.start();
});
afterEach(() => server[Symbol.asyncDispose]());

const PLAN_TEXT = `~ change   ! restart   + create   - delete

  + StoragePool "fast"  /srv/manifests/fast.yaml:1
      + create a btrfs pool of 20 GiB

  ! Instance "web"  /srv/manifests/web.yaml:3
      ~ change limits
        ~ config.limits.memory: 256MiB -> 512MiB
      ! restart  (downtime about 1.0 s, as its last restart took; its shutdown may take 30 s at most)
        + config.security.nesting: true
        waits for StoragePool "fast"

  - Instance "old"
      - delete it

  ? Instance "db" cannot be read, so nothing is planned for it: HOST_UNREADABLE

Needs a confirmation: The source "main" no longer declares anything: its last object would be deleted.
  Until somebody agrees, none of them is deleted. Once this is in force, run on the host: lockstep confirm main

Plan: 1 to create, 1 to change (1 restarts), 1 to delete. 1 cannot be read.
`;

describe('plan', () => {
  it('shows every change with old and new value, place and reason to wait, and exits 2', async () => {
    server.control.report = FULL_PLAN;
    assert.deepEqual(await run(['plan']), { code: 2, stdout: PLAN_TEXT, stderr: '' });
  });

  it('exits 0 when nothing would change', async () => {
    assert.deepEqual(await run(['plan']), { code: 0, stdout: 'No changes: the host is as declared.\n', stderr: '' });
  });

  it('exits 1 when manifests have errors, and says where', async () => {
    server.control.report = { ...EMPTY_PLAN, problems: [problem('web.yaml', 'There is no key "confg".')] };
    const { code, stdout } = await run(['plan']);
    assert.equal(code, 1);
    assert.match(stdout, /^The manifests have 1 error; apart from that, no changes\.$/m);
    assert.match(stdout, /^web\.yaml:7:5: error: There is no key "confg"\. \(spec\.confg\)\n {4}next: Did you mean "config"\?$/m);
  });

  it('prints the report as it is with -o json, --format json and -o yaml', async () => {
    server.control.report = FULL_PLAN;
    for (const args of [
      ['-o', 'json'],
      ['--format', 'json'],
    ]) {
      const { code, stdout } = await run(['plan', ...args]);
      assert.equal(code, 2);
      assert.deepEqual(JSON.parse(stdout), FULL_PLAN);
    }
    assert.deepEqual(parse((await run(['-o', 'yaml', 'plan'])).stdout), FULL_PLAN);
  });

  it('prints markdown for a change request', async () => {
    server.control.report = FULL_PLAN;
    const { stdout } = await run(['plan', '--format', 'markdown']);
    assert.match(
      stdout,
      /^### Lockstep plan\n\n> \[!CAUTION\]\n> - .*lockstep confirm main\n\n> \[!WARNING\]\n> - Instance "old" is deleted\n> - Instance "web" restarts \(downtime about 1\.0 s/,
    );
    assert.match(stdout, /\n\*\*Plan: 1 to create/);
  });

  it('sends the manifests below a directory and names their files', async () => {
    const directory = join(server.directory, 'manifests');
    await mkdir(join(directory, 'sub'), { recursive: true });
    await writeFile(join(directory, 'a.yaml'), 'a');
    await writeFile(join(directory, 'sub', 'b.yml'), 'b');
    await writeFile(join(directory, '.hidden.yaml'), 'no');
    await writeFile(join(directory, 'notes.txt'), 'no');
    await run(['plan', 'manifests', '--source', 'team', '--prune'], { cwd: server.directory });
    assert.deepEqual(server.control.calls, [
      {
        what: 'plan',
        args: [
          [
            { path: 'manifests/a.yaml', text: 'a' },
            { path: 'manifests/sub/b.yml', text: 'b' },
          ],
          { source: 'team', replace: true },
        ],
      },
    ]);
  });

  it('does not show control characters of an object to the terminal', async () => {
    server.control.report = {
      ...EMPTY_PLAN,
      changes: [{ ref: WEB, change: 'x', verdict: 'live', summary: 'evil \u001b]0;title\u0007\nsecond', fields: [] }],
    };
    const { stdout } = await run(['plan']);
    assert.ok(!stdout.includes('\u001b') && !stdout.includes('\u0007'));
    assert.match(stdout, /evil \\u001b\]0;title\\u0007 second/);
  });
});

describe('diff', () => {
  it('prints what differs as a unified diff, and exits 2', async () => {
    server.control.report = { ...FULL_PLAN, unknown: [] };
    const { code, stdout, stderr } = await run(['diff', '--of', 'web']);
    assert.deepEqual(
      [code, stderr, stdout],
      [
        2,
        '',
        `--- host/Instance/default/-/web
+++ /srv/manifests/web.yaml:3
@@ change limits @@
-config.limits.memory: 256MiB
+config.limits.memory: 512MiB
@@ restart @@
+config.security.nesting: true
`,
      ],
    );
    assert.equal((JSON.parse((await run(['diff', '-o', 'json'])).stdout) as unknown[]).length, 4);
  });

  it('prints nothing and exits 0 when there is no difference, and knows no object that is not there', async () => {
    assert.deepEqual(await run(['diff']), { code: 0, stdout: '', stderr: '' });
    const { code, stderr } = await run(['diff', '--of', 'nothing']);
    assert.equal(code, 1);
    assert.match(stderr, /^error: There is no object "nothing"\.$/m);
  });

  it('tells of what cannot be read or understood on stderr', async () => {
    server.control.report = { ...FULL_PLAN, problems: [problem('web.yaml', 'There is no key "confg".')] };
    const { code, stderr } = await run(['diff']);
    assert.equal(code, 1);
    assert.match(stderr, /^web\.yaml:7:5: error: There is no key/m);
    assert.match(stderr, /^note: Instance\/default\/-\/db cannot be read/m);
    assert.match(stderr, /^note: .* none of them is deleted\. Once this is in force, run on the host: lockstep confirm main$/m);
  });
});

describe('a saved plan', () => {
  it('is readable by its owner only, and is applied by its hash', async () => {
    const file = join(server.directory, 'plan.json');
    await writeFile(join(server.directory, 'web.yaml'), 'kind: Instance\n');
    server.control.report = FULL_PLAN;
    const saved = await run(['plan', 'web.yaml', '--out', 'plan.json'], { cwd: server.directory });
    assert.equal(saved.code, 2);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.match(await readFile(file, 'utf8'), /"lockstepPlan": 1/);

    const applied = await run(['apply', file]);
    assert.deepEqual([applied.code, applied.stdout], [0, 'Instance/web created\n']);
    assert.deepEqual(server.control.calls.at(-1), {
      what: 'apply',
      args: [[{ path: 'web.yaml', text: 'kind: Instance\n' }], { actor: 'uid:1000' }],
    });
  });

  it('is refused when something has changed since', async () => {
    const file = join(server.directory, 'plan.json');
    server.control.report = FULL_PLAN;
    await run(['plan', '--out', file]);
    const objects = FULL_PLAN.objects.map((one) => (one.ref === WEB ? { ...one, changes: 'other' } : one));
    server.control.report = { ...FULL_PLAN, objects };
    const { code, stderr } = await run(['apply', file]);
    assert.equal(code, 1);
    assert.match(stderr, /^error: The saved plan is no longer what would happen\. The actual state of Instance "web" has changed\.$/m);
    assert.ok(server.control.calls.every((call) => call.what === 'plan'));
  });

  it('cannot be redirected to another source', async () => {
    const file = join(server.directory, 'plan.json');
    await run(['plan', '--out', file]);
    assert.equal((await run(['apply', file, '--source', 'team'])).code, 64);
  });
});

describe('apply', () => {
  it('sends manifests and says what became of each object', async () => {
    const { code, stdout } = await run(['apply', '-'], { stdin: 'kind: Instance\n' });
    assert.deepEqual([code, stdout], [0, 'Instance/web created\n']);
    assert.deepEqual(server.control.calls, [
      { what: 'apply', args: [[{ path: '<stdin>', text: 'kind: Instance\n' }], { actor: 'uid:1000' }] },
    ]);
  });

  it('prints problems with file, line and column on stderr and stores nothing', async () => {
    server.control.applied = { objects: [], problems: [problem('<stdin>', 'There is no key "confg".')] };
    const { code, stdout, stderr } = await run(['apply', '-'], { stdin: 'x' });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^<stdin>:7:5: error: There is no key "confg"\./);
    assert.match(stderr, /^error: Nothing was stored: the manifests have 1 error\.$/m);
  });

  it('waits with --wait until the applied objects are ready', async () => {
    server.control.objects = [notReady(WEB, 'Creating', 'It is being made.'), notReady(DB, 'Other', 'Not asked for.')];
    setTimeout(() => (server.control.objects = [objectStatus(WEB), notReady(DB, 'Other', 'Not asked for.')]), 700);
    const { code, stdout } = await run(['apply', '-', '--wait'], { stdin: 'x' });
    assert.equal(code, 0);
    assert.equal(stdout, 'Instance/web created\nInstance/web\tyes\tRunning\t\tIt runs.\n');
    assert.deepEqual(
      server.control.calls.map((call) => call.what),
      ['apply', 'sync'],
    );
  });

  it('without paths syncs and waits', async () => {
    const { code, stdout } = await run(['apply']);
    assert.equal(code, 0);
    assert.match(stdout, /^Instance\/web\tyes/);
    assert.deepEqual(server.control.calls, [{ what: 'sync', args: [undefined] }]);
  });

  it('never prunes without a named source', async () => {
    const { code, stderr } = await run(['apply', '-', '--prune'], { stdin: 'x' });
    assert.equal(code, 64);
    assert.match(stderr, /--prune needs --source/);
    assert.deepEqual(server.control.calls, []);
  });

  it('says which file cannot be read', async () => {
    const { code, stderr } = await run(['apply', '/nonexistent/web.yaml']);
    assert.equal(code, 1);
    assert.match(stderr, /^\/nonexistent\/web\.yaml:1:1: error: Cannot be read: there is no such file or directory\.$/m);
    assert.deepEqual(server.control.calls, []);
  });
});

describe('validate', () => {
  it('needs no daemon, and exits 1 with the place of an error', async () => {
    const file = join(server.directory, 'a.yaml');
    await writeFile(file, 'apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: web }\nspec: { imag: debian }\n');
    const { code, stdout } = await lockstep(['validate', file, '--socket', '/nonexistent']);
    assert.equal(code, 1);
    assert.match(stdout, /a\.yaml:4:\d+: error: /);
    const json = await lockstep(['validate', '-o', 'json', file]);
    assert.equal((JSON.parse(json.stdout) as { valid: boolean }).valid, false);
    const yaml = await lockstep(['validate', '-o', 'yaml', file]);
    assert.deepEqual(parse(yaml.stdout), JSON.parse(json.stdout));
    assert.equal((await lockstep(['validate'])).code, 64);
  });

  it('exits 0 for good manifests on stdin', async () => {
    const stdin = 'apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: { name: fast }\nspec: { driver: dir }\n';
    const { code, stdout } = await lockstep(['validate', '-'], { stdin });
    assert.deepEqual([code, stdout], [0, '1 file, 1 valid document: no problems.\n']);
  });
});
