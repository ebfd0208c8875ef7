// What a rule over several documents gets: the documents by kind and reference, and each instance over its profiles, computed once. What
// rules look up about a document is noted, so that a memo can tell when nothing they have looked at has changed since (memo.ts).
import { type KindName, makeRef, type RefKey, refKey, type ResourceRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';
import type { InstanceSetManifest } from '../kinds/instance-set.ts';
import { type ConfigMap, type Expanded, expandInstance, type Provenance } from '../merge.ts';
import { CheckMemo, type Expansion, type LookedUp } from './memo.ts';
import { addressesOf } from './unique-addresses.ts';

export interface CheckFinding {
  /** Where it stands in the text. */
  readonly document: ManifestDocument;
  readonly finding: Finding;
  /** Documents that must not be acted upon because of it; what was last valid stays. */
  readonly unusable: readonly ManifestDocument[];
}

/** One rule. Pure; rules do not know of each other. */
export type Check = (context: CheckContext) => readonly CheckFinding[];

/** One rule about one document and what that refers to: looked at again only when one of these has changed. */
export interface DocumentCheck {
  readonly of: readonly KindName[];
  readonly check: (document: ManifestDocument, context: CheckContext) => readonly CheckFinding[];
}

export interface ExpandedDevice {
  readonly instance: ManifestDocument;
  readonly name: string;
  readonly options: ConfigMap;
  readonly from: Provenance;
}

export class CheckContext {
  readonly documents: readonly ManifestDocument[];
  readonly #byKey: ReadonlyMap<RefKey, ManifestDocument>;
  readonly #byKind: ReadonlyMap<KindName, readonly ManifestDocument[]>;
  readonly #memo: CheckMemo;
  /** The sets that templates belong to. */
  readonly #templates = new Map<ManifestDocument, ManifestDocument>();
  readonly #claimed: ReadonlySet<RefKey>;
  /** What is being computed now, and what it has looked up. */
  #noting: LookedUp[] | undefined;

  constructor(documents: readonly ManifestDocument[], claimed: ReadonlySet<RefKey>, memo = new CheckMemo()) {
    this.documents = documents;
    this.#claimed = claimed;
    this.#memo = memo;
    const byKey = new Map<RefKey, ManifestDocument>();
    const byKind = new Map<KindName, ManifestDocument[]>();
    for (const document of documents) {
      byKey.set(document.key, document);
      const group = byKind.get(document.kind);
      if (group === undefined) byKind.set(document.kind, [document]);
      else group.push(document);
    }
    this.#byKey = byKey;
    const templates = (byKind.get('InstanceSet') ?? []).map(templateOf);
    for (const { as, of } of templates) this.#templates.set(as, of);
    if (templates.length > 0) byKind.set('Instance', [...(byKind.get('Instance') ?? []), ...templates.map(({ as }) => as)]);
    this.#byKind = byKind;
  }

  document(ref: ResourceRef): ManifestDocument | undefined {
    const key = refKey(ref);
    const found = this.#byKey.get(key);
    this.#noting?.push({ key, found, claimed: this.#claimed.has(key) });
    return found;
  }

  /** It is declared, perhaps by a document that has problems of its own. */
  isDeclared(ref: ResourceRef): boolean {
    return this.document(ref) !== undefined || this.#claimed.has(refKey(ref));
  }

  /** Nothing of what was looked up then has changed. */
  holds(seen: readonly LookedUp[]): boolean {
    return seen.every(({ key, found, claimed }) => this.#byKey.get(key) === found && this.#claimed.has(key) === claimed);
  }

  /** Runs `work`, and tells what it has looked up. */
  noting<T>(work: () => T): { readonly result: T; readonly seen: readonly LookedUp[] } {
    const before = this.#noting;
    const seen: LookedUp[] = [];
    this.#noting = seen;
    try {
      return { result: work(), seen };
    } finally {
      this.#noting = before;
    }
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

  /** Where a finding really stands: what is checked as an instance may be the template of a set. */
  inText({ document, finding, unusable }: CheckFinding): CheckFinding {
    const set = this.#templates.get(document);
    const real = (one: ManifestDocument): ManifestDocument => this.#templates.get(one) ?? one;
    if (set === undefined) return { document, finding, unusable: unusable.map(real) };
    const path = finding.path[0] === 'spec' ? [...TEMPLATE, ...finding.path] : finding.path;
    return { document: set, finding: { ...finding, path }, unusable: unusable.map(real) };
  }

  ofKind(kind: KindName): readonly ManifestDocument[] {
    return this.#byKind.get(kind) ?? [];
  }

  expanded(instance: ManifestDocument): Expanded {
    return this.#expansion(instance).expanded;
  }

  /** Its devices over its profiles; masked ones are left out. */
  devicesOf(instance: ManifestDocument): readonly ExpandedDevice[] {
    return this.#expansion(instance).devices;
  }

  addressesOf(instance: ManifestDocument): Expansion['addresses'] {
    return this.#expansion(instance).addresses;
  }

  /** Every document is another object's. */
  get isUnique(): boolean {
    return this.#byKey.size === this.documents.length;
  }

  #expansion(instance: ManifestDocument): Expansion {
    const known = this.#memo.expansions.get(instance);
    if (known !== undefined && this.holds(known.seen)) {
      this.#noting?.push(...known.seen);
      return known;
    }
    const { result: expanded, seen } = this.noting(() => expandInstance(instance, this));
    const devices: ExpandedDevice[] = [];
    for (const [name, { options, from }] of expanded.merged.devices) {
      if (options['type'] !== 'none') devices.push({ instance, name, options, from });
    }
    const expansion: Expansion = { expanded, devices, addresses: devices.flatMap(addressesOf), seen };
    this.#memo.expansions.set(instance, expansion);
    this.#noting?.push(...seen);
    return expansion;
  }
}

const TEMPLATE = ['spec', 'template'] as const;

/** The first instance of a set, for the checks of instances. */
function templateOf(set: ManifestDocument): { as: ManifestDocument; of: ManifestDocument } {
  const { template } = set.spec as InstanceSetManifest;
  const ref = makeRef('Instance', `${set.ref.name}-0`, { project: set.ref.project });
  return { as: { ...set, kind: 'Instance', ref, key: refKey(ref), spec: template.spec }, of: set };
}

/** A finding about an option of an instance's device, shown where the device is declared: in the instance or in a profile. */
export function deviceFinding(device: ExpandedDevice, key: string | undefined, what: Omit<Finding, 'path'>): CheckFinding {
  const path = key === undefined ? device.from.path : [...device.from.path, key];
  return { document: device.from.document ?? device.instance, finding: { ...what, path }, unusable: [device.instance] };
}
