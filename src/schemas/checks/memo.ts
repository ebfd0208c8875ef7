// What checking has found out about documents, for the next time: a document that has not changed, and that refers to nothing that has,
// is not looked at again. An unchanged file keeps its documents (ParseCache), so they are compared by identity, and go with the memo's entry.
import type { RefKey } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Expanded } from '../merge.ts';
import type { ExpandedDevice } from './context.ts';

/** What was looked up, and what was found. */
export interface LookedUp {
  readonly key: RefKey;
  readonly found: ManifestDocument | undefined;
  /** Declared by a document that has problems of its own. */
  readonly claimed: boolean;
}

/** An instance over its profiles. */
export interface Expansion {
  readonly expanded: Expanded;
  readonly devices: readonly ExpandedDevice[];
  /** What only one NIC may have, and which of its devices has it (unique-addresses.ts). */
  readonly addresses: readonly { readonly what: string; readonly nic: ExpandedDevice }[];
  readonly seen: readonly LookedUp[];
}

export class CheckMemo {
  readonly expansions = new WeakMap<ManifestDocument, Expansion>();
  /** Documents that no rule about single documents had anything to say about, and what these rules had looked at. */
  readonly sound = new WeakMap<ManifestDocument, readonly LookedUp[]>();
}
