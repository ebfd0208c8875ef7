// All rules that look at several documents together, offline: `validate` runs them, and so does the daemon before it acts.
import { type RefKey, refKey } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import { problemIn } from '../finding.ts';
import type { Problem } from '../problem.ts';
import { addressInSubnet } from './address-in-subnet.ts';
import { type Check, CheckContext } from './context.ts';
import { danglingReferences } from './dangling-references.ts';
import { dependencyCycles } from './dependency-cycles.ts';
import { dependencyState } from './dependency-state.ts';
import { deviceConflicts } from './device-conflicts.ts';
import { duplicateObjects } from './duplicate-objects.ts';
import { equalAddresses } from './equal-addresses.ts';
import { forwards } from './forwards.ts';
import { networkRanges } from './network-ranges.ts';
import { overlappingSubnets } from './overlapping-subnets.ts';
import { plannedKinds } from './planned-kinds.ts';
import { poolSources } from './pool-sources.ts';
import { rootDisks } from './root-disks.ts';
import { templateAddresses } from './template-addresses.ts';
import { volumes } from './volumes.ts';

export const CHECKS: Readonly<Record<string, Check>> = {
  'dangling-references': danglingReferences,
  'root-disks': rootDisks,
  'device-conflicts': deviceConflicts,
  'dependency-cycles': dependencyCycles,
  'equal-addresses': equalAddresses,
  'address-in-subnet': addressInSubnet,
  'network-ranges': networkRanges,
  'overlapping-subnets': overlappingSubnets,
  'pool-sources': poolSources,
  'dependency-state': dependencyState,
  'template-addresses': templateAddresses,
  forwards,
  volumes,
  // Last: who has to remove the document learns first what else is wrong with it.
  'planned-kinds': plannedKinds,
};

export interface CheckResult {
  readonly problems: readonly Problem[];
  /** Objects whose document must not be acted upon: what was last valid of them stays. */
  readonly unusable: ReadonlySet<RefKey>;
  /** Unusable without a problem of their own: they build on this object, whose document has problems. */
  readonly waitsFor: ReadonlyMap<RefKey, RefKey>;
}

/**
 * Checks documents that are valid each by itself. `claimed`: objects that are declared by documents with problems of their own
 * (FileResult.claims); that they are missing here is not told again.
 */
export function checkDocuments(documents: readonly ManifestDocument[], claimed: ReadonlySet<RefKey> = new Set()): CheckResult {
  const problems = new Map<string, Problem>();
  const unusable = new Set<RefKey>();
  function add(problem: Problem, of: readonly ManifestDocument[]): void {
    for (const document of of) unusable.add(refKey(document.ref));
    // A mistake in a profile is found once for each of its instances, and told once.
    problems.set(`${problem.file}:${problem.line}:${problem.column}:${problem.message}`, problem);
  }
  for (const { document, finding } of duplicateObjects(documents)) add(problemIn(document, finding), [document]);
  const context = new CheckContext(documents, claimed);
  for (const check of Object.values(CHECKS)) {
    for (const found of check(context)) {
      const { document, finding, unusable: of } = context.inText(found);
      add(problemIn(document, finding), of);
    }
  }
  const waitsFor = new Map<RefKey, RefKey>();
  if (claimed.size > 0) {
    for (const instance of context.ofKind('Instance')) {
      const profile = context.unreadProfile(instance);
      if (profile === undefined) continue;
      waitsFor.set(refKey(instance.ref), refKey(profile));
      unusable.add(refKey(instance.ref));
    }
  }
  return { problems: [...problems.values()], unusable, waitsFor };
}
