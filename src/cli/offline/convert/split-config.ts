// Which of an LXD document's keys go into a manifest, which are left out, and which are only kept for the way back. Pure.
import { isOptionScope, type OptionEntry, optionFor, PLANNED_SCOPES } from '../../../schemas/registry.ts';
import { ASIDE_KEY, readManifestAside } from './aside.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';

/** The program whose documents are read; undefined: either. LXD does not know the keys that only Incus has. */
export type Origin = 'lxd' | 'incus' | undefined;

export interface Split {
  /** What the manifest says. */
  readonly taken: PlainMap;
  /** What Lockstep does not know; kept for the way back. */
  readonly aside: PlainMap;
  readonly notes: readonly string[];
}

// oxlint-disable-next-line no-control-regex -- manifests allow tab and line breaks only
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const DEVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Config of an object. `scope`: of the option registry; one it does not know takes every key, and `validate` judges them. */
export function splitConfig(config: PlainMap, scope: string, origin: Origin): Split {
  const taken: Record<string, Plain> = {};
  const aside: Record<string, Plain> = {};
  const planned: string[] = [];
  const internal = new Map<string, number>();
  for (const [key, value] of Object.entries(config)) {
    if (key === ASIDE_KEY && readManifestAside(value) !== undefined) continue;
    const [family = ''] = key.split('.', 1);
    if (family === 'volatile' || (family === 'image' && scope === 'instance')) {
      internal.set(family, (internal.get(family) ?? 0) + 1);
      continue;
    }
    const option = isOptionScope(scope) ? optionFor(scope, key) : undefined;
    if (!isSayable(value) || (isOptionScope(scope) && !isKnown(option, origin))) {
      aside[key] = value;
      continue;
    }
    taken[key] = value;
    if (option?.status === 'planned' && !isPlannedScope(scope)) planned.push(key);
  }
  const notes = [...internal].map(([family, count]) => `left out ${family}.* (${count} ${count === 1 ? 'key' : 'keys'})`);
  if (Object.keys(aside).length > 0) notes.push(`kept aside, because Lockstep does not know them: ${Object.keys(aside).join(', ')}`);
  if (planned.length > 0) notes.push(`kept, but not supported yet: ${planned.join(', ')}`);
  return { taken, aside, notes };
}

/** Devices by name; unknown options, and devices of unknown types, are kept aside. */
export function splitDevices(devices: PlainMap, origin: Origin): Split {
  const taken: Record<string, Plain> = {};
  const aside: Record<string, Plain> = {};
  const notes: string[] = [];
  for (const [name, options] of Object.entries(devices)) {
    const type = isPlainMap(options) ? options['type'] : undefined;
    const scope = `device/${typeof type === 'string' ? type : ''}`;
    if (!isPlainMap(options) || !isOptionScope(scope) || !DEVICE_NAME.test(name)) {
      aside[name] = options;
      notes.push(`kept aside, because Lockstep does not know such a device: "${name}"`);
      continue;
    }
    const { type: written, ...others } = options;
    const split = splitConfig(others, scope, origin);
    // `taken` first: where both have a device, the way back joins them.
    taken[name] = { ...(written === undefined ? {} : { type: written }), ...split.taken };
    if (Object.keys(split.aside).length > 0) aside[name] = split.aside;
    notes.push(...split.notes.map((note) => `device "${name}": ${note}`));
    if (isPlannedScope(scope)) notes.push(`kept, but not supported yet: device "${name}" of type ${type as string}`);
  }
  return { taken, aside, notes };
}

function isPlannedScope(scope: string): boolean {
  return isOptionScope(scope) && PLANNED_SCOPES.has(scope);
}

function isKnown(option: OptionEntry | undefined, origin: Origin): boolean {
  if (option === undefined || option.status === 'internal') return false;
  return !(origin === 'lxd' && option.origin === 'Incus');
}

/** What a manifest can say: text, not empty (that means unset), without control characters. */
function isSayable(value: Plain): boolean {
  return typeof value === 'string' && value !== '' && !UNPRINTABLE.test(value) && value.isWellFormed();
}
