// The text of a liblxc configuration. The one place that knows which values would break out of their line.
import { AppError } from '../../core/errors.ts';
import type { ConfigItem } from '../../host/devices/device-spec.ts';

const KEY = /^lxc\.[A-Za-z0-9_./-]+$/;
// oxlint-disable-next-line no-control-regex -- finding control characters is its purpose
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Keys that name what the daemon decides or that read other files; never written from a manifest's value, refused here so that
 * a mistake elsewhere cannot do it.
 */
const REFUSED_KEYS = ['lxc.include'];

/** `key = value` lines in the given order. Throws VALUE_INVALID for a value that liblxc would read as something else. */
export function configText(uid: string, items: readonly ConfigItem[]): string {
  const lines = items.map(([key, value]) => `${key} = ${checkedValue(key, value)}`);
  return [header(uid), ...lines, ''].join('\n');
}

function header(uid: string): string {
  return `# Written by Lockstep for ${uid}; changes made here are undone.`;
}

/** Whose configuration this text is, or undefined when it is not one of ours. */
export function configOwner(text: string): string | undefined {
  return /^# Written by Lockstep for ([0-9a-f-]{36});/.exec(text)?.[1];
}

function checkedValue(key: string, value: string): string {
  const problem = KEY.test(key) && !REFUSED_KEYS.includes(key) ? settingProblem(value) : 'the key is not allowed';
  if (problem === undefined) return value;
  throw new AppError('VALUE_INVALID', { key }, { message: `The LXC setting "${key}" cannot be written: ${problem}.` });
}

/** Why a value cannot stand in the configuration, or undefined. */
export function settingProblem(value: string): string | undefined {
  // liblxc takes a newline as the end of the value, and the rest as another setting: a hook, for one.
  if (CONTROL.test(value)) return 'its value holds a control character';
  // It trims blanks and strips quotes when it reads the file, so the value would not be the one that was meant.
  if (value !== value.trim()) return 'its value begins or ends with a blank';
  if (value.startsWith('"') || value.startsWith("'")) return 'its value begins with a quote';
  if (value === '') return 'its value is empty, which resets the setting';
  return undefined;
}
