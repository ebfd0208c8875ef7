// The device drivers, one literal entry per shape of DeviceSpec.
import type { DeviceContext, DeviceDriver, DeviceParts, DeviceSpec } from './device-spec.ts';
import { diskDriver } from './disk.ts';
import { nicDriver } from './nic.ts';
import { tmpfsDriver } from './tmpfs.ts';
import { unixCharDriver } from './unix-char.ts';

type Drivers = { readonly [Type in DeviceSpec['type']]: DeviceDriver<Extract<DeviceSpec, { type: Type }>> };

export const deviceDrivers: Drivers = {
  disk: diskDriver,
  tmpfs: tmpfsDriver,
  nic: nicDriver,
  'unix-char': unixCharDriver,
};

/** Methods are compared bivariantly, so a row passes for a driver of any device; the table has checked that each row fits its type. */
function driverOf(device: DeviceSpec): DeviceDriver<DeviceSpec> {
  return deviceDrivers[device.type];
}

/** Paths of the host that decide what the container gets for this device. */
export function deviceHostPaths(device: DeviceSpec): readonly string[] {
  return driverOf(device).hostPaths(device);
}

export function deviceParts(device: DeviceSpec, context: DeviceContext): DeviceParts {
  return driverOf(device).parts(device, context);
}
