// A plan without side effects: of what the sources say now, or of what they would say with other files. Used by `plan`, by CI and by
// `apply` to check before it stores. The same desired state, observe and plan as the loop's; nothing is recorded.
import { sha256Hex } from '../core/hash.ts';
import type { RefKey, ResourceRef } from '../core/ref.ts';
import { inSlices } from '../core/slices.ts';
import { CachedHostView } from '../host/view.ts';
import type { Host } from '../host/ports/host.ts';
import type { KindTable, Observed, Recorded } from '../kinds/kind.ts';
import type { IntentRow } from '../state/ledger.ts';
import type { PlanReport } from './control.ts';
import { copyOfCache, desiredInSlices, type DesiredState, type SourceInput } from './desired.ts';
import type { Reconciler } from './loop.ts';
import { observeAll } from './observe.ts';
import { planInSlices } from './plan.ts';
import { type GivenFiles, makeReport } from './report.ts';

export interface PreviewInput {
  readonly reconciler: Reconciler;
  readonly host: Host;
  readonly kinds: KindTable;
  readonly sources: readonly SourceInput[];
  readonly given: GivenFiles | undefined;
  /** The newest intents of an object. */
  readonly intents: (uid: string) => readonly IntentRow[];
  readonly fingerprint: (secret: string) => string;
}

export async function preview(input: PreviewInput): Promise<{ report: PlanReport; desired: DesiredState }> {
  const { reconciler, host, kinds, sources, given, intents, fingerprint } = input;
  const tracked = [...reconciler.tracker.objects.values()];
  const rows = tracked.map((one) => one.row);
  const { cache, desired: now } = reconciler.intake;
  const desired = await inSlices(desiredInSlices(sources, rows, kinds, copyOfCache(cache), now.objects));
  const view = new CachedHostView(host);
  const recorded = new Map(tracked.map((one) => [one.key, one.recorded]));
  for (const key of desired.unresolved.keys()) recorded.delete(key);
  takeNames(recorded, desired);
  for (const [key, object] of desired.objects) if (!recorded.has(key)) recorded.set(key, provisional(key, object.ref, object.source));
  const observed = new Map<RefKey, Observed<unknown>>();
  const objects = [...recorded].map(([key, one]) => ({ key, ref: one.ref, recorded: one }));
  await observeAll(kinds, view, objects, ({ key }, seen) => observed.set(key, seen));

  const facts = await reconciler.facts([...recorded.keys()]);
  const undeclared = tracked.filter(({ key }) => recorded.has(key) && !desired.objects.has(key));
  const deletions = reconciler.deletions.foresee(undeclared, reconciler.tracker, desired.complete, facts.now);
  const base = {
    kinds,
    desired: desired.objects,
    observed,
    recorded,
    mayDelete: deletions.mayDelete,
    deleteWaits: deletions.waits,
    dependants: () => [],
    drift: reconciler.driftContexts(desired.objects),
    facts,
    rollout: reconciler.rollouts.state(facts.now),
  };
  // Needs are met by what is ready now; what is only planned yet shows as waiting for it.
  const first = await inSlices(planInSlices({ ...base, keys: recorded.keys(), readiness: new Map() }));
  const readiness = new Map(first.flatMap((one) => (one.readiness === undefined ? [] : [[one.key, one.readiness] as const])));
  const plans = await inSlices(planInSlices({ ...base, keys: recorded.keys(), readiness }));
  return {
    report: makeReport({ plans, desired, sources, before: now.objects, given, asks: deletions.asks, intents, fingerprint }),
    desired,
  };
}

/** As it is recorded when it is renamed. */
function takeNames(recorded: Map<RefKey, Recorded>, { renames, objects }: DesiredState): void {
  for (const [key, known] of renames) {
    const before = recorded.get(known);
    const object = objects.get(key);
    if (before === undefined || object === undefined) continue;
    recorded.delete(known);
    recorded.set(key, { ...before, ref: object.ref, renamedFrom: before.ref });
  }
}

/** An object that has no record yet: the same every time, so that planning twice gives the same plan. */
function provisional(key: RefKey, ref: ResourceRef, source: string): Recorded {
  const hex = sha256Hex(`provisional ${key}`);
  const uid = `00000000-0000-8000-8000-${hex.slice(0, 12)}`;
  return {
    uid,
    ref,
    source,
    allocations: new Map(),
    applied: undefined,
    protected: false,
    waiting: undefined,
    exits: [],
    startedAt: undefined,
    firstLookSinceBoot: false,
  };
}
