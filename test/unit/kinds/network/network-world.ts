// A network object over an in-memory port: plans and applies as the engine would, for one object.
import assert from 'node:assert/strict';
import { refKey, makeRef, type ResourceRef } from '../../../../src/core/ref.ts';
import { makePaths } from '../../../../src/core/paths.ts';
import type { Host } from '../../../../src/host/ports/host.ts';
import type { NetworkPort } from '../../../../src/host/ports/network.ts';
import type { HostView } from '../../../../src/host/ports/view.ts';
import type { ApplyRun } from '../../../../src/kinds/changes.ts';
import type { Facts, Observed, Recorded } from '../../../../src/kinds/kind.ts';
import type { NetworkChange } from '../../../../src/kinds/network/changes.ts';
import { type NetworkActual, networkKind, type NetworkSpec } from '../../../../src/kinds/network/kind.ts';
import type { MemoryNetwork } from '../../../fakes/memory-network.ts';

export const REF: ResourceRef = makeRef('Network', 'lan');
export const UID = '0192f0c4-0000-7000-8000-000000000001';

export function spec(changes: Partial<NetworkSpec> = {}): NetworkSpec {
  return {
    type: 'bridge',
    ipv4: { address: '10.20.0.1/24', nat: true, dhcp: true, ranges: [], leaseSeconds: 3600, firewall: true },
    dns: { mode: 'managed', domain: 'lxd' },
    mtu: 1500,
    hwaddr: undefined,
    dhcp4: true,
    ...changes,
  };
}

/** Thrown by the step that a test wants the daemon to die before. */
export class Killed extends Error {}

export class NetworkWorld<Port extends NetworkPort = MemoryNetwork> {
  readonly network: Port;
  readonly prefix: string;
  readonly allocations = new Map<string, string>();
  readonly taken = new Map<string, Set<string>>();
  /** Effects still allowed; then `Killed` is thrown instead of the next. */
  stepsLeft = Number.POSITIVE_INFINITY;
  stepsDone = 0;
  uid = UID;

  constructor(network: Port, prefix = 'ls') {
    this.network = network;
    this.prefix = prefix;
  }

  get recorded(): Recorded {
    return {
      uid: this.uid,
      ref: REF,
      source: 'test',
      allocations: this.allocations,
      applied: undefined,
      protected: false,
      waiting: undefined,
      exits: [],
      startedAt: undefined,
      firstLookSinceBoot: false,
    };
  }

  get facts(): Facts {
    return {
      now: 0,
      bootId: 'boot',
      prefix: this.prefix,
      paths: makePaths('/state', '/run'),
      host: {} as Facts['host'],
      taken: (scope) => this.taken.get(scope) ?? new Set(),
      free: () => undefined,
      desired: () => undefined,
      actual: () => undefined,
      tombstones: () => [],
      retention: { ms: 24 * 3600_000, share: 0.1 },
      recorded: (ref) => (refKey(ref) === refKey(REF) ? this.recorded : undefined),
    };
  }

  async observe(): Promise<Observed<NetworkActual>> {
    return await networkKind.observe(this.network as unknown as HostView, REF, this.recorded, new AbortController().signal);
  }

  /** Changes by the kind's own diff; allocations are recorded as the engine does. */
  async plan(desired: NetworkSpec | undefined): Promise<readonly NetworkChange[]> {
    const seen = await this.observe();
    if (seen.is === 'unknown') throw seen.because;
    if (desired !== undefined) {
      for (const { what, value } of networkKind.allocate(desired, this.recorded, this.facts)) this.allocations.set(what, value);
    }
    const actual = seen.is === 'present' ? seen.actual : undefined;
    return networkKind.diff({ ref: REF, desired, actual, recorded: this.recorded, facts: this.facts }).map(({ change }) => change);
  }

  async apply(change: NetworkChange): Promise<void> {
    const run: ApplyRun = {
      signal: new AbortController().signal,
      step: async (_name, work) => {
        if (this.stepsLeft <= 0) throw new Killed();
        this.stepsLeft--;
        this.stepsDone++;
        return await work();
      },
      progress: () => {},
    };
    const outcome = await networkKind.apply({ network: this.network } as unknown as Host, REF, change, run);
    assert.equal(outcome, 'done', change.do);
  }

  /** Plans and applies once; changes that no longer hold are dropped, as the engine drops them. */
  async converge(desired: NetworkSpec | undefined): Promise<string[]> {
    const done: string[] = [];
    for (const change of await this.plan(desired)) {
      if (!networkKind.holds(change, await this.observe())) continue;
      await this.apply(change);
      done.push(change.do);
    }
    return done;
  }
}
