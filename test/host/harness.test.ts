// The harness itself: what it leaves behind would be taken for a defect of the daemon.
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mustRun, run } from '../../src/host/run/run.ts';
import { needsRoot, slowness, startHost } from './harness.ts';

const MANIFESTS = `
apiVersion: lockstep/v1
kind: StoragePool
metadata: { name: fast }
spec: { driver: btrfs, config: { size: 1GiB } }
---
apiVersion: lockstep/v1
kind: Network
metadata: { name: lan }
spec: { type: bridge, config: { ipv4.address: auto, ipv4.nat: "true" } }
---
apiVersion: lockstep/v1
kind: Image
metadata: { name: busybox }
spec: { source: { build: { type: busybox } } }
---
apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec: { devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }
---
apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec: { image: busybox }
`;

test(
  'a daemon with running containers is removed without a trace, also after kill -9',
  { skip: needsRoot, timeout: 300_000 * slowness },
  async (t) => {
    const host = await startHost(t, { manifests: { 'all.yaml': MANIFESTS } });
    await host.waitReady();
    const running = (await host.dump()).join('\n');
    for (const what of [
      'process daemon',
      'process monitor web',
      'process dnsmasq',
      'link ',
      'mount ',
      'loop ',
      'cgroup ',
      'table ',
      'claim ',
    ]) {
      assert.ok(running.includes(what), `${what} in\n${running}`);
    }
    await host.kill9();
    await host[Symbol.asyncDispose]();
    assert.deepEqual(await host.dump(), []);
    assert.equal(existsSync(host.root), false);
  },
);

test('leftovers that somebody holds cost one short wait for all of them, and go once they are free', { skip: needsRoot }, async (t) => {
  // A number that no process can have: pid_max is at most 2^22.
  const roots = ['t0a', 't0b', 't0c'].map((prefix) => `/var/tmp/lockstep-test-${2 ** 22 + process.pid}-${prefix}`);
  const held: number[] = [];
  t.after(async () => {
    for (const root of roots) await run(['umount', '--lazy', '--', join(root, 'busy')]);
  });
  for (const root of roots) {
    mkdirSync(join(root, 'busy'), { recursive: true });
    await mustRun(['mount', '-t', 'tmpfs', 'lockstep-test', join(root, 'busy')]);
    held.push(openSync(join(root, 'busy', 'open'), 'w'));
  }
  const began = performance.now();
  await using first = await startHost(t, { start: false });
  const tookMs = performance.now() - began;
  assert.ok(tookMs < 4000 * slowness, `${tookMs} ms`);
  for (const root of roots) assert.ok(existsSync(join(root, 'busy', 'open')), 'nothing of it is touched');
  held.forEach((fd) => closeSync(fd));
  await using second = await startHost(t, { start: false });
  assert.notEqual(second.root, first.root);
  for (const root of roots) assert.equal(existsSync(root), false);
});
