// The first look after a boot of the host decides what is started and what is left down: it has to have seen something.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RefKey } from '../../../src/core/ref.ts';
import { kinds } from '../../../src/kinds/registry.ts';
import { Engine, REAL_FOUNDATION } from '../../fakes/engine.ts';
import { MemoryHost } from '../../fakes/memory-host.ts';

const WEB = 'Instance/default/-/web' as RefKey;

function manifest(more: string): string {
  return `${REAL_FOUNDATION}apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec: { image: busybox, devices: { root: { type: disk, path: /, pool: fast } }, ${more} }
---
`;
}

const CASES = [
  { spec: 'config: { boot.autostart: "false" }', down: (host: MemoryHost) => host.lxc.hostReboot(), runs: false },
  {
    spec: 'restart: { policy: Never }, config: { boot.autostart: "true" }',
    down: (host: MemoryHost) => host.lxc.poweroff('web'),
    runs: true,
  },
] as const;

for (const { spec, down, runs } of CASES) {
  test(`a first look that saw nothing was none (${spec})`, async () => {
    const host = new MemoryHost();
    const engine = new Engine({ host, kinds, bootId: 'boot-1' });
    engine.source.files.set('a.yaml', manifest(spec));
    await engine.reconciler.start();
    await engine.until(() => host.lxc.facts.monitors.has('web') && engine.control.status().settled, 'the first boot');
    await engine.reconciler.close();
    down(host);

    host.lxc.faults.set('list', 'unreadable');
    const next = new Engine({ host, kinds, bootId: 'boot-2', ledger: engine.ledger });
    next.source.files.set('a.yaml', manifest(spec));
    host.lxc.onChange(() => next.reconciler.look(WEB));
    await next.reconciler.start();
    assert.ok(next.reconciler.tracker.objects.get(WEB)?.plan?.unknown, 'it could not be looked at');
    host.lxc.faults.delete('list');
    next.reconciler.look(WEB);
    await next.until(() => next.reconciler.tracker.objects.get(WEB)?.plan?.unknown === undefined, 'the look');
    await next.idle();
    const reason = next.reconciler.tracker.objects.get(WEB)?.conditions.get('Ready')?.reason;
    assert.deepEqual([host.lxc.facts.monitors.has('web'), reason === 'HeldAfterBoot'], [runs, !runs]);
    await next.reconciler.close();
  });
}
