// instance.json: who a directory below instances/ belongs to, and what the planner wants to read back. Its copy started.json says with
// what the running container was started. Secrets stand in it as fingerprints.
import { canonicalJson, hashOf, sha256Hex } from '../../core/hash.ts';
import type { ExpandedConfig, ExpandedDevices, InstanceState } from './spec.ts';
import { isSecretKey } from './spec.ts';

export interface RecordedNic {
  readonly device: string;
  readonly hwaddr: string;
  readonly bridge: string;
}

export interface RecordedImage {
  /** `project/name` of the Image object. */
  readonly name: string;
  readonly fingerprint: string;
  readonly haltSignal?: string;
  readonly rebootSignal?: string;
}

export interface InstanceRecord {
  readonly version: 1;
  readonly uid: string;
  readonly project: string;
  readonly name: string;
  /** The source that declares it. */
  readonly source: string;
  /** `making` until every step of the creation is done. */
  readonly stage: 'making' | 'made';
  readonly state: InstanceState;
  /** Grows each time a start is wanted again after the instance was meant to be stopped. */
  readonly generation: number;
  /** Boot id of the host for which `boot.autostart: false` keeps it stopped. */
  readonly heldBoot?: string;
  readonly image: RecordedImage;
  readonly pool: string;
  /** First host id; not set for a privileged instance. */
  readonly idBase?: number;
  readonly nics: readonly RecordedNic[];
  /** Host paths that decide what its devices are. */
  readonly hostPaths: readonly string[];
  /** Control files that are set, with the values meant. */
  readonly knobs: Readonly<Record<string, string>>;
  /** Hash of the cloud-init seed on its disk. */
  readonly seed?: string;
  readonly profiles: readonly string[];
  /** LXD's maps after the merge of profiles. */
  readonly config: ExpandedConfig;
  readonly devices: ExpandedDevices;
  /** Of config and devices. */
  readonly hash: string;
}

export function recordText(record: Omit<InstanceRecord, 'hash'>): string {
  const full = { ...record, hash: hashOf({ config: record.config, devices: record.devices }) };
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
  if (!isObject(value) || !isObject(value['image']) || !Array.isArray(value['nics']) || !Array.isArray(value['hostPaths'])) return false;
  const texts = [
    value['uid'],
    value['project'],
    value['name'],
    value['stage'],
    value['state'],
    value['pool'],
    value['image']['fingerprint'],
  ];
  const maps = [value['config'], value['devices'], value['knobs']];
  return (
    value['version'] === 1 &&
    typeof value['generation'] === 'number' &&
    texts.every((text) => typeof text === 'string') &&
    maps.every(isObject) &&
    value['nics'].every((nic) => isObject(nic) && typeof nic['device'] === 'string' && typeof nic['hwaddr'] === 'string') &&
    value['hostPaths'].every((path) => typeof path === 'string')
  );
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
