import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeRef } from '../../../src/core/ref.ts';
import type { ExecProcess, ExecRequest } from '../../../src/host/ports/lxc.ts';
import { createExec, execRequest } from '../../../src/operations/exec.ts';

const none = { environment: {} };

describe('the environment of a command', () => {
  it('has what a shell needs', () => {
    const { environment, uid, gid } = execRequest({ command: ['env'] }, none);
    assert.deepEqual(environment, {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: '/root',
      USER: 'root',
    });
    assert.deepEqual([uid, gid], [0, 0]);
  });

  it('takes the instance over the defaults and the caller over the instance', () => {
    const target = { environment: { LANG: 'de_DE.UTF-8', A: 'instance', B: 'instance' } };
    const { environment } = execRequest({ command: ['env'], environment: { A: 'caller' } }, target);
    assert.deepEqual([environment['LANG'], environment['A'], environment['B']], ['de_DE.UTF-8', 'caller', 'instance']);
  });

  it('has TERM only with a terminal', () => {
    assert.equal(execRequest({ command: ['env'] }, none).environment['TERM'], undefined);
    const sized = { columns: 80, rows: 24 };
    assert.equal(execRequest({ command: ['env'], terminal: sized }, none).environment['TERM'], 'xterm-256color');
    const request = execRequest({ command: ['env'], terminal: { ...sized, type: 'vt100' } }, none);
    assert.equal(request.environment['TERM'], 'vt100');
    assert.deepEqual(request.terminal, sized);
  });

  it('does not call another user root', () => {
    const { environment, uid, gid } = execRequest({ command: ['env'], user: 1000, group: 100 }, none);
    assert.equal(environment['USER'], undefined);
    assert.equal(environment['HOME'], '/');
    assert.deepEqual([uid, gid], [1000, 100]);
  });

  it('refuses what execve cannot take', () => {
    const refused = { code: 'REQUEST_INVALID' };
    assert.throws(() => execRequest({ command: [] }, none), refused);
    assert.throws(() => execRequest({ command: [''] }, none), refused);
    assert.throws(() => execRequest({ command: ['a', 'b\0c'] }, none), refused);
    assert.throws(() => execRequest({ command: ['a'], environment: { 'A=B': 'c' } }, none), refused);
    assert.throws(() => execRequest({ command: ['a'], environment: { '': 'c' } }, none), refused);
    assert.throws(() => execRequest({ command: ['a'], environment: { A: 'c\0' } }, none), refused);
    assert.throws(() => execRequest({ command: ['a'], cwd: '/\0' }, none), refused);
  });
});

describe('exec', () => {
  function setUp() {
    const audited: unknown[] = [];
    const asked: [string, ExecRequest][] = [];
    const operations = createExec({
      lxc: {
        exec: async (name, request) => {
          asked.push([name, request]);
          return {} as ExecProcess;
        },
      },
      target: (ref) => (ref.name === 'web' ? { lxcName: 'web', environment: { A: 'b' } } : undefined),
      audit: (entry) => audited.push(entry),
    });
    return { operations, audited, asked };
  }

  it('runs in the container of the instance and is audited without its arguments', async () => {
    const { operations, audited, asked } = setUp();
    await operations.exec(makeRef('Instance', 'web'), { command: ['login', 'secret'] }, 'uid:0');
    assert.equal(asked[0]?.[0], 'web');
    assert.equal(asked[0]?.[1].environment['A'], 'b');
    assert.deepEqual(audited, [{ actor: 'uid:0', action: 'exec', ref: 'Instance/default/-/web', detail: 'login' }]);
  });

  it('says that there is no such instance', async () => {
    const { operations, audited } = setUp();
    await assert.rejects(operations.exec(makeRef('Instance', 'nope'), { command: ['x'] }, 'uid:0'), {
      code: 'NOT_FOUND',
      message: 'There is no Instance "nope".',
    });
    await assert.rejects(operations.exec(makeRef('Profile', 'web'), { command: ['x'] }, 'uid:0'), { code: 'NOT_FOUND' });
    assert.deepEqual(audited, []);
  });
});
