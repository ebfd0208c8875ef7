// An instance's devices, typed. The root disk is taken apart: it is the instance's volume, not a device of the container.
import { AppError } from '../../core/errors.ts';
import { DEFAULT_PROJECT, makeRef, type ResourceRef } from '../../core/ref.ts';
import type { DeviceSpec, NicSpec } from '../../host/devices/device-spec.ts';
import type { FieldPath, ManifestDocument } from '../../schemas/document.ts';
import { type Finding, problemIn } from '../../schemas/finding.ts';
import type { ConfigMap, Expanded } from '../../schemas/merge.ts';
import type { Problem } from '../../schemas/problem.ts';
import { optionValue } from '../../schemas/registry.ts';
import { hasControl } from '../../schemas/value-type.ts';
import type { Lookup } from '../kind.ts';
import type { RootDisk } from './spec.ts';

export interface ResolvedDevices {
  readonly root: RootDisk | undefined;
  /** By name. */
  readonly list: readonly DeviceSpec[];
}

const LINK_NAME = /^(?!\.{1,2}$)[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;

export function resolveDevices(document: ManifestDocument, expanded: Expanded, lookup: Lookup, problems: Problem[]): ResolvedDevices {
  const list: DeviceSpec[] = [];
  const roots: RootDisk[] = [];
  const complain = (device: string, option: string | undefined, finding: Omit<Finding, 'path'>): void => {
    const from = expanded.merged.devices.get(device)?.from;
    const path: FieldPath = [...(from?.path ?? ['spec', 'devices', device]), ...(option === undefined ? [] : [option])];
    problems.push(problemIn(from?.document ?? document, { ...finding, path }));
  };
  for (const [name, options] of Object.entries(expanded.devices).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const bad = Object.entries(options).find(([, text]) => hasControl(text));
    if (bad !== undefined) {
      complain(name, bad[0], { rule: 'value', message: `The option "${bad[0]}" of device "${name}" holds a control character.` });
      continue;
    }
    try {
      if (options['type'] === 'disk' && options['path'] === '/') roots.push(rootDisk(name, options));
      else list.push(deviceFrom(name, options, networkRef(options, document, lookup)));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      complain(name, undefined, { rule: 'device', message: error.message });
    }
  }
  checkInterfaces(list, complain);
  if (roots.length !== 1 && !problems.some((problem) => problem.severity === 'error')) problems.push(rootProblem(document, roots));
  return { root: roots[0], list };
}

/** A network of the instance's own project, else of the default one. */
function networkRef(options: ConfigMap, document: ManifestDocument, lookup: Lookup): ResourceRef {
  const name = options['network'] ?? '';
  const own = makeRef('Network', name, { project: document.ref.project });
  return lookup.document(own) === undefined ? makeRef('Network', name, { project: DEFAULT_PROJECT }) : own;
}

function rootDisk(name: string, options: ConfigMap): RootDisk {
  const pool = optionValue('device/disk', 'pool', options);
  if (pool === undefined) throw invalid(name, 'it has the path "/" but names no pool');
  return { device: name, pool, sizeBytes: optionValue('device/disk', 'size', options) };
}

function rootProblem(document: ManifestDocument, roots: readonly RootDisk[]): Problem {
  const names = roots.map((root) => `"${root.device}"`).join(' and ');
  return problemIn(document, {
    path: ['spec', 'devices'],
    rule: 'root-disk',
    message: roots.length === 0 ? 'The instance has no root disk.' : `The instance has ${roots.length} root disks: ${names}.`,
    hint: 'Give it one device "root: { type: disk, path: /, pool: NAME }", or a profile that has one.',
  });
}

function deviceFrom(name: string, options: ConfigMap, network: ResourceRef): DeviceSpec {
  switch (options['type']) {
    case 'disk':
      return diskFrom(name, options);
    case 'nic':
      return nicFrom(name, options, network);
    case 'unix-char':
      return unixCharFrom(name, options);
    default:
      throw invalid(name, `its type "${options['type'] ?? ''}" is not supported yet`);
  }
}

function diskFrom(name: string, options: ConfigMap): DeviceSpec {
  const path = optionValue('device/disk', 'path', options);
  const source = optionValue('device/disk', 'source', options);
  if (path === undefined) throw invalid(name, 'it has no path');
  if (source === undefined)
    throw invalid(name, options['pool'] === undefined ? 'it has no source' : 'volumes of a pool are not supported yet');
  const readonly = optionValue('device/disk', 'readonly', options) === true;
  if (source === 'tmpfs:') return { type: 'tmpfs', name, path, sizeBytes: optionValue('device/disk', 'size', options), readonly };
  return {
    type: 'disk',
    name,
    source,
    path,
    readonly,
    required: optionValue('device/disk', 'required', options) !== false,
    recursive: optionValue('device/disk', 'recursive', options) === true,
  };
}

function nicFrom(name: string, options: ConfigMap, network: ResourceRef): NicSpec {
  if (optionValue('device/nic', 'network', options) === undefined) throw invalid(name, 'it names no network');
  const given = optionValue('device/nic', 'name', options);
  if (given === undefined && !LINK_NAME.test(name)) {
    throw invalid(name, 'its name cannot be an interface name of up to 15 characters; set "name" to one');
  }
  return {
    type: 'nic',
    name,
    network,
    interface: given ?? name,
    hwaddr: optionValue('device/nic', 'hwaddr', options)?.toLowerCase(),
    mtu: optionValue('device/nic', 'mtu', options),
    ipv4: optionValue('device/nic', 'ipv4.address', options),
  };
}

function unixCharFrom(name: string, options: ConfigMap): DeviceSpec {
  const source = optionValue('device/unix-char', 'source', options);
  const path = optionValue('device/unix-char', 'path', options);
  const from = source ?? path;
  if (from === undefined) throw invalid(name, 'it has neither source nor path');
  return {
    type: 'unix-char',
    name,
    source: from,
    path: path ?? from,
    major: optionValue('device/unix-char', 'major', options),
    minor: optionValue('device/unix-char', 'minor', options),
    uid: optionValue('device/unix-char', 'uid', options) ?? 0,
    gid: optionValue('device/unix-char', 'gid', options) ?? 0,
    mode: optionValue('device/unix-char', 'mode', options) ?? 0o660,
    required: optionValue('device/unix-char', 'required', options) !== false,
  };
}

function checkInterfaces(
  list: readonly DeviceSpec[],
  complain: (device: string, option: undefined, finding: Omit<Finding, 'path'>) => void,
): void {
  const seen = new Map<string, string>();
  for (const device of list) {
    if (device.type !== 'nic') continue;
    const other = seen.get(device.interface);
    seen.set(device.interface, device.name);
    if (other === undefined) continue;
    const message = `The devices "${other}" and "${device.name}" are both the interface "${device.interface}".`;
    complain(device.name, undefined, { rule: 'device', message, hint: 'Give one of them another "name".' });
  }
}

function invalid(name: string, because: string): AppError {
  return new AppError('MANIFEST_INVALID', { device: name }, { message: `The device "${name}" cannot be used: ${because}.` });
}
