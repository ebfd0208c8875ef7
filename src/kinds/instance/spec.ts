// An instance as it should be: profiles merged, strings turned into numbers, once. Plain data: it is hashed and compared.
import type { ResourceRef } from '../../core/ref.ts';
import type { SoftHard } from '../../core/units.ts';
import type { LimitSpec } from '../../host/cgroup/knobs.ts';
import type { DeviceSpec } from '../../host/devices/device-spec.ts';
import type { MaxUnavailable } from '../../schemas/kinds/update.ts';

export type InstanceState = 'Running' | 'Stopped' | 'Frozen';

/** What to do when the instance ends without being asked to. */
export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** How far a change may go by itself. */
export interface UpdateRules {
  readonly restart: 'Auto' | 'Manual';
  readonly recreate: 'Confirm' | 'Auto' | 'Never';
  /** An image that was built or imported anew is followed. */
  readonly followImage: boolean;
  readonly maxUnavailable: MaxUnavailable;
}

export interface RootDisk {
  /** Name of the device that has the path `/`. */
  readonly device: string;
  readonly pool: string;
  /** Undefined: no limit. */
  readonly sizeBytes: number | undefined;
}

export interface Dependency {
  readonly ref: ResourceRef;
  readonly condition: 'Present' | 'Running';
}

export interface CloudInitSpec {
  readonly userData: string | undefined;
  readonly vendorData: string | undefined;
  readonly networkConfig: string | undefined;
}

export type ExpandedConfig = Readonly<Record<string, string>>;
export type ExpandedDevices = Readonly<Record<string, ExpandedConfig>>;

export interface InstanceSpec {
  /** The Image object it is made from. */
  readonly image: ResourceRef;
  readonly profiles: readonly string[];
  readonly state: InstanceState;
  readonly restart: RestartPolicy;
  readonly update: UpdateRules;
  /** Deletion is refused: `spec.protect` or `security.protection.delete`. */
  readonly protect: boolean;
  /** LXD's maps after the merge of profiles; empty values are gone. */
  readonly config: ExpandedConfig;
  readonly devices: ExpandedDevices;

  readonly privileged: boolean;
  readonly nesting: boolean;
  /** Undefined: after a boot it gets the power state it had. */
  readonly autostart: boolean | undefined;
  /** How long a clean shutdown may take. */
  readonly shutdownTimeoutMs: number;
  readonly limits: LimitSpec;
  /** By name without `limits.kernel.`. */
  readonly processLimits: Readonly<Record<string, SoftHard>>;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: no cloud-init key is set, and no seed is written. */
  readonly cloudInit: CloudInitSpec | undefined;
  readonly root: RootDisk;
  /** Without the root disk and `none`, by name. */
  readonly deviceList: readonly DeviceSpec[];
  readonly dependsOn: readonly Dependency[];
}

/** Keys whose values never leave the host's own files. Their values stand as fingerprints in records. */
export function isSecretKey(key: string): boolean {
  return key.startsWith('cloud-init.') || key.startsWith('environment.');
}
