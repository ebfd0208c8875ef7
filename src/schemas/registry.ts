// The option registry: every config key and device option, described once. Validation, verdicts, reference pages and editor schemas are
// derived from it. The tables themselves are in options/, one file per group.
import { AppError } from '../core/errors.ts';
import type { Parsed } from '../core/units.ts';
import type { Option, OptionTable, OptionVerdict } from './option.ts';
import { bootOptions } from './options/boot.ts';
import { cloudInitOptions } from './options/cloud-init.ts';
import { diskOptions } from './options/device-disk.ts';
import { nicOptions } from './options/device-nic.ts';
import { gpuOptions, infinibandOptions, noneOptions, proxyOptions, tpmOptions } from './options/device-other.ts';
import { unixBlockOptions, unixCharOptions, unixHotplugOptions, usbOptions } from './options/device-unix.ts';
import { environmentOptions, userOptions } from './options/environment.ts';
import {
  clusterOptions,
  internalOptions,
  linuxOptions,
  migrationOptions,
  nvidiaOptions,
  snapshotOptions,
  systemdOptions,
} from './options/guest.ts';
import { imageOptions } from './options/image.ts';
import { kernelLimitOptions, limitsOptions } from './options/limits.ts';
import { bridgeOptions } from './options/network-bridge.ts';
import { aclRuleOptions, forwardOptions, macvlanOptions, ovnOptions, physicalOptions, sriovOptions } from './options/network-other.ts';
import { btrfsPoolOptions, cephfsPoolOptions, cephPoolOptions, dirPoolOptions, lvmPoolOptions, zfsPoolOptions } from './options/pool.ts';
import { projectOptions } from './options/project.ts';
import { rawOptions, securityOptions } from './options/security.ts';
import { volumeOptions } from './options/volume.ts';

export const instanceOptions = {
  ...bootOptions,
  ...cloudInitOptions,
  ...environmentOptions,
  ...limitsOptions,
  ...kernelLimitOptions,
  ...securityOptions,
  ...rawOptions,
  ...linuxOptions,
  ...nvidiaOptions,
  ...migrationOptions,
  ...snapshotOptions,
  ...systemdOptions,
  ...clusterOptions,
  ...userOptions,
  ...internalOptions,
} as const satisfies OptionTable;

const tables = {
  instance: instanceOptions,
  'device/none': noneOptions,
  'device/disk': diskOptions,
  'device/nic': nicOptions,
  'device/unix-char': unixCharOptions,
  'device/unix-block': unixBlockOptions,
  'device/unix-hotplug': unixHotplugOptions,
  'device/usb': usbOptions,
  'device/gpu': gpuOptions,
  'device/proxy': proxyOptions,
  'device/infiniband': infinibandOptions,
  'device/tpm': tpmOptions,
  'network/bridge': bridgeOptions,
  'network/macvlan': macvlanOptions,
  'network/sriov': sriovOptions,
  'network/physical': physicalOptions,
  'network/ovn': ovnOptions,
  'network-acl/rule': aclRuleOptions,
  'network-forward': forwardOptions,
  'pool/dir': dirPoolOptions,
  'pool/btrfs': btrfsPoolOptions,
  'pool/lvm': lvmPoolOptions,
  'pool/zfs': zfsPoolOptions,
  'pool/ceph': cephPoolOptions,
  'pool/cephfs': cephfsPoolOptions,
  volume: volumeOptions,
  image: imageOptions,
  project: projectOptions,
} as const satisfies Record<string, OptionTable>;

/** Where a key stands: config of an instance or profile, a device of a type, config of a network type or pool driver, ... */
export type OptionScope = keyof typeof tables;

export const OPTION_SCOPES = Object.keys(tables) as readonly OptionScope[];

/** The whole type (device type, network type, pool driver) is planned. */
export const PLANNED_SCOPES: ReadonlySet<OptionScope> = new Set<OptionScope>([
  'device/unix-block',
  'device/unix-hotplug',
  'device/usb',
  'device/gpu',
  'device/proxy',
  'device/infiniband',
  'device/tpm',
  'network/macvlan',
  'network/sriov',
  'network/physical',
  'network/ovn',
  'network-acl/rule',
  'network-forward',
  'pool/lvm',
  'pool/zfs',
  'pool/ceph',
  'pool/cephfs',
  'volume',
  'image',
  'project',
]);

