// Renames (`metadata.renamedFrom`). The former name must be free: of an object that still has it nothing can be taken over, and whose data
// goes where is not ours to guess.
import type { ResourceRef } from '../../core/ref.ts';
import { refKey, refText } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { CheckContext, CheckFinding } from './context.ts';

const PATH = ['metadata', 'renamedFrom'] as const;

/** What the object was called, if its document says so. */
export function formerRef({ ref, metadata: { renamedFrom } }: Pick<ManifestDocument, 'ref' | 'metadata'>): ResourceRef | undefined {
  return renamedFrom === undefined ? undefined : { ...ref, name: renamedFrom };
}

export function renames(context: CheckContext): readonly CheckFinding[] {
  const renamed = context.documents.filter((document) => document.metadata.renamedFrom !== undefined);
  if (renamed.length === 0) return [];
  const findings: CheckFinding[] = [];
  for (const group of Map.groupBy(renamed, (document) => refKey(formerRef(document)!)).values()) {
    for (const document of group) {
      const former = formerRef(document)!;
      const owner = context.document(former);
      const message =
        owner !== undefined || context.isDeclared(former)
          ? stillDeclared(document, former, owner, context)
          : group.length > 1
            ? `${refText(former)} cannot become ${group.length} objects: ${group.map((one) => `"${one.ref.name}" (${placeOf(one)})`).join(', ')}.`
            : undefined;
      if (message === undefined) continue;
      const hint =
        group.length > 1 && owner === undefined
          ? 'Keep "renamedFrom" in one of them.'
          : 'Once the rename is done, remove "renamedFrom" from it.';
      findings.push({ document, finding: { path: PATH, rule: 'rename', message, hint }, unusable: [document] });
    }
  }
  return findings;
}

function stillDeclared(
  document: ManifestDocument,
  former: ResourceRef,
  owner: ManifestDocument | undefined,
  context: CheckContext,
): string {
  const where = owner === undefined ? '' : ` at ${placeOf(owner)}`;
  const back = owner === undefined ? undefined : formerRef(owner);
  if (back !== undefined && refKey(back) === document.key) {
    return `"${document.ref.name}" and "${former.name}" are each renamed from the other; two objects cannot swap their names.`;
  }
  if (back !== undefined && !context.isDeclared(back)) {
    return `"${former.name}" is itself renamed from "${back.name}"${where}: one revision renames an object once.`;
  }
  return `${refText(former)} is still declared${where}, so "${document.ref.name}" cannot take over from it.`;
}

function placeOf({ origin }: ManifestDocument): string {
  return `${origin.file}:${origin.line}`;
}
