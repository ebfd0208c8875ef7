// What the kinds observe through: one reading per family of facts, taken lazily, shared by all objects of a round, dropped by that
// family's events. Every method rejects with an AppError when the reading is not complete; the object is then `unknown`.
import type { HostPathReading } from './files.ts';
import type { ImageReading } from './images.ts';
import type { ContainerReading } from './lxc.ts';
import type { DhcpReading, FirewallReading, LinksReading } from './network.ts';
import type { ListedPool, PoolReading, PoolTarget, TombstoneReading, UnreadablePool, VolumeReading } from './storage.ts';

export interface HostView {
  containers(): Promise<ReadonlyMap<string, ContainerReading>>;
  /** One of them; undefined when it is not there. Costs the same however many others there are. */
  container(name: string): Promise<ContainerReading | undefined>;
  /** Cgroup files of a running container; not shared between objects. */
  cgroupValues(name: string, files: readonly string[]): Promise<ReadonlyMap<string, string>>;
  links(): Promise<LinksReading>;
  /** Is there a link of this name? Costs by the names that are asked for, not by the links of the host. */
  hasLink(name: string): Promise<boolean>;
  firewall(): Promise<FirewallReading>;
  forwarding(): Promise<{ readonly ipv4: boolean; readonly ipv6: boolean }>;
  dhcp(): Promise<ReadonlyMap<string, DhcpReading>>;
  /** Every pool made here, by name. */
  pools(): Promise<ReadonlyMap<string, ListedPool | UnreadablePool>>;
  pool(target: PoolTarget): Promise<PoolReading>;
  volumes(pool: string): Promise<ReadonlyMap<string, VolumeReading>>;
  /** The volume of one container in a pool; undefined when it is not there. Costs the same however many others there are. */
  containerVolume(pool: string, name: string): Promise<VolumeReading | undefined>;
  tombstones(pool: string): Promise<readonly TombstoneReading[]>;
  images(): Promise<ReadonlyMap<string, ImageReading>>;
  /** What paths of the host lead to. Every path asked for is in the answer. */
  hostPaths(paths: readonly string[]): Promise<ReadonlyMap<string, HostPathReading>>;
}

export type ViewFamily = 'containers' | 'links' | 'firewall' | 'forwarding' | 'dhcp' | 'pools' | 'volumes' | 'images' | 'paths';
