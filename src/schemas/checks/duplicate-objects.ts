// An object declared more than once. No declaration is preferred: which one was meant is not ours to guess.
import { type RefKey, refText } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';

export function duplicateObjects(documents: readonly ManifestDocument[]): { document: ManifestDocument; finding: Finding }[] {
  const keys = new Set<RefKey>();
  for (const { key } of documents) keys.add(key);
  if (keys.size === documents.length) return [];
  const found: { document: ManifestDocument; finding: Finding }[] = [];
  for (const group of Map.groupBy(documents, (document) => document.key).values()) {
    if (group.length < 2) continue;
    const first = group.slice(0, 4);
    for (const document of group) {
      const others = first.filter((other) => other !== document).map(({ origin }) => `${origin.file}:${origin.line}`);
      const message = `${refText(document.ref)} is declared ${group.length} times: also at ${others.slice(0, 3).join(', ')}.`;
      const finding = { path: ['metadata', 'name'], rule: 'duplicate-object', message, hint: 'Keep one of them.' };
      found.push({ document, finding });
    }
  }
  return found;
}
