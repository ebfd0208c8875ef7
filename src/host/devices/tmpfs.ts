// A file system in memory in the instance (`source: tmpfs:`).
import type { DeviceDriver, DeviceParts, TmpfsSpec } from './device-spec.ts';
import { mountEntry } from './mount-entry.ts';

function parts({ path: target, readonly, sizeBytes }: TmpfsSpec): DeviceParts {
  const size = sizeBytes === undefined ? [] : [`size=${sizeBytes}`];
  const options = [readonly ? 'ro' : 'rw', 'nosuid', 'nodev', ...size, 'create=dir'];
  return {
    config: [mountEntry({ source: 'tmpfs', target, type: 'tmpfs', options })],
    plugged: { is: 'mount', target, directory: true, readonly, recursive: false, ...(sizeBytes === undefined ? {} : { sizeBytes }) },
  };
}

export const tmpfsDriver: DeviceDriver<TmpfsSpec> = { hostPaths: () => [], parts };
