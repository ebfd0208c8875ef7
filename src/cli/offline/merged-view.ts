// Where each value of an object comes from: its own file and line, a profile's, or the default. What it replaces is told as well.
import { refText } from '../../core/ref.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import {
  type ConfigMap,
  type DocumentLookup,
  expandInstance,
  layerOf,
  type Layer,
  mergeLayers,
  type Provenance,
} from '../../schemas/merge.ts';
import { isOptionScope, type OptionScope, optionFor, optionsOf } from '../../schemas/registry.ts';

/** `from`: `FILE:LINE`, with the object it stands in when that is another one, or `default`. */
export interface MergedValue {
  readonly value: string;
  readonly from: string;
  /** What it replaces, nearest first. */
  readonly over: readonly { readonly value: string; readonly from: string }[];
}

export interface MergedDevice {
  readonly from: string;
  /** `type: none` masks one of a profile. */
  readonly masked: boolean;
  readonly options: Readonly<Record<string, MergedValue>>;
  /** Where devices of the same name stand that it replaces as a whole, nearest first. */
  readonly over: readonly string[];
}

export interface MergedView {
  readonly object: string;
  readonly file: string;
  readonly line: number;
  readonly profiles: readonly { readonly name: string; readonly from: string }[];
  readonly config: Readonly<Record<string, MergedValue>>;
  readonly devices: Readonly<Record<string, MergedDevice>>;
}

export function mergedView(document: ManifestDocument, lookup: DocumentLookup): MergedView {
  const profiles = document.kind === 'Instance' ? expandInstance(document, lookup).profiles : [];
  const documents = profiles.map((ref) => lookup.document(ref));
  const layers: Layer[] = [...documents.flatMap((one) => (one === undefined ? [] : [layerOf(one)])), layerOf(document)];
  const merged = mergeLayers(layers);
  const place = (from: Provenance): string => placeOf(from, document);
  // Layers below the one that decided, nearest first.
  const below = [...layers].toReversed();

  const scope = configScope(document);
  const config: Record<string, MergedValue> = {};
  for (const [key, { value, from }] of merged.config) {
    const over = below
      .filter((layer) => layer.document !== from.document && (layer.config[key] ?? '') !== '')
      .map((layer) => ({ value: layer.config[key]!, from: place({ document: layer.document, path: ['spec', 'config', key] }) }));
    config[key] = { value: shownValue(scope, key, value), from: place(from), over };
  }
  for (const { key, value } of defaultsOf(scope, config)) config[key] = { value, from: 'default', over: [] };

  const devices: Record<string, MergedDevice> = {};
  for (const [name, { options, from }] of merged.devices) {
    const over = below
      .filter((layer) => layer.document !== from.document && Object.hasOwn(layer.devices, name))
      .map((layer) => place({ document: layer.document, path: ['spec', 'devices', name] }));
    devices[name] = { from: place(from), masked: options['type'] === 'none', options: deviceOptions(options, from, place), over };
  }
  return {
    object: refText(document.ref),
    file: document.origin.file,
    line: document.origin.line,
    profiles: profiles.map((ref, at) => ({ name: ref.name, from: whereOf(documents[at]) })),
    config,
    devices,
  };
}

function deviceOptions(options: ConfigMap, from: Provenance, place: (from: Provenance) => string): Record<string, MergedValue> {
  const values: Record<string, MergedValue> = {};
  for (const [key, value] of Object.entries(options)) {
    values[key] = { value, from: place({ ...from, path: [...from.path, key] }), over: [] };
  }
  const scope = `device/${options['type']}`;
  const known = isOptionScope(scope) ? defaultsOf(scope, options) : [];
  for (const { key, value } of known) values[key] = { value, from: 'default', over: [] };
  return values;
}

function defaultsOf(scope: OptionScope | undefined, set: Readonly<Record<string, unknown>>): { key: string; value: string }[] {
  if (scope === undefined) return [];
  return optionsOf(scope).flatMap(({ key, default: value, status }) =>
    value === undefined || status !== 'applied' || Object.hasOwn(set, key) ? [] : [{ key, value }],
  );
}

function shownValue(scope: OptionScope | undefined, key: string, value: string): string {
  return scope !== undefined && optionFor(scope, key)?.secret === true ? '(secret)' : value;
}

/** Whose table the keys of a document's config are in. */
function configScope({ kind, spec }: ManifestDocument): OptionScope | undefined {
  const { type = 'bridge', driver } = spec as { readonly type?: string; readonly driver?: string };
  const scope =
    kind === 'Instance' || kind === 'Profile'
      ? 'instance'
      : kind === 'Network'
        ? `network/${type}`
        : kind === 'StoragePool'
          ? `pool/${driver}`
          : '';
  return isOptionScope(scope) ? scope : undefined;
}

function placeOf({ document, path }: Provenance, of: ManifestDocument): string {
  if (document === undefined) return 'override';
  const { file, line } = document.locate(path);
  return document === of ? `${file}:${line}` : `${file}:${line} (${refText(document.ref)})`;
}

function whereOf(document: ManifestDocument | undefined): string {
  return document === undefined ? 'not declared: empty' : `${document.origin.file}:${document.origin.line}`;
}
