// Commands in containers: streams, terminal, identity, exit codes, signals, and what must not leak in.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ExecRequest } from '../../src/host/ports/lxc.ts';
import { FIRST_ID, makeTestHost, nativeProblem, type TestHost } from './busybox-container.ts';

describe('commands in a container', { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  let host: TestHost;

  before(async () => {
    host = await makeTestHost('te');
    await host.define('c');
    await host.port.start('c', AbortSignal.timeout(10_000));
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function run(command: readonly string[], more: Partial<ExecRequest> = {}, input?: string) {
    const process = await host.port.exec('c', { command, environment: {}, ...more });
    process.stdin.end(input ?? '');
    const [stdout, stderr, code] = await Promise.all([
      text(process.stdout as Readable),
      process.stderr ? text(process.stderr as Readable) : Promise.resolve(''),
      process.exited,
    ]);
    return { stdout, stderr, code };
  }

  test('input, both outputs and the exit code pass through', async () => {
    const result = await run(['sh', '-c', 'cat; echo wrong >&2; exit 7'], {}, 'hello\n');
    assert.deepEqual(result, { stdout: 'hello\n', stderr: 'wrong\n', code: 7 });
  });

  test('a megabyte passes through unharmed', async () => {
    const big = 'x'.repeat(1024 * 1024);
    const { stdout } = await run(['cat'], {}, big);
    assert.equal(stdout.length, big.length);
  });

  test('a signal, a missing program and one that cannot be run have their exit codes', async () => {
    assert.equal((await run(['sh', '-c', 'kill -9 $$'])).code, 137);
    const missing = await run(['no-such-program']);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /no-such-program/);
    assert.equal((await run(['/etc'])).code, 126);
  });

  test('user, directory and environment are those asked for; nothing of the daemon comes along', async () => {
    process.env['LOCKSTEP_TEST_SECRET'] = 'must not be seen';
    const result = await run(['sh', '-c', 'id -u; id -g; pwd; /bin/env; ls /proc/self/fd | cat'], {
      uid: 1000,
      gid: 1001,
      cwd: '/tmp',
      environment: { NAME: 'value with spaces' },
    });
    const lines = result.stdout.trimEnd().split('\n');
    assert.deepEqual(lines.slice(0, 3), ['1000', '1001', '/tmp']);
    assert.match(result.stdout, /^NAME=value with spaces$/m);
    assert.doesNotMatch(result.stdout, /SECRET|LOCKSTEP|container=/);
    assert.deepEqual(lines.slice(-4), ['0', '1', '2', '3'], 'its three streams and the one of ls itself');
  });

  test('a directory that cannot be entered is an error', async () => {
    await assert.rejects(run(['true'], { cwd: '/not/there' }), { code: 'EXEC_FAILED' });
  });

  test('what is written inside belongs to the id range', async () => {
    await run(['sh', '-c', 'touch /tmp/made; mkdir -p /tmp/deep']);
    const path = join(host.rootfs, 'tmp/made');
    assert.equal(statSync(path).uid, FIRST_ID);
    assert.equal(statSync(path).mode & 0o777, 0o644, 'umask 022');
  });

  test("a terminal is the container's own, has the size asked for, is resized and ends its command on hang-up", async () => {
    const process = await host.port.exec('c', {
      command: ['sh', '-c', 'tty; stty size; id -u; read line; stty size; exit 4'],
      environment: {},
      uid: 1000,
      terminal: { columns: 99, rows: 33 },
    });
    assert.equal(process.stderr, undefined);
    let seen = '';
    process.stdout.on('data', (chunk: Buffer) => {
      seen += String(chunk);
    });
    while (!seen.includes('1000')) await sleep(5);
    assert.match(seen, /^\/dev\/pts\/\d+\r\n33 99\r\n1000/);
    process.resize(120, 40);
    process.stdin.write('go\n');
    assert.equal(await process.exited, 4);
    while (!seen.includes('40 120')) await sleep(5);
  });

  test('a signal reaches the command', async () => {
    const process = await host.port.exec('c', { command: ['sleep', '60'], environment: {} });
    process.signal(15);
    assert.equal(await process.exited, 143);
    process.signal(15);
  });

  test('sixteen commands at once each get their own answers', async () => {
    const results = await Promise.all(Array.from({ length: 16 }, (_, i) => run(['sh', '-c', `echo ${i}; exit ${i}`])));
    assert.deepEqual(
      results.map((result) => [result.stdout, result.code]),
      Array.from({ length: 16 }, (_, i) => [`${i}\n`, i]),
    );
  });

  test('arguments with newlines, quotes and dashes arrive as they are; NUL and emptiness are refused', async () => {
    const odd = ['-n', 'a b', '"', '\n', '$(x)', 'ä'];
    const { stdout } = await run(['sh', '-c', 'for one in "$@"; do echo "<$one>"; done', 'sh', ...odd]);
    assert.equal(stdout, odd.map((one) => `<${one}>\n`).join(''));
    await assert.rejects(run(['true', 'a\0b']), { code: 'REQUEST_INVALID' });
    await assert.rejects(run([]), { code: 'REQUEST_INVALID' });
    const large = 'y'.repeat(100_000);
    assert.equal((await run(['sh', '-c', 'echo ${#1}', 'sh', large])).stdout, '100000\n');
  });

  test('a command that runs is ended when the daemon goes away, its container is not', async () => {
    const process = await host.port.exec('c', { command: ['sleep', '77'], environment: {} });
    process.exited.catch(() => undefined);
    const { initPid } = (await host.port.list()).get('c') ?? {};
    const sleeps = () => readFileSync('/sys/fs/cgroup/pids/te.lockstep/c/payload/cgroup.procs', 'utf8').trim().split('\n').length;
    const v1 = existsSync('/sys/fs/cgroup/pids/te.lockstep/c/payload/cgroup.procs');
    if (v1) assert.equal(sleeps(), 2);
    await host.reopen();
    await sleep(100);
    if (v1) assert.equal(sleeps(), 1);
    assert.equal((await host.port.list()).get('c')?.initPid, initPid);
  });

  test('a container that is not running takes no command', async () => {
    await host.define('idle');
    await assert.rejects(host.port.exec('idle', { command: ['true'], environment: {} }), { code: 'LXC_NOT_RUNNING' });
    await assert.rejects(host.port.exec('nobody', { command: ['true'], environment: {} }), { code: 'LXC_NOT_RUNNING' });
  });
});
