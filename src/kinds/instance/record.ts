// instance.json: who a directory below instances/ belongs to, and what the planner wants to read back. Its copy started.json says with
// what the running container was started. Secrets stand in it as fingerprints.
import { canonicalJson, hashOf, sha256Hex } from '../../core/hash.ts';
import type { Plugged } from '../../host/ports/lxc.ts';
import type { ExpandedConfig, ExpandedDevices, InstanceState, RestartPolicy } from './spec.ts';
import { isSecretKey } from './spec.ts';

export interface RecordedNic {
  readonly device: string;
  readonly hwaddr: string;
  readonly bridge: string;
}

export type PluggedDevices = Readonly<Record<string, Plugged>>;

export interface RecordedImage {
  /** Name of the Image object. */
  readonly name: string;
  readonly fingerprint: string;
  readonly haltSignal?: string;
  readonly rebootSignal?: string;
}

export interface InstanceRecord {
  readonly version: 1;
  readonly uid: string;
  /** `Instance/project/-/name`. */
  readonly ref: string;
  /** The source that declares it. */
  readonly source: string;
  readonly protected: boolean;
  /** As in the ledger, by what they are for. */
  readonly allocations: Readonly<Record<string, string>>;
  /** `making` until every step of the creation is done. */
  readonly stage: 'making' | 'made';
  readonly state: InstanceState;
  /** Grows each time a start is wanted again after the instance was meant to be stopped. */
  readonly generation: number;
  /** Boot id of the host for which `boot.autostart: false` keeps it stopped. */
  readonly heldBoot?: string;
  readonly image: RecordedImage;
  readonly pool: string;
  readonly nics: readonly RecordedNic[];
  /** Host paths that decide what its devices are. */
  readonly hostPaths: readonly string[];
  /** Devices that could not be given, and need not be. */
  readonly leftOut: readonly string[];
  /** What it has of each device. Undefined: written by a version that did not plug; then only a restart changes devices. */
  readonly plugged?: PluggedDevices;
  /**
   * Only in started.json: devices whose plugging was begun, with everything that may be in the container of them. A crash in between
   * leaves them here, and whatever is declared by then, these are taken out first.
   */
  readonly loose?: Readonly<Record<string, readonly Plugged[]>>;
  /** Control files that are set, with the values meant. */
  readonly knobs: Readonly<Record<string, string>>;
  /** Hash of the cloud-init seed on its disk. */
  readonly seed?: string;
  /** The instance as a manifest of its own, profiles merged into it: ownership and intent can be read back when the ledger is lost. */
  readonly document: RecordedDocument;
  /** Of the document. */
  readonly hash: string;
}

export interface RecordedDocument {
  readonly apiVersion: 'lockstep/v1';
  readonly kind: 'Instance';
  readonly metadata: { readonly name: string; readonly project: string };
  readonly spec: {
    readonly image: string;
    readonly profiles: readonly [];
    readonly state: InstanceState;
    readonly restart: { readonly policy: RestartPolicy };
    /** LXD's maps after the merge of profiles, secrets as fingerprints. */
    readonly config: ExpandedConfig;
    readonly devices: ExpandedDevices;
  };
}

export function recordText(record: Omit<InstanceRecord, 'hash'>): string {
  const full = { ...record, hash: hashOf(record.document) };
  return `${canonicalJson(full)}\n`;
}

/** The record behind a text, or undefined when it is not one of ours. */
export function parseRecord(text: string | undefined): InstanceRecord | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is InstanceRecord {
  if (!isObject(value) || value['version'] !== 1) return false;
  const { image, nics, hostPaths, leftOut, knobs, allocations, document } = value;
  if (!isObject(image) || typeof image['fingerprint'] !== 'string' || typeof image['name'] !== 'string') return false;
  if (!isList(nics, isNic) || !isList(hostPaths, isText) || !isList(leftOut, isText) || !isTexts(knobs) || !isTexts(allocations))
    return false;
  const { plugged = {}, loose = {} } = value;
  if (!isObject(plugged) || !Object.values(plugged).every(isPlugged)) return false;
  if (!isObject(loose) || !Object.values(loose).every((list) => isList(list, isPlugged))) return false;
  const texts = [value['uid'], value['ref'], value['stage'], value['state'], value['pool']];
  return texts.every(isText) && typeof value['generation'] === 'number' && isDocument(document);
}

function isDocument(value: unknown): boolean {
  const spec = isObject(value) ? value['spec'] : undefined;
  if (!isObject(spec)) return false;
  return isTexts(spec['config']) && isObject(spec['devices']) && Object.values(spec['devices']).every(isTexts);
}

function isNic(value: unknown): boolean {
  return isObject(value) && [value['device'], value['hwaddr'], value['bridge']].every(isText);
}

function isPlugged(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value['is'] === 'nic') return [value['link'], value['bridge'], value['interface'], value['hwaddr']].every(isText);
  return (value['is'] === 'mount' || value['is'] === 'node') && isText(value['target']);
}

function isTexts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isText);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isList(value: unknown, is: (one: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(is);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Config with secret values as fingerprints. Bound to the uid, so that equal secrets of two instances do not look equal. The record lies
 * beside the configuration that has the environment in clear, with the same permissions.
 */
export function fingerprinted(uid: string, config: ExpandedConfig): ExpandedConfig {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, isSecretKey(key) ? secretMark(uid, key, value) : value]));
}

function secretMark(uid: string, key: string, value: string): string {
  return `sha256:${sha256Hex(`${uid}\0${key}\0${value}`).slice(0, 32)}`;
}
