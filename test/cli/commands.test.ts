// All other commands against a real server on a unix socket: what they print, where, and their exit codes.
import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { makeRef } from '../../src/core/ref.ts';
import type { Confirmation } from '../../src/reconciler/control.ts';
import { DB, FAST, notReady, objectStatus, problem, tombstone, WEB } from '../api/fake-control.ts';
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

describe('status', () => {
  it('prints one tab-separated line per object on a pipe', async () => {
    const { code, stdout } = await run(['status']);
    assert.equal(code, 0);
    assert.equal(
      stdout,
      'Instance/web\tyes\tRunning\t10.20.0.10\tIt runs.\nInstance/db\tyes\tRunning\t10.20.0.11\tIt runs.\nStoragePool/fast\tyes\tRunning\t\tIt runs.\n',
    );
  });

  it('prints one object by its short form', async () => {
    const { stdout } = await run(['status', 'instance/db']);
    assert.match(stdout, /^Instance\/db\t/);
    assert.equal(stdout.split('\n').length, 2);
  });

  it('says what waits for a person, and what is wrong with sources, on stderr', async () => {
    server.control.confirmations = [
      { action: 'delete', source: 'main', hash: 'h', objects: [WEB, DB], protected: [], reason: 'It became empty.', askedAt: 1 },
    ];
    server.control.sources = [{ ...server.control.sources[0]!, problems: [problem('web.yaml', 'Bad.')], error: 'It cannot be listed.' }];
    const { code, stdout, stderr } = await run(['status']);
    assert.equal(code, 0);
    assert.equal(stdout.split('\n').length, 4);
    assert.match(stderr, /Source "main" \(\/srv\/manifests\): It cannot be listed\./);
    assert.match(stderr, /web\.yaml:7:5: error: Bad\./);
    assert.match(stderr, /would delete 2 objects; they stay until you confirm: lockstep confirm main/);
  });

  it('waits until everything is settled', async () => {
    server.control.objects = [notReady(WEB, 'Starting', 'It starts.')];
    setTimeout(() => (server.control.objects = [objectStatus(WEB)]), 500);
    assert.equal((await run(['status', '--wait'])).code, 0);
  });

  it('exits 3 when the time is up', async () => {
    server.control.objects = [notReady(WEB, 'Starting', 'It starts.')];
    const { code, stderr } = await run(['status', '--wait', '--timeout', '1s']);
    assert.equal(code, 3);
    assert.match(stderr, /error: The time is up: 1 object is not ready\./);
    assert.match(stderr, /lockstep describe Instance\/default\/-\/web/);
  });

  it('gives up early with exit code 1 on what cannot become ready by itself', async () => {
    server.control.objects = [objectStatus(WEB), notReady(DB, 'ManifestInvalid', 'Its manifest has an error.', true)];
    const { code, stderr } = await run(['status', '--wait', '--timeout', '60s']);
    assert.equal(code, 1);
    assert.match(stderr, /1 object is not ready, and nothing will change that by itself/);
  });

  it('says that manifests have errors when that is all that is left', async () => {
    server.control.settled = false;
    server.control.sources = [{ ...server.control.sources[0]!, problems: [problem('web.yaml', 'Bad.')] }];
    const { code, stderr } = await run(['status', '--wait', '--timeout', '60s']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error: The manifests have errors; what was last valid stays in effect, and nothing will change that by itself\.$/m,
    );
  });

  it('tells why an object that still runs is stalled', async () => {
    const [ready] = objectStatus(WEB).conditions;
    const stalled = { type: 'Stalled', status: 'True', reason: 'ManifestInvalid', message: 'Its file has 2 errors.', since: 1 } as const;
    server.control.objects = [objectStatus(WEB, { conditions: [ready!, stalled] })];
    assert.equal((await run(['status'])).stdout, 'Instance/web\tyes\tManifestInvalid\t\tIts file has 2 errors.\n');
  });

  it('goes on waiting while the daemon restarts', async () => {
    server.control.objects = [notReady(WEB, 'Starting', 'It starts.')];
    const waiting = run(['status', '--wait', '--timeout', '20s']);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 700));
    server.control.objects = [objectStatus(WEB)];
    await server.listen();
    assert.equal((await waiting).code, 0);
  });
});

