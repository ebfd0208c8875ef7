// Config keys, devices and their options against the option registry.
import type { FieldPath } from './document.ts';
import { type Finding, shown } from './finding.ts';
import type { ConfigMap, DeviceMap } from './merge.ts';
import { nearest } from './nearest.ts';
import { isOptionScope, type OptionEntry, optionFor, OPTION_SCOPES, type OptionScope, optionsOf, PLANNED_SCOPES } from './registry.ts';
import { deviceRuleFindings, isVolumeDisk } from './device-rules.ts';

const DEVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const DEVICE_TYPES: readonly string[] = OPTION_SCOPES.filter((scope) => scope.startsWith('device/')).map((scope) => scope.slice(7));

/**
 * Findings about a string map whose keys are options of `scope`. In a scope that is planned as a whole, keys and values are checked all the
 * same; that the whole is not supported is told once, by the caller.
 */
export function configFindings(scope: OptionScope, config: ConfigMap, path: FieldPath, skip: ReadonlySet<string> = new Set()): Finding[] {
  const whole = PLANNED_SCOPES.has(scope);
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(config)) {
    if (skip.has(key)) continue;
    const option = optionFor(scope, key);
    const finding = option === undefined ? unknownKey(scope, key) : optionFinding(option, key, value, whole);
    if (finding !== undefined) findings.push({ ...finding, path: [...path, key] });
  }
  return findings;
}

type Unplaced = Omit<Finding, 'path'>;

function unknownKey(scope: OptionScope, key: string): Unplaced {
  const options = optionsOf(scope);
  const near =
    nearest(
      key,
      options
        .filter((option) => (option.status === 'applied' || PLANNED_SCOPES.has(scope)) && !option.key.includes('*'))
        .map((option) => option.key),
    ) ?? familyHint(key, options);
  return {
    inKey: true,
    rule: 'unknown-key',
    message: `The key ${shown(key)} is not known ${placeOf(scope)}.`,
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  };
}

/** A wildcard family whose first part is meant: `enviroment.FOO` means `environment.FOO`; a bad name after it is explained. */
function familyHint(key: string, options: readonly OptionEntry[]): string | undefined {
  const dot = key.indexOf('.');
  if (dot < 0) return undefined;
  const prefixes = options
    .filter((option) => /^[^*]+\.\*$/.test(option.key) && option.status !== 'internal')
    .map((option) => option.key.slice(0, -2));
  const near = nearest(key.slice(0, dot), prefixes);
  return near === undefined || near === key.slice(0, dot) ? undefined : `${near}${key.slice(dot)}`;
}

function optionFinding(option: OptionEntry, key: string, value: string, plannedAsWhole: boolean): Unplaced | undefined {
  if (option.status === 'planned' && !plannedAsWhole) {
    return {
      inKey: true,
      rule: 'not-supported-yet',
      message: `The key "${key}" is not supported yet.`,
      hint: `Remove it. ${option.description}`,
    };
  }
  if (option.status === 'internal') {
    return {
      inKey: true,
      rule: 'internal-key',
      message: `The key "${key}" is written by the daemon and cannot be declared.`,
      hint: 'Remove it.',
    };
  }
  const parsed = option.type.parse(value);
  if (parsed.ok) return undefined;
  const is = option.secret === true ? '' : `is ${shown(value)} but `;
  const near = option.type.values === undefined ? unitHint(option, value) : nearest(value, option.type.values);
  const hint = near === undefined ? {} : { hint: `Did you mean "${near}"?` };
  return { rule: 'value', message: `The value of "${key}" ${is}must be ${parsed.expected}.`, ...hint };
}

/** `10gib`, `10 Gib`, `10G`, `10 Gigs`, `10 megabytes`: the unit that was probably meant. */
function unitHint(option: OptionEntry, value: string): string | undefined {
  const match = /^(\d+)\s*([kmgtp])(?:i?b|[a-z]{1,8}s?)?$/i.exec(value);
  if (!match) return undefined;
  const guess = `${match[1]}${match[2]!.toUpperCase()}iB`;
  return option.type.parse(guess).ok ? guess : undefined;
}

function placeOf(scope: OptionScope): string {
  const [area, type] = scope.split('/');
  if (area === 'device') return `for a device of type ${type}`;
  if (area === 'network') return `for a network of type ${type}`;
  if (area === 'pool') return `for a pool with driver ${type}`;
  if (scope === 'network-acl/rule') return 'in a rule of a network ACL';
  if (scope === 'network-forward') return 'in a network forward';
  if (scope === 'volume') return 'in the config of a storage volume';
  return `in the config of an ${area}`;
}

const TYPE_KEY: ReadonlySet<string> = new Set(['type']);
const VOLUME_KEYS: ReadonlySet<string> = new Set(['type', 'source']);

/** Findings about devices: names, types, options, and what options must or must not stand together. */
export function deviceFindings(devices: DeviceMap, path: FieldPath): Finding[] {
  return Object.entries(devices).flatMap(([name, options]) => oneDevice(name, options, [...path, name]));
}

function oneDevice(name: string, options: ConfigMap, path: FieldPath): Finding[] {
  if (!DEVICE_NAME.test(name)) {
    const message = `The device name ${shown(name)} must be 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit.`;
    return [{ path, inKey: true, rule: 'name', message }];
  }
  const type = options['type'];
  if (type === undefined) {
    return [
      {
        path,
        inKey: true,
        rule: 'required',
        message: `The device "${name}" lacks the key "type".`,
        hint: `One of: ${DEVICE_TYPES.join(', ')}.`,
      },
    ];
  }
  const scope = `device/${type}`;
  if (!isOptionScope(scope)) {
    const near = nearest(type, DEVICE_TYPES);
    const hint = near === undefined ? `Known types: ${DEVICE_TYPES.join(', ')}.` : `Did you mean "${near}"?`;
    return [{ path: [...path, 'type'], rule: 'value', message: `The device type ${shown(type)} is not known.`, hint }];
  }
  if (PLANNED_SCOPES.has(scope)) {
    return [
      ...configFindings(scope, options, path, TYPE_KEY),
      {
        path: [...path, 'type'],
        rule: 'not-supported-yet',
        message: `Devices of type "${type}" are not supported yet.`,
        hint: 'Remove the device.',
      },
    ];
  }
  // What stands there is the name of a volume; that it cannot be attached yet is all there is to say.
  const findings = configFindings(scope, options, path, isVolumeDisk(type, options) ? VOLUME_KEYS : TYPE_KEY);
  return findings.length > 0 ? findings : deviceRuleFindings(name, type, options, path);
}
