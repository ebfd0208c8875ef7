// What can be done to an instance. Every row holds all that its applier needs, decided while planning.
import type { KnobWrite } from '../../host/cgroup/knobs.ts';
import type { DhcpHostEntry } from '../../host/devices/device-spec.ts';
import type { Plugged, RootfsFile } from '../../host/ports/lxc.ts';
import type { Buries, Changes, Replaces } from '../changes.ts';
import type { FieldChange } from '../kind.ts';
import type { Target } from './render.ts';

export interface DhcpKey {
  readonly bridge: string;
  readonly key: string;
}

/** Why an instance that runs is stopped. */
export type StopReason = 'state' | 'restart' | 'recreate' | 'rename';

export type PlugAction = 'plug' | 'unplug' | 'replug';

/**
 * - `declared`: it is declared otherwise
 * - `below`: it lies below a mount that is plugged
 * - `appeared`: its source was missing so far
 * - `repair`: it is gone, or was left half-way
 */
export type PlugReason = 'declared' | 'below' | 'appeared' | 'repair';

export interface InstanceChangeTable {
  /** Makes it, or finishes what a crash left half-made. */
  create: {
    /** Undefined while its image is not there: planned, but not to be started yet. */
    target: Target | undefined;
    pool: string;
    image: string;
    seed: readonly RootfsFile[];
    /** The tombstone its root volume is brought back from (undelete). */
    revive: string | undefined;
    because: 'absent' | 'half-made' | 'root lost' | 'recreate';
    /** What it is made with, for people. */
    fields: readonly FieldChange[];
  } & Replaces;
  /** Removes a half-made one that was begun with another image or pool. */
  undo: { pool: string; volume: boolean; because: string };
  /** Writes configuration, record, device nodes; and the seed when it is not running. */
  configure: {
    target: Target;
    seed: readonly RootfsFile[];
    fields: readonly FieldChange[];
    /** They were changed from outside: nothing declared differs. */
    repair: boolean;
  };
  setLimits: { writes: readonly KnobWrite[]; repair: boolean };
  /** Takes a device out of what runs, puts one in, or both. */
  replug: {
    device: string;
    action: PlugAction;
    target: Target;
    /** All that may be in the container of it. */
    out: readonly Plugged[];
    fields: readonly FieldChange[];
    because: PlugReason;
  };
  setSize: { pool: string; from: number | undefined; to: number | undefined };
  setDhcpHosts: { set: readonly DhcpHostEntry[]; remove: readonly DhcpKey[] };
  start: { because: string };
  /** `as`: LXC name under which it runs, when that is not its own yet. */
  shutdown: { because: StopReason; fields: readonly FieldChange[]; timeoutMs: number; as?: string };
  kill: { because: StopReason; afterMs: number; as?: string };
  freeze: {};
  /** `because`: to be stopped. */
  unfreeze: { because?: StopReason; as?: string };
  /** Gives its directory and root volume its name, which they have not after a rename; it is not running. */
  rename: { from: string; pool: string | undefined };
  /** Takes its root volume out of use, to be made anew; it can still be brought back. */
  buryRoot: Buries & { fields: readonly FieldChange[] };
  delete: {
    /** Where its root volume goes; undefined when it has none. */
    tombstone: { readonly pool: string; readonly name: string } | undefined;
    dhcp: readonly DhcpKey[];
  };
}

export type InstanceChange = Changes<InstanceChangeTable>;
