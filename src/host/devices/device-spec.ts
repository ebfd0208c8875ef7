// Devices as they should be, one shape per type, and what a driver answers about one of them. Pure data.
import type { ResourceRef } from '../../core/ref.ts';
import type { HostPathReading } from '../ports/files.ts';
import type { DeviceNode, Plugged } from '../ports/lxc.ts';
import type { DhcpHost } from '../ports/network.ts';

/** A directory or file of the host. */
export interface HostDiskSpec {
  readonly type: 'disk';
  readonly name: string;
  readonly source: string;
  /** In the instance, absolute. */
  readonly path: string;
  readonly readonly: boolean;
  /** False: left out while the source is missing. */
  readonly required: boolean;
  readonly recursive: boolean;
}

export interface TmpfsSpec {
  readonly type: 'tmpfs';
  readonly name: string;
  readonly path: string;
  /** Undefined: the kernel's default, half of the memory. */
  readonly sizeBytes: number | undefined;
  readonly readonly: boolean;
}

/** An interface in a declared bridge network. */
export interface NicSpec {
  readonly type: 'nic';
  readonly name: string;
  readonly network: ResourceRef;
  /** In the instance. */
  readonly interface: string;
  readonly hwaddr: string | undefined;
  /** Undefined: the network's. */
  readonly mtu: number | undefined;
  /** A static lease. Undefined: any. */
  readonly ipv4: string | undefined;
}

export interface UnixCharSpec {
  readonly type: 'unix-char';
  readonly name: string;
  /** On the host. */
  readonly source: string;
  /** In the instance, absolute. */
  readonly path: string;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly required: boolean;
}

export type DeviceSpec = HostDiskSpec | TmpfsSpec | NicSpec | UnixCharSpec;

/** A network as a NIC sees it. */
export interface NicNetwork {
  readonly bridge: string;
  readonly mtu: number | undefined;
  /** Leases are served: static ones can be set. */
  readonly dhcp: boolean;
}

/** What a driver may know besides the device. */
export interface DeviceContext {
  readonly uid: string;
  readonly prefix: string;
  /** Name of the instance: the host name of its leases. */
  readonly hostname: string;
  /** Directory of our device nodes. */
  readonly devicesDir: string;
  /** Host id of the container's root; undefined for a privileged one. */
  readonly idBase: number | undefined;
  readonly cgroup: 'v2' | 'hybrid';
  readonly nested: boolean;
  /** Readings of all paths that `hostPaths` of the drivers named. */
  readonly hostPaths: ReadonlyMap<string, HostPathReading>;
  readonly hwaddrs: Readonly<Record<string, string>>;
  readonly networks: Readonly<Record<string, NicNetwork>>;
  /** Number of the next `lxc.net.N`. */
  readonly nicIndex: number;
}

export type ConfigItem = readonly [key: string, value: string];

export interface DhcpHostEntry {
  readonly bridge: string;
  readonly key: string;
  readonly host: DhcpHost;
}

/** What the container needs for one device. */
export interface DeviceParts {
  readonly config: readonly ConfigItem[];
  readonly nodes?: readonly DeviceNode[];
  readonly dhcpHosts?: readonly DhcpHostEntry[];
  /** The same as a running container gets it. */
  readonly plugged?: Plugged;
  /** Why it cannot be given now although it is required: a full sentence. */
  readonly missing?: string;
  /** It is left out, and why: a full sentence. */
  readonly leftOut?: string;
}

export interface DeviceDriver<Spec> {
  /** Paths of the host that decide what the parts are. */
  hostPaths(device: Spec): readonly string[];
  parts(device: Spec, context: DeviceContext): DeviceParts;
}
