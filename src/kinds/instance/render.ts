// From what was planned for an instance to the files that say so: configuration, record, device nodes, leases. Pure; called by diff to
// compare with what is there, and by the appliers to write it. Only what host paths lead to may be read in between.
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { refKey, type ResourceRef } from '../../core/ref.ts';
import { limitGaps, limitKnobs } from '../../host/cgroup/knobs.ts';
import type { ConfigItem, DeviceContext, DhcpHostEntry, NicNetwork } from '../../host/devices/device-spec.ts';
import { deviceHostPaths, deviceParts } from '../../host/devices/registry.ts';
import type { HostCapabilities } from '../../host/ports/capabilities.ts';
import type { HostPathReading } from '../../host/ports/files.ts';
import type { Host } from '../../host/ports/host.ts';
import type { DeviceNode, Plugged } from '../../host/ports/lxc.ts';
import { configText } from './config-text.ts';
import { lxcConfig } from './lxc-config.ts';
import { fingerprinted, type RecordedDocument, type RecordedImage, type RecordedNic, recordText } from './record.ts';
import type { InstanceSpec, InstanceState } from './spec.ts';

/** Everything that was decided about an instance while planning. */
export interface Target {
  readonly uid: string;
  readonly ref: ResourceRef;
  readonly source: string;
  readonly prefix: string;
  readonly spec: InstanceSpec;
  readonly host: HostCapabilities;
  /** Directory of the instance. */
  readonly dir: string;
  readonly rootfs: string;
  readonly seccomp: string;
  readonly pool: string;
  readonly image: RecordedImage;
  readonly allocations: Readonly<Record<string, string>>;
  /** First host id; undefined for a privileged instance. */
  readonly idBase: number | undefined;
  readonly hwaddrs: Readonly<Record<string, string>>;
  readonly networks: Readonly<Record<string, NicNetwork>>;
  readonly state: InstanceState;
  readonly generation: number;
  readonly heldBoot: string | undefined;
  /** Hash of the seed that is on the disk, or will be when this is written. */
  readonly seed: string | undefined;
}

export interface Rendered {
  readonly config: string;
  readonly record: string;
  readonly nodes: readonly DeviceNode[];
  readonly dhcpHosts: readonly DhcpHostEntry[];
  /** Devices that are left out for now, and why, as sentences. */
  readonly leftOut: Readonly<Record<string, string>>;
}

export function targetHostPaths(spec: InstanceSpec): string[] {
  return [...new Set(spec.deviceList.flatMap((device) => deviceHostPaths(device)))].toSorted();
}

/** For appliers: what the host paths lead to right now. */
export async function readHostPaths(host: Pick<Host, 'files'>, target: Target): Promise<ReadonlyMap<string, HostPathReading>> {
  const readings = targetHostPaths(target.spec).map(async (path) => [path, await host.files.stat(path)] as const);
  return new Map(await Promise.all(readings));
}

/** Throws DEVICE_MISSING when a required device cannot be given, VALUE_INVALID for what must not be written or cannot hold here. */
export function render(target: Target, hostPaths: ReadonlyMap<string, HostPathReading>, stage: 'making' | 'made' = 'made'): Rendered {
  const { spec, uid, host } = target;
  checkCpus(target);
  const config: ConfigItem[] = [];
  const nodes: DeviceNode[] = [];
  const dhcpHosts: DhcpHostEntry[] = [];
  const nics: RecordedNic[] = [];
  const leftOut: Record<string, string> = {};
  const plugged: Record<string, Plugged> = {};
  for (const device of spec.deviceList) {
    const parts = deviceParts(device, contextFor(target, hostPaths, nics.length));
    if (parts.missing !== undefined) {
      throw new AppError('DEVICE_MISSING', { device: device.name }, { message: parts.missing });
    }
    if (parts.leftOut !== undefined) leftOut[device.name] = parts.leftOut;
    if (parts.plugged !== undefined) plugged[device.name] = parts.plugged;
    config.push(...parts.config);
    nodes.push(...(parts.nodes ?? []));
    dhcpHosts.push(...(parts.dhcpHosts ?? []));
    const network = target.networks[device.name];
    const hwaddr = device.type === 'nic' ? (device.hwaddr ?? target.hwaddrs[device.name]) : undefined;
    if (network !== undefined && hwaddr !== undefined) nics.push({ device: device.name, hwaddr, bridge: network.bridge });
  }
  const items = lxcConfig({ ...target, haltSignal: target.image.haltSignal, rebootSignal: target.image.rebootSignal }, config);
  const record = recordText({
    version: 1,
    uid,
    ref: refKey(target.ref),
    source: target.source,
    protected: spec.protect,
    allocations: target.allocations,
    stage,
    state: target.state,
    generation: target.generation,
    ...(target.heldBoot === undefined ? {} : { heldBoot: target.heldBoot }),
    image: target.image,
    pool: target.pool,
    nics,
    hostPaths: targetHostPaths(spec),
    leftOut: Object.keys(leftOut),
    plugged,
    knobs: Object.fromEntries(limitKnobs(spec.limits, host, uid).map(({ file, value }) => [file, value])),
    ...(target.seed === undefined ? {} : { seed: target.seed }),
    document: recordedDocument(target),
  });
  return { config: configText(uid, items), record, nodes, dhcpHosts, leftOut };
}

/** Its static leases, whatever its other devices are. */
export function targetLeases(target: Target): DhcpHostEntry[] {
  const context = contextFor(target, new Map(), 0);
  return target.spec.deviceList.flatMap((device) => (device.type === 'nic' ? (deviceParts(device, context).dhcpHosts ?? []) : []));
}

function recordedDocument({ uid, ref, spec, image }: Target): RecordedDocument {
  return {
    apiVersion: 'lockstep/v1',
    kind: 'Instance',
    metadata: { name: ref.name, project: ref.project },
    spec: {
      image: image.name,
      profiles: [],
      state: spec.state,
      restart: { policy: spec.restart },
      config: fingerprinted(uid, spec.config),
      devices: spec.devices,
    },
  };
}

function contextFor(target: Target, hostPaths: ReadonlyMap<string, HostPathReading>, nicIndex: number): DeviceContext {
  return {
    uid: target.uid,
    prefix: target.prefix,
    hostname: target.ref.name,
    devicesDir: join(target.dir, 'devices'),
    idBase: target.idBase,
    cgroup: target.host.cgroup,
    nested: target.host.nested,
    hostPaths,
    hwaddrs: target.hwaddrs,
    networks: target.networks,
    nicIndex,
  };
}

/** The kernel's own answer to such a set is a bare EINVAL at start (v1), or to ignore it (v2). */
function checkCpus({ spec, host }: Target): void {
  const { cpu } = spec.limits;
  if (cpu === undefined || !('set' in cpu) || !limitGaps({ cpu }, host).includes('limits.cpu')) return;
  const lacking = cpu.set.filter((one) => !host.cpus.includes(one));
  if (lacking.length === 0) return;
  throw new AppError(
    'VALUE_INVALID',
    { cpus: lacking.join(',') },
    { message: `"limits.cpu" names CPUs that this host does not have: ${lacking.join(', ')}.` },
  );
}
