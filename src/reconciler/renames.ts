// Renames, as far as the ledger is concerned: which objects are declared under another name than they are known by. Pure.
import { type RefKey, refKey, refText } from '../core/ref.ts';
import { formerRef } from '../schemas/checks/renames.ts';
import type { ManifestDocument } from '../schemas/document.ts';
import { problemIn } from '../schemas/finding.ts';
import type { Problem } from '../schemas/problem.ts';
import type { ObjectRow } from '../state/ledger.ts';

interface Renames {
  /** New key to the one it is known by. */
  readonly renames: ReadonlyMap<RefKey, RefKey>;
  /** Objects that are to be left alone, because their renaming cannot be done: with the problem. */
  readonly stuck: ReadonlyMap<RefKey, Problem>;
}

/** `usable`: documents that are acted upon; `unusable`: those that are declared with problems. */
export function renamesOf(
  usable: Iterable<ManifestDocument>,
  unusable: readonly ManifestDocument[],
  rows: ReadonlyMap<RefKey, ObjectRow>,
  declared: { has(key: RefKey): boolean },
): Renames {
  const renames = new Map<RefKey, RefKey>();
  const stuck = new Map<RefKey, Problem>();
  for (const document of usable) {
    const former = formerRef(document);
    const known = former === undefined ? undefined : rows.get(refKey(former));
    // Once nothing has the former name any more it means nothing.
    if (former === undefined || known === undefined || declared.has(refKey(former))) continue;
    if (rows.has(document.key)) stuck.set(refKey(former), bothExist(document, refText(former)));
    else renames.set(document.key, refKey(former));
  }
  // What was to take over cannot be used: nothing is lost of what was to be taken over.
  for (const document of unusable) {
    const former = formerRef(document);
    if (former === undefined || !rows.has(refKey(former)) || declared.has(refKey(former))) continue;
    const message = `${refText(former)} is left alone: the document that renames it has problems.`;
    stuck.set(refKey(former), problemIn(document, { path: ['metadata', 'renamedFrom'], rule: 'rename', message }));
  }
  return { renames, stuck };
}

function bothExist(document: ManifestDocument, former: string): Problem {
  const message = `${refText(document.ref)} exists already, so ${former} cannot be renamed to it. ${former} is left alone.`;
  const hint = 'Remove "renamedFrom" to have the old one deleted, or declare it again.';
  return problemIn(document, { path: ['metadata', 'renamedFrom'], rule: 'rename', message, hint });
}
