// All rules that look at several documents together, offline: `validate` runs them, and so does the daemon before it acts.
import { type KindName, type RefKey, refKey } from '../../core/ref.ts';
import { finish, type Sliced } from '../../core/slices.ts';
import type { ManifestDocument } from '../document.ts';
import { problemIn } from '../finding.ts';
import type { Problem } from '../problem.ts';
import { addressInSubnet } from './address-in-subnet.ts';
import { type Check, CheckContext, type CheckFinding, type DocumentCheck } from './context.ts';
import { danglingReferences } from './dangling-references.ts';
import { dependencyCycles } from './dependency-cycles.ts';
import { dependencyState } from './dependency-state.ts';
import { deviceConflicts } from './device-conflicts.ts';
import { duplicateObjects } from './duplicate-objects.ts';
import { equalAddresses } from './equal-addresses.ts';
import { forwards } from './forwards.ts';
import { CheckMemo } from './memo.ts';
import { networkRanges } from './network-ranges.ts';
import { overlappingSubnets } from './overlapping-subnets.ts';
import { plannedKinds } from './planned-kinds.ts';
import { poolSources } from './pool-sources.ts';
import { renames } from './renames.ts';
import { rootDisks } from './root-disks.ts';
import { templateAddresses } from './template-addresses.ts';
import { volumes } from './volumes.ts';

/** About one document and what it refers to. */
const DOCUMENT_CHECKS: Readonly<Record<string, DocumentCheck>> = {
  'dangling-references': danglingReferences,
  'root-disks': rootDisks,
  'device-conflicts': deviceConflicts,
  'address-in-subnet': addressInSubnet,
  'dependency-state': dependencyState,
};

/** About all of them. */
const CHECKS: Readonly<Record<string, Check>> = {
  'dependency-cycles': dependencyCycles,
  'equal-addresses': equalAddresses,
  'network-ranges': networkRanges,
  'overlapping-subnets': overlappingSubnets,
  'pool-sources': poolSources,
  'template-addresses': templateAddresses,
  forwards,
  volumes,
  renames,
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
  return finish(checkInSlices(documents, claimed));
}

/** `memo`: what earlier calls have found out, see memo.ts. */
export function* checkInSlices(
  documents: readonly ManifestDocument[],
  claimed: ReadonlySet<RefKey>,
  memo = new CheckMemo(),
): Sliced<CheckResult> {
  const problems = new Map<string, Problem>();
  const unusable = new Set<RefKey>();
  function add(problem: Problem, of: readonly ManifestDocument[]): void {
    for (const document of of) unusable.add(document.key);
    // A mistake in a profile is found once for each of its instances, and told once.
    problems.set(`${problem.file}:${problem.line}:${problem.column}:${problem.message}`, problem);
  }
  const context = new CheckContext(documents, claimed, memo);
  if (!context.isUnique) for (const { document, finding } of duplicateObjects(documents)) add(problemIn(document, finding), [document]);
  yield;
  const tell = (found: CheckFinding): void => {
    const { document, finding, unusable: of } = context.inText(found);
    add(problemIn(document, finding), of);
  };
  for (const kind of CHECKED_KINDS) {
    for (const document of context.ofKind(kind)) {
      documentFindings(document, context, memo).forEach(tell);
      yield;
    }
  }
  for (const check of Object.values(CHECKS)) {
    check(context).forEach(tell);
    yield;
  }
  const waitsFor = new Map<RefKey, RefKey>();
  if (claimed.size > 0) {
    for (const instance of context.ofKind('Instance')) {
      const profile = context.unreadProfile(instance);
      if (profile === undefined) continue;
      waitsFor.set(instance.key, refKey(profile));
      unusable.add(instance.key);
    }
  }
  return { problems: [...problems.values()], unusable, waitsFor };
}

const CHECKED_KINDS: ReadonlySet<KindName> = new Set(Object.values(DOCUMENT_CHECKS).flatMap(({ of }) => of));

/** What the rules about single documents say. One without findings is remembered with what was looked at. */
function documentFindings(document: ManifestDocument, context: CheckContext, memo: CheckMemo): readonly CheckFinding[] {
  const known = memo.sound.get(document);
  if (known !== undefined && context.holds(known)) return [];
  const { result, seen } = context.noting(() =>
    Object.values(DOCUMENT_CHECKS).flatMap(({ of, check }) => (of.includes(document.kind) ? check(document, context) : [])),
  );
  if (result.length === 0) memo.sound.set(document, seen);
  return result;
}
