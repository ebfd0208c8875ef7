import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostStopOf } from '../../../../src/kinds/instance/host-stop.ts';
import { Bench, NAME } from './fixture.ts';

describe('how an instance is stopped when the host shuts down', () => {
  it('is as LXD does it when nothing is said', () => {
    assert.deepEqual(hostStopOf({ config: {} }, undefined), { priority: 0, timeoutMs: 30_000 });
    assert.deepEqual(hostStopOf(undefined, undefined), { priority: 0, timeoutMs: 30_000 });
  });

  it('follows what is declared', () => {
    const config = { 'boot.stop.priority': '-3', 'boot.host_shutdown_timeout': '0' };
    assert.deepEqual(hostStopOf({ config }, undefined), { priority: -3, timeoutMs: 0 });
  });

  it('follows the record of what is not declared any more', async () => {
    const bench = new Bench().declare('  config: { boot.stop.priority: "9", boot.host_shutdown_timeout: "2" }');
    await bench.converge();
    const record = (await bench.host.lxc.list()).get(NAME)?.record;
    assert.ok(record);
    assert.deepEqual(hostStopOf(undefined, record), { priority: 9, timeoutMs: 2000 });
  });

  it('takes a value that is none for unset', () => {
    assert.deepEqual(hostStopOf({ config: { 'boot.stop.priority': 'high' } }, undefined), { priority: 0, timeoutMs: 30_000 });
  });
});
