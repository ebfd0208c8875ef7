// A character device in the instance: a node of our own below devices/, owned by ids of the instance, bound to its place. The user
// namespace keeps an unprivileged instance from using any other node; a privileged one is held by the device cgroup.
import { createHash } from 'node:crypto';
import type { ConfigItem, DeviceContext, DeviceDriver, DeviceParts, UnixCharSpec } from './device-spec.ts';
import { mountEntry } from './mount-entry.ts';

function hostPaths(device: UnixCharSpec): readonly string[] {
  return hasNumbers(device) ? [] : [device.source];
}

function hasNumbers(device: UnixCharSpec): boolean {
  return device.major !== undefined && device.minor !== undefined;
}

function parts(device: UnixCharSpec, context: DeviceContext): DeviceParts {
  const numbers = numbersOf(device, context);
  if (numbers === undefined) {
    const because = `"${device.source}" is not a character device on the host`;
    if (device.required) return { config: [], missing: `Device "${device.name}" cannot be given: ${because}.` };
    return { config: [], leftOut: `Device "${device.name}" is left out: ${because}.` };
  }
  const { major, minor } = numbers;
  const file = nodeFile(device);
  // Without all ids of the host mapped, the kernel lets nobody make device nodes (mknod(2), user_namespaces(7)): bind the host's own.
  const source = context.nested ? device.source : `${context.devicesDir}/${file}`;
  const config: ConfigItem[] = [mountEntry({ source, target: device.path, type: 'none', options: ['bind', 'create=file'] })];
  const rule = context.idBase === undefined ? `c ${major}:${minor} rwm` : undefined;
  if (rule !== undefined) config.push([context.cgroup === 'v2' ? 'lxc.cgroup2.devices.allow' : 'lxc.cgroup.devices.allow', rule]);
  const plugged = { is: 'node', source, target: device.path, ...(rule === undefined ? {} : { rule }) } as const;
  if (context.nested) return { config, plugged };
  const base = context.idBase ?? 0;
  const node = { file, type: 'char', major, minor, mode: device.mode, uid: base + device.uid, gid: base + device.gid } as const;
  return { config, plugged, nodes: [node] };
}

function numbersOf(device: UnixCharSpec, context: DeviceContext): { major: number; minor: number } | undefined {
  if (device.major !== undefined && device.minor !== undefined) return { major: device.major, minor: device.minor };
  const reading = context.hostPaths.get(device.source);
  if (reading?.is !== 'char') return undefined;
  return { major: device.major ?? reading.major, minor: device.minor ?? reading.minor };
}

/** Device names may hold any character but a slash, and file names end at 255 bytes: the readable part is for people only. */
function nodeFile(device: UnixCharSpec): string {
  const readable = device.name.replaceAll(/[^A-Za-z0-9-]/g, '_').slice(0, 40);
  return `unix.${readable}.${createHash('sha256').update(device.name).digest('hex').slice(0, 12)}`;
}

export const unixCharDriver: DeviceDriver<UnixCharSpec> = { hostPaths, parts };
