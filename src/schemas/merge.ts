// Config and devices over profiles, as LXD computes expanded_config and expanded_devices: profiles in order, then the instance. Later wins.
// Config goes key by key; a device is replaced as a whole, never merged; `type: none` masks an inherited one.
// Every result knows where it comes from.
import { makeRef, type ResourceRef } from '../core/ref.ts';
import type { FieldPath, ManifestDocument } from './document.ts';
import { type Finding, problemIn } from './finding.ts';
import type { Position, Problem } from './problem.ts';

export type ConfigMap = Readonly<Record<string, string>>;
export type DeviceMap = Readonly<Record<string, ConfigMap>>;

/** What has config and devices: a profile, an instance, an override. */
export interface Layer {
  readonly config: ConfigMap;
  readonly devices: DeviceMap;
  /** The document it stands in. */
  readonly document: ManifestDocument | undefined;
}

/** Where a merged value comes from. */
export interface Provenance {
  /** Undefined when it comes from no document (an override). */
  readonly document: ManifestDocument | undefined;
  readonly path: FieldPath;
}

export interface Merged {
  readonly config: ReadonlyMap<string, { readonly value: string; readonly from: Provenance }>;
  /** `type: none` included, as in LXD's expanded_devices. */
  readonly devices: ReadonlyMap<string, { readonly options: ConfigMap; readonly from: Provenance }>;
}

const EMPTY: Merged = { config: new Map(), devices: new Map() };

/** One layer as a merge result of its own. `""` means "not set here". */
export function mergedLayer(layer: Layer): Merged {
  const { document } = layer;
  const config = new Map<string, { value: string; from: Provenance }>();
  for (const [key, value] of Object.entries(layer.config)) {
    if (value !== '') config.set(key, { value, from: { document, path: ['spec', 'config', key] } });
  }
  const devices = new Map<string, { options: ConfigMap; from: Provenance }>();
  for (const [name, options] of Object.entries(layer.devices)) {
    devices.set(name, { options, from: { document, path: ['spec', 'devices', name] } });
  }
  return { config, devices };
}

/** `over` on top of `under`. Associative. */
export function mergeOver(under: Merged, over: Merged): Merged {
  return { config: new Map([...under.config, ...over.config]), devices: new Map([...under.devices, ...over.devices]) };
}

export function mergeLayers(layers: readonly Layer[]): Merged {
  return layers.map(mergedLayer).reduce(mergeOver, EMPTY);
}

/** Position of a value in the text, when it comes from a document. */
export function positionOf(from: Provenance): Position | undefined {
  return from.document?.locate(from.path);
}

/** Other documents by reference. */
export interface DocumentLookup {
  document(ref: ResourceRef): ManifestDocument | undefined;
}

export interface Expanded {
  /** The string map to read with `optionValue('instance', ...)`. */
  readonly config: ConfigMap;
  /** Masked devices are left out. Each has a `type`. */
  readonly devices: DeviceMap;
  /** Names of devices that `type: none` masks. */
  readonly masked: readonly string[];
  /** Profiles in the order they were applied. */
  readonly profiles: readonly ResourceRef[];
  readonly merged: Merged;
  /** Profiles that are not declared, located in the instance's document. */
  readonly problems: readonly Problem[];
}

export const DEFAULT_PROFILE = 'default';

interface Mergeable {
  readonly profiles?: readonly string[];
  readonly config?: ConfigMap;
  readonly devices?: DeviceMap;
}

/** Names of the profiles a document applies: unsaid means [default], an empty list means none. */
export function profileNames(document: ManifestDocument): readonly string[] {
  return (document.spec as Mergeable).profiles ?? [DEFAULT_PROFILE];
}

export function layerOf(document: ManifestDocument): Layer {
  const { config = {}, devices = {} } = document.spec as Mergeable;
  return { config, devices, document };
}

/** An instance's document over its profiles. A `default` profile that nobody declares is empty. */
export function expandInstance(document: ManifestDocument, lookup: DocumentLookup, extra: readonly Layer[] = []): Expanded {
  const findings: Finding[] = [];
  const profiles: ResourceRef[] = [];
  const layers: Layer[] = [];
  for (const [at, name] of profileNames(document).entries()) {
    const ref = makeRef('Profile', name, { project: document.ref.project });
    const profile = lookup.document(ref);
    profiles.push(ref);
    if (profile !== undefined) layers.push(layerOf(profile));
    else if (name !== DEFAULT_PROFILE) {
      findings.push({ path: ['spec', 'profiles', at], rule: 'dangling-reference', message: `There is no Profile "${name}".` });
    }
  }
  const merged = mergeLayers([...layers, layerOf(document), ...extra]);
  const config: Record<string, string> = {};
  for (const [key, { value }] of merged.config) config[key] = value;
  const devices: Record<string, ConfigMap> = {};
  const masked: string[] = [];
  for (const [name, { options }] of merged.devices) {
    if (options['type'] === 'none') masked.push(name);
    else devices[name] = options;
  }
  return { config, devices, masked, profiles, merged, problems: findings.map((finding) => problemIn(document, finding)) };
}
