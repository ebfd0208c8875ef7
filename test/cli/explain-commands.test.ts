// why, history and audit against a real server on a unix socket, and the audit log of a ledger file without one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Database } from '../../src/state/database.ts';
import { openLedger } from '../../src/state/open.ts';
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

describe('why', () => {
  it('says what is the matter, what is behind it with file and line, and what was done last', async () => {
    const { code, stdout } = await run(['why', 'web']);
    assert.equal(code, 0);
    for (const part of [
      /^Instance\/web is not ready: WaitingForNeeds$/m,
      /because +The next change \(start\) waits for Network "lan"\./,
      /Network\/lan \(devices\.eth0\.network, \/srv\/manifests\/web\.yaml:9\)\n +root cause: TOOL_MISSING: .*dnsmasq is not installed\. \(\/srv\/manifests\/lan\.yaml:1\)/,
      /declared +\/srv\/manifests\/web\.yaml:3/,
      /revision +aaaabbbbcccc, applied/,
      /changed in +999988887777/,
      /signed by +alice@example\.com/,
      /last change .*: done in 1\.5 s, revision aaaabbbbcccc\n +- apply limits\n +because source "main" changed what it declares/,
      /note: Its source "main" cannot be read/,
    ]) {
      assert.match(stdout, part);
    }
  });

  it('prints data, and asks also for what the daemon does not list any more', async () => {
    const { stdout } = await run(['why', 'Instance/gone', '-o', 'json']);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(server.explain.answer)));
    const missing = await run(['why', 'Instance/nothing']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /There is no Instance "nothing"/);
  });

  it('lets no escape sequence of a message through', async () => {
    const { answer } = server.explain;
    server.explain.answer = { ...answer, rule: { ...answer.rule, message: 'a\u001b[31mb\u202ec' }, notes: ['\u001b]0;x\u0007'] };
    const { stdout } = await run(['why', 'web']);
    for (const character of ['\u001b', '\u202e', '\u0007']) assert.ok(!stdout.includes(character));
  });
});

describe('history', () => {
  it('is one line per change on a pipe, oldest first', async () => {
    const [run0] = server.explain.runs;
    server.explain.runs = [
      { ...run0!, revision: 'second' },
      { ...run0!, revision: 'first' },
    ];
    const { stdout } = await run(['history', 'web']);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t').slice(1));
    assert.deepEqual(rows, [
      ['1.5 s', 'first', 'setLimits', 'done', 'apply limits'],
      ['1.5 s', 'second', 'setLimits', 'done', 'apply limits'],
    ]);
    assert.equal((await run(['history', 'web', '--limit', '0'])).code, 64);
  });
});

describe('audit', () => {
  it('lists entries, oldest first, with what to ask for the page behind', async () => {
    const { stdout, stderr } = await run(['audit', '--limit', '2', '--since', '1h', '--object', 'web', '--before', '9']);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.deepEqual(
      rows.map(([seq, _time, actor, action, ref, outcome, summary]) => [seq, actor, action, ref, outcome, summary]),
      [
        ['6', 'uid:0', 'sync', '', 'asked', 'look again now'],
        ['7', 'source:main@aaaabbbbccccdddd', 'setLimits', 'Instance/default/-/web', 'done', 'apply limits'],
      ],
    );
    assert.match(stderr, /--before 6/);
    const [asked] = server.explain.asked as [{ limit: number; since: number; ref: string; before: number }];
    assert.deepEqual([asked.limit, asked.ref, asked.before], [2, 'Instance/default/-/web', 9]);
    assert.ok(Math.abs(asked.since - (Date.now() - 3_600_000)) < 60_000);
    assert.equal((await run(['audit', 'other'])).code, 64);
  });

  it('verify asks the daemon: exit code 0 with the head, 1 with the first broken entry', async () => {
    const fine = await run(['audit', 'verify']);
    assert.equal(fine.code, 0);
    assert.match(fine.stdout, new RegExp(`head 7:${'f'.repeat(64)}`));
    server.explain.verdict = { entries: 3, head: undefined, broken: { seq: 1, problem: 'Entry 1 is missing.' } };
    const broken = await run(['audit', 'verify']);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /broken at entry 1: Entry 1 is missing\./);
  });

  it('verify --ledger reads a file, without a daemon', async () => {
    const path = join(server.directory, 'ledger.db');
    const ledger = openLedger(path);
    for (let n = 1; n <= 3; n++) ledger.audit.add({ at: n, actor: 'uid:0', action: 'sync', ref: '', detail: '{}' });
    const head = ledger.audit.head();
    ledger.close();
    const without = { socket: join(server.directory, 'nobody.sock') };
    const fine = await run(['audit', 'verify', '--ledger', path, '--expect', `${head.seq}:${head.hash}`], without);
    assert.deepEqual([fine.code, fine.stderr], [0, '']);
    assert.match(fine.stdout, new RegExp(`3 entries\\.\nhead ${head.seq}:${head.hash}`));
    const db = new Database(path);
    db.exec("UPDATE audit SET actor = 'uid:9' WHERE seq = 2");
    db.close();
    const broken = await run(['audit', 'verify', '--ledger', path, '-o', 'json'], without);
    assert.equal(broken.code, 1);
    assert.equal((JSON.parse(broken.stdout) as { broken: { seq: number } }).broken.seq, 2);
    assert.equal((await run(['audit', 'verify', '--ledger', join(server.directory, 'none.db')], without)).code, 1);
    assert.equal((await run(['audit', 'verify', '--expect', 'x'])).code, 64);
  });
});
