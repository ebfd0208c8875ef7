// The device drivers, one literal entry per shape of DeviceSpec.
import type { DeviceContext, DeviceParts, DeviceSpec } from './device-spec.ts';
import { diskDriver } from './disk.ts';
import { nicDriver } from './nic.ts';
import { tmpfsDriver } from './tmpfs.ts';
import { unixCharDriver } from './unix-char.ts';

export const deviceDrivers = {
  disk: diskDriver,
  tmpfs: tmpfsDriver,
  nic: nicDriver,
  'unix-char': unixCharDriver,
} as const;

/** Paths of the host that decide what the container gets for this device. */
export function deviceHostPaths(device: DeviceSpec): readonly string[] {
  switch (device.type) {
    case 'disk':
      return deviceDrivers.disk.hostPaths(device);
    case 'unix-char':
      return deviceDrivers['unix-char'].hostPaths(device);
    case 'tmpfs':
    case 'nic':
      return [];
  }
}

export function deviceParts(device: DeviceSpec, context: DeviceContext): DeviceParts {
  switch (device.type) {
    case 'disk':
      return deviceDrivers.disk.parts(device, context);
    case 'tmpfs':
      return deviceDrivers.tmpfs.parts(device, context);
    case 'nic':
      return deviceDrivers.nic.parts(device, context);
    case 'unix-char':
      return deviceDrivers['unix-char'].parts(device, context);
  }
}
