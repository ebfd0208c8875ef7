// What differs between two expanded configurations, and how each difference lands, as the option registry says. Pure.
import { isOptionScope, optionFor } from '../../schemas/registry.ts';
import type { OptionVerdict } from '../../schemas/option.ts';
import { type FieldChange, SECRET_VALUE } from '../kind.ts';
import { type ExpandedConfig, type ExpandedDevices, isSecretKey } from './spec.ts';

export interface Difference {
  readonly field: FieldChange;
  readonly verdict: OptionVerdict;
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

function compareDevice(name: string, from: ExpandedConfig | undefined, to: ExpandedConfig | undefined): Difference[] {
  const field = `devices.${name}`;
  if (from === undefined || to === undefined || from['type'] !== to['type']) {
    // Another name for the root disk changes nothing inside.
    const root = (from ?? to)?.['path'] === '/' && (from === undefined || to === undefined);
    return [{ field: fieldChange(field, from?.['type'], to?.['type']), verdict: root ? 'live' : 'replug' }];
  }
  const scope = `device/${to['type']}`;
  const root = to['path'] === '/' && from['path'] === '/';
  return changedKeys(from, to).map((key) => {
    const verdict = (isOptionScope(scope) ? optionFor(scope, key)?.verdict : undefined) ?? 'restart';
    // The size of the root volume is changed in place; that of a tmpfs is a mount option, which the guest alone could change.
    const lands = key === 'size' && !root ? 'restart' : verdict;
    return { field: fieldChange(`${field}.${key}`, from[key], to[key]), verdict: lands };
  });
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

/** Those that a running instance gets only by a restart. Taking a device out and putting it back is one, too, so far. */
export function needingRestart(differences: readonly Difference[]): FieldChange[] {
  return differences.filter(({ verdict }) => verdict === 'restart' || verdict === 'replug').map(({ field }) => field);
}