/** One row of the registry. `key` may hold a `*` that stands for a name. */
export interface OptionEntry extends Option {
  readonly scope: OptionScope;
  readonly key: string;
}

interface Family {
  readonly pattern: RegExp;
  readonly entry: OptionEntry;
}

class ScopeIndex {
  readonly entries: readonly OptionEntry[];
  readonly #exact = new Map<string, OptionEntry>();
  readonly #families: Family[] = [];

  constructor(scope: OptionScope) {
    this.entries = Object.entries<Option>(tables[scope]).map(([key, option]) => ({ ...option, scope, key }));
    for (const entry of this.entries) {
      if (entry.key.includes('*')) this.#families.push({ pattern: familyPattern(entry.key), entry });
      else this.#exact.set(entry.key, entry);
    }
  }

  find(key: string): OptionEntry | undefined {
    const exact = this.#exact.get(key);
    if (exact !== undefined) return exact;
    for (const { pattern, entry } of this.#families) {
      const star = pattern.exec(key)?.[1];
      if (star !== undefined && (entry.star ?? DEFAULT_STAR).test(star)) return entry;
    }
    return undefined;
  }
}

const DEFAULT_STAR = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function familyPattern(key: string): RegExp {
  const [before = '', after = ''] = key.split('*').map((part) => part.replaceAll('.', String.raw`\.`));
  return new RegExp(`^${before}(.+)${after}$`, 's');
}

const indexes = new Map<OptionScope, ScopeIndex>();

function indexOf(scope: OptionScope): ScopeIndex {
  let index = indexes.get(scope);
  if (index === undefined) {
    index = new ScopeIndex(scope);
    indexes.set(scope, index);
  }
  return index;
}

export function isOptionScope(text: string): text is OptionScope {
  return Object.hasOwn(tables, text);
}

/** The option behind a key as written in a manifest; wildcard families included. */
export function optionFor(scope: OptionScope, key: string): OptionEntry | undefined {
  return indexOf(scope).find(key);
}

export function optionsOf(scope: OptionScope): readonly OptionEntry[] {
  return indexOf(scope).entries;
}

/** How a change of the key lands. The key must be in the registry: validated manifests hold no other. */
export function verdictFor(scope: OptionScope, key: string): OptionVerdict {
  const option = optionFor(scope, key);
  if (option === undefined)
    throw new AppError('INTERNAL', { scope, key }, { message: `The option "${key}" of ${scope} is not in the registry.` });
  return option.verdict;
}

/** Reads a value in its option's notation; undefined when there is no such option. */
export function parseOption(scope: OptionScope, key: string, text: string): Parsed<unknown> | undefined {
  return optionFor(scope, key)?.type.parse(text);
}

type Table<Scope extends OptionScope> = (typeof tables)[Scope];
type TypeOf<O> = O extends Option<infer T> ? T : never;

/** Keys of a scope, wildcards excepted. */
export type OptionKey<Scope extends OptionScope> = Exclude<keyof Table<Scope> & string, `${string}*${string}`>;

/** What `optionValue` gives for a key. */
export type OptionValue<Scope extends OptionScope, Key extends OptionKey<Scope>> = Key extends keyof Table<Scope>
  ? TypeOf<Table<Scope>[Key]>
  : never;

/**
 * The typed value of a key in a validated string map: what is set, else the option's default, else undefined.
 * Throws VALUE_INVALID when the text does not parse (it was not validated).
 */
export function optionValue<Scope extends OptionScope, Key extends OptionKey<Scope>>(
  scope: Scope,
  key: Key,
  config: Readonly<Record<string, string>>,
): OptionValue<Scope, Key> | undefined {
  const option = optionFor(scope, key);
  const set = Object.hasOwn(config, key) ? config[key] : undefined;
  const text = set === undefined || set === '' ? option?.default : set;
  if (option === undefined || text === undefined) return undefined;
  const value = option.type.parse(text);
  if (value.ok) return value.value as OptionValue<Scope, Key>;
  throw new AppError('VALUE_INVALID', { scope, key }, { message: `The value of "${key}" must be ${value.expected}.` });
}
