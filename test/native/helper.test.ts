// The helper process: lost and started again, without anything that runs noticing.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/core/log.ts';
import { loadNative } from '../../src/host/lxc/binding.ts';
import { Helper } from '../../src/host/lxc/helper.ts';
import { makeTestHost, nativeProblem } from './busybox-container.ts';

const signal = AbortSignal.timeout(60_000);

describe('the helper', { skip: nativeProblem() ?? false, timeout: 60_000 }, () => {
  test('requests under way are rejected as lost when it is killed, and the next one works', async () => {
    await using host = await makeTestHost('th');
    const helper = new Helper(silentLog);
    try {
      await host.define('one');
      const request = () => {
        const directory = host.paths.instance('one');
        return helper.request('start', [host.paths.instances, 'one', join(directory, 'log'), join(directory, 'exit.json')]).reply;
      };
      const first = helper.pid ?? 0;
      process.kill(first, 'SIGSTOP');
      const lost = assert.rejects(request(), { code: 'LXC_HELPER_LOST' });
      process.kill(first, 'SIGKILL');
      await lost;
      assert.equal(helper.restarts, 1);
      assert.notEqual(helper.pid, first);
      assert.equal(existsSync(`/proc/${first}`), false, 'the old one is reaped');
      const { fields } = await request();
      assert.ok(existsSync(`/proc/${fields[0]}`));
      const second = helper.pid ?? 0;
      process.kill(second, 'SIGKILL');
      while (helper.restarts < 2) await sleep(5);
      assert.ok(existsSync(`/proc/${fields[0]}`), 'the container does not notice');
    } finally {
      helper.close();
    }
    assert.throws(() => helper.request('write', ['/']), { code: 'HANDLE_CLOSED' });
  });

  test('a command that runs goes on and reports its exit code when the helper is killed', async () => {
    await using host = await makeTestHost('th');
    const helper = new Helper(silentLog);
    await host.define('one');
    await host.port.start('one', signal);
    const native = loadNative();
    const pipes = [native.makePipe(), native.makePipe(), native.makePipe()];
    const fields = [host.paths.instances, 'one', '/', '0', '0', '', '', '0', '/bin/sh', '-c', '/bin/sleep 0.3; exit 5'];
    const { id, reply } = helper.request('exec', fields, [pipes[0]?.[0] ?? 0, pipes[1]?.[1] ?? 0, pipes[2]?.[1] ?? 0]);
    const exited = helper.exited(id);
    await reply;
    process.kill(helper.pid ?? 0, 'SIGKILL');
    assert.equal(await exited, 5);
    helper.close();
  });

  test('one that is lost leaves no file open in the daemon', async () => {
    const helper = new Helper(silentLog);
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let lost = 1; lost <= 5; lost++) {
      process.kill(helper.pid ?? 0, 'SIGKILL');
      while (helper.restarts < lost) await sleep(2);
    }
    await sleep(20);
    assert.equal(open(), before);
    helper.close();
  });

  test('it runs from a copy in memory and ends with the daemon', async () => {
    const helper = new Helper(silentLog);
    const pid = helper.pid ?? 0;
    // While execve is under way the program is not mapped yet.
    for (let tries = 0; tries < 400 && !/memfd:lockstep-helper/.test(readFileSync(`/proc/${pid}/maps`, 'utf8')); tries++) await sleep(5);
    assert.match(readFileSync(`/proc/${pid}/maps`, 'utf8'), /memfd:lockstep-helper/);
    helper.close();
    helper.close();
    assert.equal(existsSync(`/proc/${pid}`), false);
  });

  test('a request it does not understand is answered', async () => {
    const helper = new Helper(silentLog);
    await assert.rejects(helper.request('start', ['only one']).reply, { code: 'LXC_FAILED' });
    helper.close();
  });
});
