// Remembers what a document resolved to, and which other documents were looked at on the way. As long as all of them are the same
// objects (an unchanged file keeps its documents, see ParseCache), the result is the same: resolving is pure.
import { hashOf } from '../core/hash.ts';
import { type RefKey, refKey } from '../core/ref.ts';
import type { AnyKind, Lookup, Need, Resolved } from '../kinds/kind.ts';
import type { ManifestDocument } from '../schemas/document.ts';

export interface ResolvedOnce extends Resolved<unknown> {
  /** hashOf(spec); empty without one. */
  readonly specHash: string;
  readonly needs: readonly Need[];
}

interface Entry {
  readonly result: ResolvedOnce;
  /** What was looked up, and what was found. */
  readonly seen: readonly { readonly key: RefKey; readonly found: ManifestDocument | undefined }[];
}

export class ResolveCache {
  /** An entry goes with its document. */
  readonly #entries = new WeakMap<ManifestDocument, Entry>();

  resolve(kind: AnyKind, document: ManifestDocument, documents: ReadonlyMap<RefKey, ManifestDocument>): ResolvedOnce {
    const known = this.#entries.get(document);
    if (known !== undefined && known.seen.every(({ key, found }) => documents.get(key) === found)) return known.result;
    const seen: Entry['seen'][number][] = [];
    const watched: Lookup = {
      document(ref) {
        const key = refKey(ref);
        const found = documents.get(key);
        seen.push({ key, found });
        return found;
      },
    };
    const resolved = kind.resolve(document, watched);
    const result: ResolvedOnce =
      resolved.spec === undefined
        ? { ...resolved, specHash: '', needs: [] }
        : { ...resolved, specHash: hashOf(resolved.spec), needs: kind.needs(resolved.spec, document.ref) };
    this.#entries.set(document, { result, seen });
    return result;
  }
}
