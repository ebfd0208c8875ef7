// A directory or file of the host in the instance. The root disk is not a device in this sense: it is the instance's volume.
import type { DeviceContext, DeviceDriver, DeviceParts, HostDiskSpec } from './device-spec.ts';
import { mountEntry } from './mount-entry.ts';

function hostPaths(device: HostDiskSpec): readonly string[] {
  return [device.source];
}

function parts(device: HostDiskSpec, context: DeviceContext): DeviceParts {
  const reading = context.hostPaths.get(device.source);
  if (reading === undefined || reading.is === 'missing') {
    if (device.required) {
      return { config: [], missing: `The source "${device.source}" of disk "${device.name}" does not exist on the host.` };
    }
    return { config: [], leftOut: `Disk "${device.name}" is left out: "${device.source}" does not exist on the host.` };
  }
  if (reading.is === 'char' || reading.is === 'block') {
    return { config: [], missing: `The source "${device.source}" of disk "${device.name}" is a device node, not a directory or file.` };
  }
  const { source, path: target, readonly, recursive } = device;
  const directory = reading.is === 'directory';
  const options = [recursive ? 'rbind' : 'bind', ...(readonly ? ['ro'] : []), directory ? 'create=dir' : 'create=file'];
  return {
    config: [mountEntry({ source, target, type: 'none', options })],
    plugged: { is: 'mount', source, target, directory, readonly, recursive },
  };
}

export const diskDriver: DeviceDriver<HostDiskSpec> = { hostPaths, parts };
