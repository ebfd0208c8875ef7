// Everything that is wrong with a set of manifests, as far as it can be told offline: the same steps the daemon takes before it plans.
import { checkDocuments } from '../../schemas/checks/check-documents.ts';
import { parseManifests } from '../../schemas/parse.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { ReadManifests } from './manifest-paths.ts';
import { resolveProblems } from './resolve-documents.ts';

export interface Found {
  readonly problems: readonly Problem[];
  /** Number of valid documents. */
  readonly documents: number;
}

export function problemsIn(read: ReadManifests): Found {
  const parsed = parseManifests(read.files);
  const claimed = new Set(parsed.perFile.flatMap((file) => file.claims));
  const checked = checkDocuments(parsed.documents, claimed);
  const resolved = resolveProblems(parsed.documents, checked.unusable);
  return { problems: [...read.problems, ...parsed.problems, ...checked.problems, ...resolved], documents: parsed.documents.length };
}