describe('get and describe', () => {
  it('lists a kind by any of its words', async () => {
    for (const word of ['StoragePool', 'storagepools', 'pool', 'storage-pool']) {
      assert.equal((await run(['get', word])).stdout, 'fast\tyes\tRunning\tapi\n');
    }
  });

  it('prints an object or a list as JSON', async () => {
    assert.equal((JSON.parse((await run(['get', 'instances', '-o', 'json'])).stdout) as unknown[]).length, 2);
    const one = JSON.parse((await run(['get', 'instance', 'db', '-o', 'json'])).stdout) as { ref: unknown };
    assert.deepEqual(one.ref, DB);
  });

  it('exits 1 for an object that is not there, 64 for a kind that does not exist', async () => {
    assert.equal((await run(['get', 'pool', 'slow'])).code, 1);
    const { code, stderr } = await run(['get', 'pods']);
    assert.equal(code, 64);
    assert.match(stderr, /Kinds are Project, StoragePool/);
  });

  it('describes one object', async () => {
    const { code, stdout } = await run(['describe', 'web']);
    assert.equal(code, 0);
    for (const part of [
      'Instance/default/-/web',
      '/srv/manifests/web.yaml:3',
      'limits.memory: 512MiB',
      'idrange',
      'create: done in 0.9 s',
    ]) {
      assert.ok(stdout.includes(part), part);
    }
  });

  it('asks for more when a name means several objects', async () => {
    server.control.objects = [objectStatus(WEB), objectStatus(makeRef('Profile', 'web'))];
    const { code, stderr } = await run(['describe', 'web']);
    assert.equal(code, 1);
    assert.match(stderr, /"web" may mean Instance\/web or Profile\/web/);
    assert.equal((await run(['describe', 'profile/web'])).code, 0);
  });
});

describe('events', () => {
  it('prints stored events, oldest first', async () => {
    server.events.emit('one');
    server.events.emit('two');
    const { code, stdout } = await run(['events', '--limit', '1']);
    assert.equal(code, 0);
    assert.equal(stdout, '2\t2026-01-02 03:04:05\t\tInstance/web\tStarted\ttwo\n');
  });

  it('refuses a limit that is no number', async () => {
    assert.equal((await run(['events', '--limit', 'many'])).code, 64);
  });
});

describe('sync, delete and undelete', () => {
  it('syncs one source', async () => {
    const { code, stdout } = await run(['sync', '--source', 'main']);
    assert.deepEqual([code, stdout], [0, 'Source "main" was read.\n']);
    assert.deepEqual(server.control.calls, [{ what: 'sync', args: ['main'] }]);
  });

  it('is silent with --quiet', async () => {
    assert.deepEqual(await run(['sync', '--quiet']), { code: 0, stdout: '', stderr: '' });
  });

  it('deletes an API object and refuses a declared one with its place', async () => {
    assert.equal((await run(['delete', 'pool/fast'])).stdout, 'StoragePool/fast is being deleted.\n');
    assert.deepEqual(server.control.calls.at(-1), { what: 'delete', args: [FAST, 'uid:1000'] });
    const { code, stderr } = await run(['delete', 'web']);
    assert.equal(code, 1);
    assert.match(stderr, /declared in \/srv\/manifests\/web\.yaml:3\.\n {2}next: Remove it from that file\./);
  });

  it('undeletes what is no longer listed, an instance when only a name is given', async () => {
    await run(['undelete', 'gone']);
    await run(['undelete', 'volume/fast/data']);
    assert.deepEqual(
      server.control.calls.map((call) => call.args[0]),
      [makeRef('Instance', 'gone'), makeRef('StorageVolume', 'data', { parent: 'fast' })],
    );
  });
});

