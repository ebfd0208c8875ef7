// Real processes: starting and ending them is all this part does.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../../src/core/errors.ts';
import { mustRun, run } from '../../../../src/host/run/run.ts';
import { readStartTicks, spawnDetached } from '../../../../src/host/run/spawn-detached.ts';

const NODE = process.execPath;

async function failure(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  throw new Error('It should have failed.');
}

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (readStartTicks(pid) === undefined) return true;
    await sleep(20);
  }
  return false;
}

test('gives back stdout, stderr and the exit code', async () => {
  const script = 'process.stdout.write("out"); process.stderr.write("err"); process.exitCode = 3';
  assert.deepEqual(await run([NODE, '-e', script]), { stdout: 'out', stderr: 'err', code: 3 });
});

test('passes arguments as they are, with no shell in between', async () => {
  const odd = ['$HOME', '; echo hi', '`id`', 'a\nb', '*'];
  const { stdout } = await run([NODE, '-e', 'console.log(JSON.stringify(process.argv.slice(1)))', ...odd]);
  assert.deepEqual(JSON.parse(stdout), odd);
});

test('refuses an argument with NUL before starting anything', async () => {
  assert.equal((await failure(run(['true', 'a\0b']))).code, 'VALUE_INVALID');
});

test('gives the minimal environment and what is asked for, nothing of ours', async () => {
  process.env['LOCKSTEP_TEST_CANARY'] = 'secret';
  try {
    const { stdout } = await run(['env'], { env: { EXTRA: 'yes' } });
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.replace(/=.*/, ''))
        .toSorted(),
      ['EXTRA', 'LC_ALL', 'PATH'],
    );
  } finally {
    delete process.env['LOCKSTEP_TEST_CANARY'];
  }
});

test('gives input, and a program that does not read it is no failure', async () => {
  assert.equal((await run(['cat'], { input: 'hello' })).stdout, 'hello');
  assert.equal((await run(['true'], { input: 'x'.repeat(1_000_000) })).code, 0);
  assert.equal((await run(['cat'])).stdout, '');
});

test('a program that is not installed is TOOL_MISSING and names the Debian package', async () => {
  const unknown = await failure(run(['no-such-program-here']));
  assert.equal(unknown.code, 'TOOL_MISSING');
  const known = await failure(run(['/nowhere/nft', 'list']));
  assert.match(known.hint ?? '', /apt-get install nftables$/);
});

test('mustRun turns an exit code into TOOL_FAILED with the last lines of stderr', async () => {
  const script = 'for (let n = 0; n < 50; n++) console.error("line " + n); process.exit(4)';
  const error = await failure(mustRun([NODE, '-e', script]));
  assert.equal(error.code, 'TOOL_FAILED');
  assert.match(error.message, /exit code 4.*line 45.*line 49$/);
  assert.doesNotMatch(error.message, /line 44/);
  assert.equal(error.detail['code'], 4);
});

test('a signal is told as 128 and its number', async () => {
  assert.equal((await run([NODE, '-e', 'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000)'])).code, 128 + 15);
});

// The program prints the pid of a child of its own and then waits, as does the child.
const FAMILY = [
  NODE,
  '-e',
  'const c = require("node:child_process").spawn("sleep", ["60"], {stdio: "inherit"}); console.log(c.pid); setTimeout(() => {}, 60000)',
];

test('a time limit kills the whole process group', async () => {
  let grandchild = 0;
  const work = run(FAMILY, { timeoutMs: 1500, onStdoutLine: (line) => (grandchild = Number(line)) });
  assert.equal((await failure(work)).code, 'TIMED_OUT');
  assert.ok(grandchild > 1);
  assert.ok(await gone(grandchild));
});

test('an abort kills the whole process group', async () => {
  const abort = new AbortController();
  let grandchild = 0;
  const onStdoutLine = (line: string): void => {
    grandchild = Number(line);
    abort.abort();
  };
  assert.equal((await failure(run(FAMILY, { signal: abort.signal, onStdoutLine }))).code, 'CANCELLED');
  assert.ok(grandchild > 1);
  assert.ok(await gone(grandchild));
});

test('an abort before the start starts nothing', async () => {
  assert.equal((await failure(run(['true'], { signal: AbortSignal.abort() }))).code, 'CANCELLED');
});

test('too much output ends the program', async () => {
  const started = performance.now();
  const error = await failure(run(['yes'], { maxOutputBytes: 100_000 }));
  assert.equal(error.code, 'TOOL_FAILED');
  assert.match(error.message, /more than 100000 bytes/);
  assert.ok(performance.now() - started < 10_000);
});

test('a line without end is too much output too', async () => {
  const error = await failure(run(['cat', '/dev/zero'], { maxOutputBytes: 100_000, onStdoutLine: () => {} }));
  assert.match(error.message, /more than 100000 bytes/);
});

test('lines are handed out whole, progress lines too, and the last without its end', async () => {
  const lines: string[] = [];
  const script = 'process.stdout.write("a\\nbä"); setTimeout(() => process.stdout.write("ö\\r50%\\r\\nend"), 50)';
  await run([NODE, '-e', script], { onStdoutLine: (line) => lines.push(line) });
  assert.deepEqual(lines, ['a', 'bäö', '50%', 'end']);
});

test('a callback that throws ends the program and is the cause', async () => {
  const onStdoutLine = (): void => {
    throw new Error('no such line');
  };
  const error = await failure(run(['yes'], { onStdoutLine }));
  assert.equal(error.code, 'TOOL_FAILED');
  assert.equal((error.cause as Error).message, 'no such line');
});

test('a detached service has a session of its own, writes to its file, and tells its exit code', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-run-'));
  try {
    const outputFile = join(directory, 'out');
    const script = 'console.log(require("node:fs").readFileSync("/proc/self/stat", "utf8")); process.exit(7)';
    const service = await spawnDetached([NODE, '-e', script], { outputFile });
    assert.equal(await service.exited, 7);
    const stat = readFileSync(outputFile, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    assert.equal(Number(fields[3]), service.pid, 'session id is its own pid');
    assert.equal(Number(fields[19]), service.startTicks);
    assert.equal(statSync(outputFile).mode & 0o777, 0o600);

    symlinkSync('/etc/passwd', join(directory, 'link'));
    await assert.rejects(spawnDetached(['true'], { outputFile: join(directory, 'link') }));
    assert.equal((await failure(spawnDetached(['no-such-program-here'], { outputFile }))).code, 'TOOL_MISSING');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a process is named by pid and start time; a pid that is not there has none', () => {
  assert.ok((readStartTicks(process.pid) ?? 0) > 0);
  assert.equal(readStartTicks(2 ** 22 + 1), undefined);
});
