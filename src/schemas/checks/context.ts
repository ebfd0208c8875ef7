// What a rule over several documents gets: the documents by kind and reference, and each instance over its profiles, computed once.
import { type KindName, type RefKey, refKey, type ResourceRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';
import { type ConfigMap, type Expanded, expandInstance, type Provenance } from '../merge.ts';

export interface CheckFinding {
  /** Where it stands in the text. */
  readonly document: ManifestDocument;
  readonly finding: Finding;
  /** Documents that must not be acted upon because of it; what was last valid stays. */
  readonly unusable: readonly ManifestDocument[];
}

/** One rule. Pure; rules do not know of each other. */
export type Check = (context: CheckContext) => readonly CheckFinding[];

export interface ExpandedDevice {
  readonly instance: ManifestDocument;
  readonly name: string;
  readonly options: ConfigMap;
  readonly from: Provenance;
}

export class CheckContext {
  readonly documents: readonly ManifestDocument[];
  readonly #byRef: ReadonlyMap<RefKey, ManifestDocument>;
  readonly #byKind: ReadonlyMap<KindName, readonly ManifestDocument[]>;
  readonly #expanded = new Map<ManifestDocument, Expanded>();
  #devices: readonly ExpandedDevice[] | undefined;

  readonly #claimed: ReadonlySet<RefKey>;

  constructor(documents: readonly ManifestDocument[], claimed: ReadonlySet<RefKey>) {
    this.documents = documents;
    this.#claimed = claimed;
    this.#byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
    this.#byKind = Map.groupBy(documents, (document) => document.kind);
  }

  document(ref: ResourceRef): ManifestDocument | undefined {
    return this.#byRef.get(refKey(ref));
  }

  /** It is declared, perhaps by a document that has problems of its own. */
  isDeclared(ref: ResourceRef): boolean {
    const key = refKey(ref);
    return this.#byRef.has(key) || this.#claimed.has(key);
  }

  /** All its profiles can be read: what it has after merging them is what it will have. */
  isComplete(instance: ManifestDocument): boolean {
    return this.expanded(instance).problems.length === 0 && this.unreadProfile(instance) === undefined;
  }

  /** The first of its profiles that is declared by a document with problems. */
  unreadProfile(instance: ManifestDocument): ResourceRef | undefined {
    if (this.#claimed.size === 0) return undefined;
    return this.expanded(instance).profiles.find((profile) => this.#claimed.has(refKey(profile)));
  }

  ofKind(kind: KindName): readonly ManifestDocument[] {
    return this.#byKind.get(kind) ?? [];
  }

  expanded(instance: ManifestDocument): Expanded {
    let expanded = this.#expanded.get(instance);
    if (expanded === undefined) {
      expanded = expandInstance(instance, this);
      this.#expanded.set(instance, expanded);
    }
    return expanded;
  }

  /** All devices of all instances, masked ones left out. */
  devices(): readonly ExpandedDevice[] {
    this.#devices ??= this.ofKind('Instance').flatMap((instance) => this.devicesOf(instance));
    return this.#devices;
  }

  devicesOf(instance: ManifestDocument): ExpandedDevice[] {
    const devices: ExpandedDevice[] = [];
    for (const [name, { options, from }] of this.expanded(instance).merged.devices) {
      if (options['type'] !== 'none') devices.push({ instance, name, options, from });
    }
    return devices;
  }
}

/** A finding about an option of an instance's device, shown where the device is declared: in the instance or in a profile. */
export function deviceFinding(device: ExpandedDevice, key: string | undefined, what: Omit<Finding, 'path'>): CheckFinding {
  const path = key === undefined ? device.from.path : [...device.from.path, key];
  return { document: device.from.document ?? device.instance, finding: { ...what, path }, unusable: [device.instance] };
}
