// The harness itself: what it leaves behind would be taken for a defect of the daemon.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
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
