// doctor and the probe of capabilities against the host the tests run on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { it } from 'node:test';
import { probeCapabilities } from '../../src/host/capabilities.ts';
import { hostFiles } from '../../src/host/devices/host-files.ts';
import { doctor } from '../../src/host/doctor.ts';

it('doctor says for every unmet check how to meet it, unmet ones first', async () => {
  const checks = await doctor('/var/lib/lockstep-does-not-exist/state');
  for (const check of checks) assert.equal(check.hint !== undefined, !check.ok, check.name);
  assert.deepEqual(
    checks.map((check) => check.ok),
    checks.map((check) => check.ok).toSorted((a, b) => Number(a) - Number(b)),
  );
  assert.match(checks.find((check) => check.name === 'state directory')?.detail ?? '', /^\/var\/lib: \d+ MiB free/);
  assert.equal(checks.find((check) => check.name === 'root')?.ok, process.getuid?.() === 0);
});

it('the capabilities are those of this host', async () => {
  const host = await probeCapabilities();
  assert.ok(host.cpus.length >= availableParallelism());
  assert.ok(host.memoryBytes > 64 * 1024 ** 2);
  assert.match(host.liblxc, /^\d+\.\d+/);
  assert.equal(host.nested, !readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295'));
  assert.equal(host.cgroup === 'v2', readFileSync('/proc/self/mounts', 'utf8').includes(' /sys/fs/cgroup cgroup2 '));
});

it('a host path is what it leads to', async () => {
  assert.deepEqual(await hostFiles.stat('/dev/null'), { is: 'char', major: 1, minor: 3 });
  assert.deepEqual(await hostFiles.stat('/'), { is: 'directory' });
  assert.deepEqual(await hostFiles.stat('/proc/self/exe'), { is: 'file' });
  assert.deepEqual(await hostFiles.stat('/does/not/exist'), { is: 'missing' });
  assert.deepEqual(await hostFiles.stat('/dev/null/below'), { is: 'missing' });
  await assert.rejects(hostFiles.stat(`/${'x'.repeat(300)}`), { code: 'HOST_UNREADABLE' });
});
