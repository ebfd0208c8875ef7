// A file system in memory in the instance (`source: tmpfs:`).
import type { DeviceDriver, DeviceParts, TmpfsSpec } from './device-spec.ts';
import { mountEntry } from './mount-entry.ts';

function parts(device: TmpfsSpec): DeviceParts {
  const size = device.sizeBytes === undefined ? [] : [`size=${device.sizeBytes}`];
  const options = [device.readonly ? 'ro' : 'rw', 'nosuid', 'nodev', ...size, 'create=dir'];
  return { config: [mountEntry({ source: 'tmpfs', target: device.path, type: 'tmpfs', options })] };
}

export const tmpfsDriver: DeviceDriver<TmpfsSpec> = { hostPaths: () => [], parts };
