// A profile as instances see it: LXD's string maps. It is merged into each of them when they are resolved.
import type { ManifestDocument } from '../../schemas/document.ts';
import { type ConfigMap, type DeviceMap, layerOf } from '../../schemas/merge.ts';
import type { Resolved } from '../kind.ts';

export interface ProfileSpec {
  readonly config: ConfigMap;
  readonly devices: DeviceMap;
}

export function resolveProfile(document: ManifestDocument): Resolved<ProfileSpec> {
  const { config, devices } = layerOf(document);
  return { spec: { config, devices }, problems: [] };
}