describe('tombstones', () => {
  it('lists what can be brought back, as undelete without a name and as get', async () => {
    server.control.tombstones = [
      tombstone(WEB, { bytes: 3 * 1024 ** 2, expiresAt: Date.UTC(2100, 0, 2, 3, 4, 5) }),
      tombstone(DB, { why: 'replaced', expiresAt: 1 }),
    ];
    for (const command of [['undelete'], ['get', 'tombstones']]) {
      const { code, stdout } = await run(command);
      assert.equal(code, 0);
      const [web, db] = stdout.trimEnd().split('\n');
      assert.match(web!, /^Instance\/web\tits data\t\d+d ago\t2100-01-02 03:04:05\t3MiB\tfast\/uid-web\.1$/);
      assert.match(db!, /^Instance\/db\ta former root\t\d+d ago\tnow\t\tfast\//);
    }
    const { stdout } = await run(['undelete', '-o', 'json']);
    assert.deepEqual(JSON.parse(stdout), server.control.tombstones);
    assert.match((await run(['status'])).stderr, /2 tombstones \(3MiB\).*lockstep undelete/);
  });

  it('brings one of several back', async () => {
    await run(['undelete', 'web', '--tombstone', 'fast/uid-web.1']);
    assert.deepEqual(server.control.calls, [{ what: 'undelete', args: [WEB, { name: 'uid-web.1', actor: 'uid:1000' }] }]);
  });

  it('purges what it showed, after a yes', async () => {
    server.control.tombstones = [tombstone(WEB), tombstone(DB)];
    const asked = await run(['purge', 'web']);
    assert.equal(asked.code, 64);
    assert.match(asked.stdout, /^Instance\/web\t/);
    assert.doesNotMatch(asked.stdout, /Instance\/db/);
    assert.match(asked.stderr, /Remove 1 tombstone for good\?.*\n.*--yes/);
    assert.equal(server.control.calls.length, 0);
    assert.match((await run(['purge', 'web', '--yes'])).stdout, /1 tombstone removed for good\./);
    await run(['purge', '--all', '--yes']);
    assert.deepEqual(
      server.control.calls.map((call) => call.args[0]),
      [WEB, 'all'],
    );
  });

  it('wants an object or --all, and says when nothing is kept', async () => {
    assert.equal((await run(['purge'])).code, 64);
    assert.equal((await run(['purge', 'web', '--all'])).code, 64);
    const { code, stderr } = await run(['purge', 'gone', '--yes']);
    assert.equal(code, 1);
    assert.match(stderr, /Nothing of Instance\/gone is kept\./);
  });
});

describe('source', () => {
  it('lists sources, also those that are not configured any more', async () => {
    server.control.sources = [
      ...server.control.sources,
      { ...server.control.sources[0]!, name: 'old', location: '', state: 'unconfigured', revision: undefined, objects: 3 },
    ];
    const { stdout } = await run(['source', 'list']);
    assert.equal(stdout, 'main\tread\t2\taaaa\t/srv/manifests\nold\tnot configured; nothing is deleted\t3\t\t\n');
    assert.match((await run(['status'])).stderr, /"old" is no longer configured; its 3 objects stay.*source forget old --keep\|--prune/);
  });

  it('forgets one, keeping or pruning, after a yes', async () => {
    assert.equal((await run(['source', 'forget', 'old'])).code, 64);
    assert.equal((await run(['source', 'forget', 'old', '--keep', '--prune', '--yes'])).code, 64);
    assert.equal((await run(['source', 'forget', 'old', '--keep'])).code, 64);
    assert.equal(server.control.calls.length, 0);
    assert.match(
      (await run(['source', 'forget', 'old', '--keep', '--yes'])).stdout,
      /2 objects of source "old" are now objects made through the API/,
    );
    assert.match((await run(['source', 'forget', 'old', '--prune', '--yes'])).stdout, /lockstep confirm old/);
    assert.deepEqual(
      server.control.calls.map((call) => call.args.slice(0, 2)),
      [
        ['old', 'keep'],
        ['old', 'prune'],
      ],
    );
  });
});

describe('confirm', () => {
  const waiting = (source: string) => ({
    action: 'delete' as const,
    source,
    hash: `hash-${source}`,
    objects: [WEB, DB],
    protected: [],
    reason: 'It became empty.',
    askedAt: 1,
  });

  it('shows the list and does nothing without a yes', async () => {
    server.control.confirmations = [waiting('main')];
    const { code, stdout, stderr } = await run(['confirm']);
    assert.equal(code, 64);
    assert.match(stdout, /Source "main" would delete 2 objects\. It became empty\.\n {2}- Instance\/web\n {2}- Instance\/db/);
    assert.match(stderr, /--yes/);
    assert.deepEqual(server.control.calls, []);
  });

  it('confirms exactly the hash of the list it showed', async () => {
    server.control.confirmations = [waiting('main')];
    assert.equal((await run(['confirm', 'main', '--yes'])).code, 0);
    assert.deepEqual(server.control.calls, [{ what: 'confirm', args: ['main', 'hash-main', { actor: 'uid:1000' }] }]);
  });

  it('shows what is protected, and deletes it only with --unprotect', async () => {
    server.control.confirmations = [{ ...waiting('main'), objects: [DB], protected: [WEB] }];
    const { stdout } = await run(['confirm', 'main']);
    assert.match(stdout, /- Instance\/db\n {4}Instance\/web \(protected: stays, unless you give --unprotect\)/);
    assert.match((await run(['confirm', 'main', '--unprotect', '--yes'])).stdout, /Confirmed: 2 objects will be deleted\./);
    assert.deepEqual(server.control.calls, [{ what: 'confirm', args: ['main', 'hash-main', { unprotect: true, actor: 'uid:1000' }] }]);
  });

  it('asks another question about a ledger that was rebuilt', async () => {
    server.control.confirmations = [{ ...waiting('@ledger'), action: 'adopt', reason: 'The ledger was lost.' }];
    const { stdout, stderr } = await run(['confirm', '@ledger']);
    assert.equal(stdout, 'The ledger was lost.\n  = Instance/web\n  = Instance/db\n');
    assert.match(stderr, /2 objects will be taken for ours\?/);
    assert.equal((await run(['confirm', '@ledger', '--yes'])).stdout.split('\n').at(-2), 'Confirmed: 2 objects will be taken for ours.');
  });

  it('wants a name or --all when several sources wait', async () => {
    server.control.confirmations = [waiting('a'), waiting('b')];
    assert.equal((await run(['confirm', '--yes'])).code, 64);
    assert.deepEqual(server.control.calls, []);
    assert.equal((await run(['confirm', '--all', '--yes'])).code, 0);
    assert.equal(server.control.confirmations.length, 0);
  });
});

describe('confirm of a recreate', () => {
  const recreate: Confirmation = {
    action: 'recreate',
    source: 'main',
    hash: 'hash-web',
    objects: [WEB],
    protected: [],
    reason: 'A new root volume is made.',
    askedAt: 1,
  };
  const restart: Confirmation = { ...recreate, action: 'restart', hash: 'hash-db', objects: [DB], reason: 'It is restarted.' };

  it('names one object, and confirms nothing else', async () => {
    for (const name of ['web', 'Instance/web', 'instance/web', 'Instance/default/-/web']) {
      server.control.calls.length = 0;
      server.control.confirmations = [recreate, restart];
      const { code, stdout } = await run(['confirm', name, '--yes']);
      assert.equal(code, 0, name);
      assert.match(stdout, /Instance\/web would be recreated\. A new root volume is made\.\n/);
      assert.doesNotMatch(stdout, /db/);
      assert.deepEqual(server.control.calls, [{ what: 'confirm', args: ['main', 'hash-web', { actor: 'uid:1000' }] }]);
    }
  });

  it('confirms all that waits of a source', async () => {
    server.control.confirmations = [recreate, restart, { ...recreate, source: 'other', hash: 'x' }];
    const { code, stdout } = await run(['confirm', 'main', '--yes']);
    assert.equal(code, 0);
    assert.match(stdout, /Confirmed: 1 object will be recreated, 1 object will be restarted\./);
    assert.deepEqual(
      server.control.confirmations.map(({ source }) => source),
      ['other'],
    );
  });

  it('is shown by status', async () => {
    server.control.confirmations = [recreate, restart];
    const { stderr } = await run(['status']);
    assert.match(stderr, /Instance\/web would be recreated; it stays as it is until you confirm: lockstep confirm Instance\/web/);
    assert.match(stderr, /Instance\/db would be restarted; it stays/);
  });
});

describe('doctor', () => {
  it('lists what the host has and lacks, without a daemon', async () => {
    const { code, stdout } = await lockstep(['doctor', '-o', 'json', '--socket', '/nonexistent']);
    const answer = JSON.parse(stdout) as { ok: boolean; checks: { name: string; ok: boolean; required: boolean; hint?: string }[] };
    assert.equal(code, answer.ok ? 0 : 1);
    assert.equal(
      answer.ok,
      answer.checks.every((check) => check.ok || !check.required),
    );
    assert.ok(answer.checks.every((check) => check.ok || check.hint !== undefined));
  });

  it('exits 1 and says what to do when something needed is missing', async () => {
    const { code, stdout, stderr } = await lockstep(['doctor', '--state-dir', '/proc/nowhere']);
    assert.equal(code, 1);
    assert.match(stdout, /^missing\tstate directory\t/m);
    assert.match(stderr, /state directory: .*--state-dir/);
  });
});

describe('host-shutdown', () => {
  it('prints what became of each instance, and exits 1 when one could not be stopped', async () => {
    server.hostShutdown.start = async () => ({
      instances: [
        { name: 'db', priority: 5, outcome: 'stopped', durationMs: 1234 },
        { name: 'web', priority: 0, outcome: 'failed', durationMs: 60_000, error: 'It hangs.' },
      ],
    });
    const { code, stdout } = await run(['host-shutdown']);
    assert.equal(code, 1);
    assert.match(stdout, /^db\t5\tstopped\t1\.2\t\nweb\t0\tfailed\t60\.0\tIt hangs\.\n/);
  });

  it('is called off with --cancel, in the name of the peer', async () => {
    const actors: string[] = [];
    server.hostShutdown.cancel = async (actor) => void actors.push(actor);
    assert.equal((await run(['host-shutdown', '--cancel'])).code, 0);
    assert.deepEqual(actors, ['uid:1000']);
  });

  it('shows in the status', async () => {
    server.control.draining = true;
    assert.match((await run(['status'])).stderr, /being shut down.*host-shutdown --cancel/);
  });
});

describe('errors and usage', () => {
  it('says how to start a daemon that does not answer', async () => {
    const { code, stdout, stderr } = await lockstep(['status', '--socket', '/nonexistent/lockstep.sock']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^error: lockstepd does not answer at "\/nonexistent\/lockstep\.sock"\.\n {2}next: Start it with "systemctl start lockstepd"/,
    );
  });

  it('names what is not lockstepd behind a socket', async () => {
    const path = join(server.directory, 'other.sock');
    const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    const { code } = await lockstep(['status'], { socket: path });
    other.close();
    assert.equal(code, 1);
  });

  it('exits 64 on unknown commands and options, 0 on help', async () => {
    assert.equal((await run(['statu'])).code, 64);
    assert.match((await run(['statu'])).stderr, /Did you mean status\?/);
    assert.equal((await run(['status', '--bogus'])).code, 64);
    assert.equal((await run(['status', '-o', 'xml'])).code, 64);
    assert.equal((await run(['status', '--wait', '--timeout', 'soon'])).code, 64);
    assert.equal((await run(['--help'])).code, 0);
    const { code, stdout } = await run(['help', 'plan']);
    assert.equal(code, 0);
    assert.match(stdout, /--out <file>/);
    assert.match(stdout, /--socket <path>/);
  });

  it('prints versions of client and daemon', async () => {
    const versions = JSON.parse((await run(['version', '-o', 'json'])).stdout) as Record<string, string>;
    assert.deepEqual(Object.keys(versions), ['client', 'node', 'daemon']);
    assert.equal((await lockstep(['version', '--socket', '/nonexistent'])).code, 0);
  });
});

describe('the launcher', () => {
  let link: string;
  before(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lockstep-link-'));
    await symlink(join(import.meta.dirname, '..', '..', 'bin', 'lockstep'), join(directory, 'first'));
    await symlink('first', join(directory, 'second'));
    link = join(directory, 'second');
  });
  after(async () => {
    await rm(join(link, '..'), { recursive: true, force: true });
  });

  it('works through symlinks, from any directory, and without Node in PATH', async () => {
    const { code, stdout } = await run(['get', 'pool'], { program: link, cwd: '/', env: { PATH: '/usr/bin:/bin' } });
    assert.deepEqual([code, stdout], [0, 'fast\tyes\tRunning\tapi\n']);
  });
});
