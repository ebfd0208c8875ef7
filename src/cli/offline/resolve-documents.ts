// The last offline step the daemon takes before it plans: each kind's own `resolve`. What that refuses, `validate` must refuse, too.
import { type KindName, type RefKey, refKey } from '../../core/ref.ts';
import { resolve as resolveImage } from '../../kinds/image/resolve.ts';
import { resolve as resolveInstance } from '../../kinds/instance/resolve.ts';
import type { Lookup, Resolved } from '../../kinds/kind.ts';
import { resolve as resolveNetwork } from '../../kinds/network/resolve.ts';
import { resolveProfile } from '../../kinds/profile/resolve.ts';
import { resolve as resolveStoragePool } from '../../kinds/storage-pool/resolve.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import type { Problem } from '../../schemas/problem.ts';

type Resolve = (document: ManifestDocument, lookup: Lookup) => Resolved<unknown>;

const resolvers: Partial<Record<KindName, Resolve>> = {
  Image: resolveImage,
  Instance: resolveInstance,
  Network: resolveNetwork,
  Profile: resolveProfile,
  StoragePool: resolveStoragePool,
};

/** Problems of documents that the checks let pass. `unusable` ones were told about already. */
export function resolveProblems(documents: readonly ManifestDocument[], unusable: ReadonlySet<RefKey>): Problem[] {
  const byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
  const lookup: Lookup = { document: (ref) => byRef.get(refKey(ref)) };
  const usable = documents.filter((document) => !unusable.has(refKey(document.ref)));
  return usable.flatMap((document) => resolvers[document.kind]?.(document, lookup).problems ?? []);
}
