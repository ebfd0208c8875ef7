// The NoCloud seed: what cloud-init in the guest finds at its next boot (cloud-init documentation, "NoCloud"). Pure.
import { hashOf } from '../../core/hash.ts';
import type { RootfsFile } from '../../host/ports/lxc.ts';
import type { InstanceSpec } from './spec.ts';

const DIRECTORY = '/var/lib/cloud/seed/nocloud';

const EMPTY_CONFIG = '#cloud-config\n{}\n';

export interface Seed {
  readonly files: readonly RootfsFile[];
  /** Changes when any content does. */
  readonly hash: string;
}

/**
 * Undefined when no cloud-init key is set. Otherwise all four files are always written: a default replaces what a key that is gone has
 * left behind. A changed key makes another instance id, so that cloud-init runs its per-instance modules again.
 */
export function cloudInitSeed(spec: InstanceSpec, uid: string, hostname: string): Seed | undefined {
  const { cloudInit } = spec;
  if (cloudInit === undefined) return undefined;
  const metadata = { 'instance-id': `${uid}-${hashOf(cloudInit).slice(0, 12)}`, 'local-hostname': hostname };
  const contents = {
    'meta-data': json(metadata),
    'user-data': cloudInit.userData ?? EMPTY_CONFIG,
    'vendor-data': cloudInit.vendorData ?? EMPTY_CONFIG,
    'network-config': cloudInit.networkConfig ?? json({ version: 2, ethernets: dhcpOnAll(spec) }),
  };
  const files = Object.entries(contents).map(([name, content]) => ({ path: `${DIRECTORY}/${name}`, mode: 0o600, content }));
  return { files, hash: hashOf(files) };
}

/** JSON is YAML. */
function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function dhcpOnAll(spec: InstanceSpec): Record<string, { dhcp4: true }> {
  const nics = spec.deviceList.filter((device) => device.type === 'nic');
  return Object.fromEntries(nics.map((nic) => [nic.interface, { dhcp4: true }]));
}
