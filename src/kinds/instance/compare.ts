// What differs between two expanded configurations, and how each difference lands, as the option registry says. Pure.
import { isOptionScope, optionFor } from '../../schemas/registry.ts';
import type { OptionVerdict } from '../../schemas/option.ts';
import { type FieldChange, SECRET_VALUE } from '../kind.ts';
import { type ExpandedConfig, type ExpandedDevices, isSecretKey } from './spec.ts';

export interface Difference {
  readonly field: FieldChange;
  readonly verdict: OptionVerdict;
  /** The device it is a difference of. */
  readonly device?: string;
}

/** `config` values of secret keys may be fingerprints; they are not shown either. */
export interface Expandable {
  readonly config: ExpandedConfig;
  readonly devices: ExpandedDevices;
}

export function compareExpanded(from: Expandable, to: Expandable): Difference[] {
  const differences: Difference[] = [];
  for (const key of changedKeys(from.config, to.config)) {
    const field = `config.${key}`;
    const shown = isSecretKey(key)
      ? secretChange(field, from.config[key], to.config[key])
      : fieldChange(field, from.config[key], to.config[key]);
    differences.push({ field: shown, verdict: optionFor('instance', key)?.verdict ?? 'live' });
  }
  const names = new Set([...Object.keys(from.devices), ...Object.keys(to.devices)]);
  for (const name of [...names].toSorted()) differences.push(...compareDevice(name, from.devices[name], to.devices[name]));
  return differences;
}

function compareDevice(device: string, from: ExpandedConfig | undefined, to: ExpandedConfig | undefined): Difference[] {
  const field = `devices.${device}`;
  const pluggable = isPluggable(from) || isPluggable(to);
  if (from === undefined || to === undefined || from['type'] !== to['type'] || isPluggable(from) !== isPluggable(to)) {
    // Another name for the root disk changes nothing inside, and `none` is nothing there.
    return [{ device, field: fieldChange(field, from?.['type'], to?.['type']), verdict: pluggable ? 'replug' : 'live' }];
  }
  const scope = `device/${to['type']}`;
  return changedKeys(from, to).map((key) => {
    const verdict = (isOptionScope(scope) ? optionFor(scope, key)?.verdict : undefined) ?? 'restart';
    // The size of the root volume is changed in place; that of a tmpfs is a mount option, which the guest alone could change.
    const lands = key === 'size' && pluggable ? 'replug' : verdict;
    return { device, field: fieldChange(`${field}.${key}`, from[key], to[key]), verdict: lands };
  });
}

/** The container gets something for it: `none` is a hole in a profile, and the root disk is the instance's volume. */
export function isPluggable(options: ExpandedConfig | undefined): boolean {
  return options !== undefined && options['type'] !== 'none' && !(options['type'] === 'disk' && options['path'] === '/');
}

function changedKeys(from: ExpandedConfig, to: ExpandedConfig): string[] {
  const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...keys].filter((key) => from[key] !== to[key]).toSorted();
}

function secretChange(field: string, from: string | undefined, to: string | undefined): FieldChange {
  const hidden = (value: string | undefined) => (value === undefined ? undefined : SECRET_VALUE);
  return { ...fieldChange(field, hidden(from), hidden(to)), secret: true };
}

function fieldChange(field: string, from: string | undefined, to: string | undefined): FieldChange {
  return { field, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

/** Those that a running instance gets only by a restart. */
export function needingRestart(differences: readonly Difference[], canPlug: boolean): FieldChange[] {
  return differences.filter(({ verdict }) => verdict === 'restart' || (verdict === 'replug' && !canPlug)).map(({ field }) => field);
}
