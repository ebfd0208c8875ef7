// An instance as it is, put together from the shared readings of one round.
import type { DhcpHostEntry } from '../../host/devices/device-spec.ts';
import type { HostPathReading } from '../../host/ports/files.ts';
import type { ExitRecord, PowerState } from '../../host/ports/lxc.ts';
import type { VolumeReading } from '../../host/ports/storage.ts';
import type { InstanceRecord } from './record.ts';

export type RootVolume =
  | { readonly is: 'there'; readonly pool: string; readonly reading: VolumeReading }
  /** Its pool's listing is complete without it, or there is no such pool. */
  | { readonly is: 'missing'; readonly pool: string }
  /** Its pool is there but not mounted now. */
  | { readonly is: 'inactive'; readonly pool: string }
  /** Nothing says in which pool to look: nothing was ever made. */
  | { readonly is: 'none' };

export interface InstanceActual {
  /** LXC name under which a part of it still lies, after a rename: its directory (and what runs), its root volume, or both. */
  readonly former: string | undefined;
  /** LXC name under which its directory lies, and under which it runs. */
  readonly runsAs: string;
  readonly power: PowerState;
  readonly initPid: number | undefined;
  readonly monitorPid: number | undefined;
  /** Uid in its record or configuration; undefined when neither says one. */
  readonly owner: string | undefined;
  readonly config: string | undefined;
  readonly recordText: string | undefined;
  readonly record: InstanceRecord | undefined;
  /** With what the running container, or the last one, was started. */
  readonly started: InstanceRecord | undefined;
  readonly exit: ExitRecord | undefined;
  readonly volume: RootVolume;
  /** NICs of what runs whose host side is gone. */
  readonly lostNics: readonly string[];
  /** What the recorded host paths lead to now. */
  readonly hostPaths: ReadonlyMap<string, HostPathReading>;
  /** Control files of the running container: those its records name. */
  readonly knobs: ReadonlyMap<string, string>;
  /** Its static leases on any network; undefined when it has no NIC and nothing was read. */
  readonly dhcpHosts: readonly DhcpHostEntry[] | undefined;
  /** Addresses its NICs have leased, or always get. */
  readonly addresses: readonly string[];
}

export function isUp(actual: InstanceActual): boolean {
  return actual.power !== 'Stopped' || actual.monitorPid !== undefined;
}
