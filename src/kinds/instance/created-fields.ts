// What a new instance is made with, for plans: merged configuration and devices, without the values of secrets. Pure.
import type { FieldChange } from '../kind.ts';
import { compareExpanded } from './compare.ts';
import type { RecordedImage } from './record.ts';
import type { InstanceSpec } from './spec.ts';

const SHORT = 12;

export function createdFields(spec: InstanceSpec, image: RecordedImage | undefined): FieldChange[] {
  const fingerprint = image === undefined ? ({ knownAfterApply: true } as const) : { to: image.fingerprint.slice(0, SHORT) };
  const config = compareExpanded({ config: {}, devices: {} }, { config: spec.config, devices: {} }).map(({ field }) => field);
  return [
    { field: 'image.fingerprint', ...fingerprint },
    { field: 'profiles', to: spec.profiles.join(', ') },
    ...config,
    ...Object.entries(spec.devices).map(([name, device]) => ({ field: `devices.${name}`, to: deviceText(device) })),
  ];
}

/** `nic network=lan ipv4.address=10.20.0.10`: the type first. */
function deviceText({ type = '', ...options }: Readonly<Record<string, string>>): string {
  return [type, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(' ');
}
