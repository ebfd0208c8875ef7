// Remembers what a document resolved to, and which other documents were looked at on the way. As long as all of them are the same
// objects (an unchanged file keeps its documents, see ParseCache), the result is the same: resolving is pure.
import { hashOf } from '../core/hash.ts';
import type { ResourceRef } from '../core/ref.ts';
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
  readonly seen: readonly { readonly ref: ResourceRef; readonly found: ManifestDocument | undefined }[];
}

export class ResolveCache {
  /** An entry goes with its document. */
  readonly #entries = new WeakMap<ManifestDocument, Entry>();

  resolve(kind: AnyKind, document: ManifestDocument, lookup: Lookup): ResolvedOnce {
    const known = this.#entries.get(document);
    if (known !== undefined && known.seen.every(({ ref, found }) => lookup.document(ref) === found)) return known.result;
    const seen: Entry['seen'][number][] = [];
    const watched: Lookup = {
      document(ref) {
        const found = lookup.document(ref);
        seen.push({ ref, found });
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
