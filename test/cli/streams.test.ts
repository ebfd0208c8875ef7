// Commands that stay connected: events --follow and exec, with pipes and on a terminal.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AppError } from '../../src/core/errors.ts';
import type { ExecProcess } from '../../src/host/ports/lxc.ts';
import type { ExecCommand } from '../../src/operations/operations.ts';
import { LiveServer } from '../api/live-server.ts';
import { lockstep, PROJECT } from './run-lockstep.ts';

const LOCKSTEP = join(PROJECT, 'bin', 'lockstep');

let server: LiveServer;
beforeEach(async () => {
  server = await LiveServer.start();
});
afterEach(() => server[Symbol.asyncDispose]());

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 500, `${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('events --follow', () => {
  it('prints stored and live events, goes on across a restart of the daemon without a gap, and ends with Ctrl-C', async () => {
    server.events.emit('one');
    const child = spawn(LOCKSTEP, ['events', '--follow', '-o', 'json'], { env: { ...process.env, LOCKSTEP_SOCKET: server.socketPath } });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const seen = () =>
      text
        .trimEnd()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { message: string }).message);
    await until(() => server.events.listeners.size === 1, 'a subscription');
    server.events.emit('two');
    await until(() => seen().length === 2, 'the second event');
    await server.stop();
    server.events.emit('three');
    await server.listen();
    await until(() => seen().length === 3, 'the event in between');
    assert.deepEqual(seen(), ['one', 'two', 'three']);
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
  });

  it('fails at once when there is no daemon', async () => {
    assert.equal((await lockstep(['events', '--follow'], { socket: '/nonexistent' })).code, 1);
  });

  it('ends quietly when its reader leaves', async () => {
    for (let n = 0; n < 50; n++) server.events.emit(`e${n}`);
    const pipe = spawn('sh', ['-c', '"$0" events | head -n 1', LOCKSTEP], { env: { ...process.env, LOCKSTEP_SOCKET: server.socketPath } });
    let stderr = '';
    pipe.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await once(pipe, 'close');
    assert.equal(stderr, '');
  });
});

/** Runs commands on this host instead of in a container: `cat`, `sh`. */
function hostOperations(): { calls: ExecCommand[]; exec(ref: unknown, command: ExecCommand): Promise<ExecProcess> } {
  const calls: ExecCommand[] = [];
  return {
    calls,
    async exec(_ref, command) {
      calls.push(command);
      const [program = '', ...args] = command.command;
      const child = spawn(program, args, { env: { PATH: process.env['PATH'], ...command.environment } });
      return {
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        resize: () => undefined,
        signal: (number) => void child.kill(number),
        exited: new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGTERM' ? 143 : 137)))),
      };
    },
  };
}

describe('exec', () => {
  it('joins input, output and exit code with those of the command', async () => {
    server.operations = hostOperations();
    const script = 'cat; echo oops >&2; exit 7';
    const ran = await lockstep(['exec', 'web', '--', 'sh', '-c', script], { socket: server.socketPath, stdin: 'a\nb\0c' });
    assert.deepEqual(ran, { code: 7, stdout: 'a\nb\0c', stderr: 'oops\n' });
  });

  it('carries megabytes both ways unchanged', async () => {
    server.operations = hostOperations();
    const stdin = '0123456789abcdef'.repeat(300_000);
    const { code, stdout } = await lockstep(['exec', 'web', '--', 'cat'], { socket: server.socketPath, stdin });
    assert.equal(code, 0);
    assert.ok(stdout === stdin, `${stdout.length} of ${stdin.length}`);
  });

  it('passes environment, directory and ids on, and leaves the options of the command alone', async () => {
    const operations = hostOperations();
    server.operations = operations;
    const args = ['exec', '-e', 'A=b=c', '--env', 'TOKEN', '--cwd', '/tmp', '--user', '5:6', 'project/web', '--', 'true', '-t', '--help'];
    // A project is named by the option, as everywhere.
    assert.equal((await lockstep(args, { socket: server.socketPath, env: { TOKEN: 't' } })).code, 64);
    args[args.indexOf('project/web')] = 'web';
    assert.equal((await lockstep(args, { socket: server.socketPath, env: { TOKEN: 't' } })).code, 0);
    assert.deepEqual(operations.calls, [
      { command: ['true', '-t', '--help'], environment: { A: 'b=c', TOKEN: 't' }, cwd: '/tmp', user: 5, group: 6 },
    ]);
  });

  it('passes signals on to the command', async () => {
    server.operations = hostOperations();
    const child = spawn(LOCKSTEP, ['exec', 'web', '--', 'sh', '-c', 'echo up; exec sleep 60'], {
      env: { ...process.env, LOCKSTEP_SOCKET: server.socketPath },
    });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 143);
  });

  it('says why the command cannot be run', async () => {
    server.operations = {
      exec: async () =>
        Promise.reject(new AppError('LXC_NOT_RUNNING', {}, { message: 'Instance "web" is not running.', hint: 'Start it.' })),
    };
    const { code, stdout, stderr } = await lockstep(['exec', 'web', '--', 'true'], { socket: server.socketPath });
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, 'error: Instance "web" is not running.\n  next: Start it.\n');
  });

  it('fails when the daemon goes away meanwhile', async () => {
    const stdout = new PassThrough();
    server.operations = {
      exec: async () => ({
        stdin: new PassThrough(),
        stdout,
        stderr: undefined,
        resize: () => undefined,
        signal: () => undefined,
        exited: new Promise<number>(() => undefined),
      }),
    };
    const running = lockstep(['exec', 'web', '--', 'x'], { socket: server.socketPath });
    stdout.write('up');
    await new Promise((resolve) => setTimeout(resolve, 800));
    await server.stop();
    const { code, stderr } = await running;
    assert.equal(code, 1);
    assert.match(stderr, /connection to the daemon was lost/);
  });

  it('gives the command a terminal of our size when we have one', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const operations = hostOperations();
    server.operations = operations;
    const command = `stty rows 33 cols 101; '${LOCKSTEP}' exec web -- sh -c 'exit 5'`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', LOCKSTEP_SOCKET: server.socketPath },
    });
    child.stdout.resume();
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 5);
    assert.deepEqual(operations.calls[0]?.terminal, { columns: 101, rows: 33, type: 'xterm' });
  });
});

describe('a terminal', () => {
  async function onTerminal(args: string, environment: Record<string, string> = {}): Promise<string> {
    const child = spawn('script', ['-qec', `stty rows 24 cols 80; '${LOCKSTEP}' ${args}`, '/dev/null'], {
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', LOCKSTEP_SOCKET: server.socketPath, ...environment },
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    return text.replaceAll('\r\n', '\n').replaceAll('\u001b', '␛');
  }

  it('gets a table with headings and colours', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const text = await onTerminal('status');
    assert.match(text, /^lockstepd 0\.1\.0, pid 4242, up \d+d, ready: 3 of 3 objects ready\n\n/);
    assert.match(text, /␛\[1mOBJECT␛\[22m +␛\[1mREADY/);
    assert.match(text, /Instance\/web +␛\[32myes/);
  });

  it('gets no colours with --no-color or NO_COLOR', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    for (const text of [await onTerminal('status --no-color'), await onTerminal('status', { NO_COLOR: '1' })]) {
      assert.ok(!text.includes('␛['));
      assert.match(text, /^OBJECT +READY +STATUS +ADDRESS +MESSAGE$/m);
    }
  });

  it('shows progress while it waits, and leaves only the result', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const { notReady, objectStatus, WEB } = await import('../api/fake-control.ts');
    server.control.objects = [{ ...notReady(WEB, 'Creating', 'It is being made.'), doing: { text: 'unpacking', fraction: 0.5 } }];
    setTimeout(() => (server.control.objects = [objectStatus(WEB)]), 800);
    const text = await onTerminal('status --wait --no-color');
    assert.match(text, /0 of 1 object ready/);
    assert.match(text, /unpacking \(50 %\)/);
    // The last thing drawn begins with going up and clearing what the progress had drawn.
    assert.match(text, /␛\[\d+A\r␛\[0JOBJECT +READY +STATUS +ADDRESS +MESSAGE\nInstance\/web +yes +Running +It runs\.\n$/);
  });

  /** Runs a command line and answers its question. */
  async function answering(args: string, answer: string): Promise<string> {
    const child = spawn('script', ['-qec', `'${LOCKSTEP}' --no-color ${args}`, '/dev/null'], {
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', LOCKSTEP_SOCKET: server.socketPath },
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const asked = text.includes('[y/N]');
      text += chunk.toString();
      if (!asked && text.includes('[y/N]')) child.stdin.write(`${answer}\r`);
    });
    await once(child, 'close');
    return text;
  }

  it('is asked before something is deleted, and nothing is done without a yes', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const { FULL_PLAN } = await import('../api/fake-control.ts');
    server.control.report = FULL_PLAN;
    const manifest = join(server.directory, 'a.yaml');
    await writeFile(manifest, 'kind: Instance\n');
    const refused = await answering(`apply ${manifest}`, 'n');
    assert.match(refused, /- Instance "old"/);
    assert.match(refused, /error: Nothing was changed\./);
    assert.ok(server.control.calls.every((call) => call.what === 'plan'));
    assert.match(await answering(`apply ${manifest}`, 'y'), /Instance\/web created/);
    assert.ok(server.control.calls.some((call) => call.what === 'apply'));
  });

  it('is not asked with --yes', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const { FULL_PLAN } = await import('../api/fake-control.ts');
    server.control.report = FULL_PLAN;
    const manifest = join(server.directory, 'a.yaml');
    await writeFile(manifest, 'kind: Instance\n');
    assert.ok(!(await answering(`apply --yes ${manifest}`, 'n')).includes('[y/N]'));
    assert.ok(server.control.calls.some((call) => call.what === 'apply'));
  });

  it('confirms deletions by a yes to the list', async (test) => {
    if (spawnSync('script', ['--version']).status !== 0) return test.skip('the program "script" is not installed');
    const { WEB } = await import('../api/fake-control.ts');
    server.control.confirmations = [
      { action: 'delete', source: 'main', hash: 'h', objects: [WEB], protected: [], reason: 'It became empty.', askedAt: 1 },
    ];
    assert.match(await answering('confirm', ''), /Nothing was confirmed/);
    assert.match(await answering('confirm', 'yes'), /Confirmed: 1 object will be deleted/);
    assert.equal(server.control.confirmations.length, 0);
  });
});
