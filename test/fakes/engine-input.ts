// Builds inputs for the pure planner by hand.
import { makePaths } from '../../src/core/paths.ts';
import { type RefKey, refKey, type ResourceRef } from '../../src/core/ref.ts';
import type { HostCapabilities } from '../../src/host/ports/capabilities.ts';
import type { Recorded } from '../../src/kinds/kind.ts';
import type { DesiredObject } from '../../src/reconciler/desired.ts';
import type { BaseFacts, PlanInput } from '../../src/reconciler/plan.ts';
import type { FakeSpec } from './fake-kind.ts';

export const TEST_CAPABILITIES: HostCapabilities = {
  cgroup: 'v2',
  controllers: new Set(['cpu', 'cpuset', 'memory', 'pids', 'io']),
  swapAccounting: true,
  apparmor: false,
  seccomp: true,
  lxcfs: undefined,
  architecture: 'x86_64',
  liblxc: '5.0.2',
  memoryBytes: 8 * 1024 ** 3,
  cpus: [0, 1],
  ids: { first: 1_000_000, count: 1_000_000_000 },
  nested: false,
};

export function baseFacts(over: Partial<BaseFacts> = {}): BaseFacts {
  return {
    now: 1_000_000,
    bootId: 'boot-1',
    prefix: 'tt',
    paths: makePaths('/state', '/run/tt'),
    host: TEST_CAPABILITIES,
    retention: { ms: 24 * 3600_000, share: 0.1 },
    taken: () => new Set(),
    tombstones: () => [],
    ...over,
  };
}

export function recordedOf(ref: ResourceRef, over: Partial<Recorded> = {}): Recorded {
  return {
    uid: `uid-${ref.name}`,
    ref,
    source: 'dir',
    allocations: new Map(),
    applied: undefined,
    protected: false,
    waiting: undefined,
    exits: [],
    startedAt: undefined,
    firstLookSinceBoot: false,
    ...over,
  };
}

export function desiredOf(ref: ResourceRef, spec: FakeSpec): DesiredObject {
  const position = { file: 'a.yaml', line: 3, column: 1, endLine: 3, endColumn: 2 };
  return {
    ref,
    key: refKey(ref),
    document: {
      apiVersion: 'lockstep/v1',
      kind: ref.kind,
      ref,
      key: refKey(ref),
      metadata: { name: ref.name },
      spec,
      origin: { ...position, source: 'dir' },
      locate: () => position,
    },
    source: 'dir',
    revision: 'r1',
    spec,
    specHash: JSON.stringify(spec),
    needs: spec.needs ?? [],
    protect: false,
    kept: false,
    problems: [],
  };
}

/** Without `keys`, everything that is recorded is planned. */
export function planInput(over: Partial<PlanInput> & Pick<PlanInput, 'kinds'>): PlanInput {
  const recorded = over.recorded ?? new Map<RefKey, Recorded>();
  return {
    keys: recorded instanceof Map ? (recorded as ReadonlyMap<RefKey, Recorded>).keys() : [],
    desired: new Map(),
    observed: new Map(),
    recorded,
    readiness: new Map(),
    mayDelete: new Set(),
    deleteWaits: new Map(),
    dependants: () => [],
    facts: baseFacts(),
    ...over,
  };
}
